"""Keras models of the paper and the settings they were trained with.

Each builder is a plain function that returns a functional `keras.Model`, or, for the adversarial
autoencoder, a class that saves and loads like one. What has a layer, a loss or a class of this
project (all but the dense, convolutional and deep convolutional autoencoders and the classifiers)
needs `import models` before it is loaded: that registers them. SimCLR is in `models.simclr`, which
is imported by itself.
"""

from models.adversarial import AdversarialAutoencoder, adversarial_autoencoder
from models.classifiers import (
    CLASSIFIERS,
    ClassifierRecipe,
    cifar_classifier,
    get_classifier,
    mnist_classifier,
    small_classifier,
)
from models.concrete import concrete_autoencoder
from models.convolutional import convolutional_autoencoder
from models.dense import dense_autoencoder
from models.dice import DiceLoss
from models.keras_autoencoder import deep_convolutional_autoencoder, denoising_autoencoder
from models.noise import ClippedNoise
from models.penalties import KLPenalty, L1Penalty
from models.recipes import RECIPES, Recipe, get_recipe
from models.robust import TRADES, AdversarialTraining
from models.sparse import sparse_autoencoder
from models.trades import load_trades_classifier
from models.unet import unet_autoencoder

__all__ = [
    "CLASSIFIERS",
    "RECIPES",
    "TRADES",
    "AdversarialAutoencoder",
    "AdversarialTraining",
    "ClassifierRecipe",
    "ClippedNoise",
    "DiceLoss",
    "KLPenalty",
    "L1Penalty",
    "Recipe",
    "adversarial_autoencoder",
    "cifar_classifier",
    "concrete_autoencoder",
    "convolutional_autoencoder",
    "deep_convolutional_autoencoder",
    "denoising_autoencoder",
    "dense_autoencoder",
    "get_classifier",
    "get_recipe",
    "load_trades_classifier",
    "mnist_classifier",
    "small_classifier",
    "sparse_autoencoder",
    "unet_autoencoder",
]
