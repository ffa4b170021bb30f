"""Keras models of the paper and the settings they were trained with.

Each builder is a plain function that returns a functional `keras.Model`, so every model saves and
loads without further ado. A saved sparse or concrete autoencoder needs `import models` before it is
loaded, and so does a robust training: that registers the layers and models of this project. SimCLR
is in `models.simclr`, which is imported by itself.
"""

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
from models.keras_autoencoder import deep_convolutional_autoencoder
from models.penalties import KLPenalty, L1Penalty
from models.recipes import RECIPES, Recipe, get_recipe
from models.robust import TRADES, AdversarialTraining
from models.sparse import sparse_autoencoder
from models.trades import load_trades_classifier

__all__ = [
    "CLASSIFIERS",
    "RECIPES",
    "TRADES",
    "AdversarialTraining",
    "ClassifierRecipe",
    "KLPenalty",
    "L1Penalty",
    "Recipe",
    "cifar_classifier",
    "concrete_autoencoder",
    "convolutional_autoencoder",
    "deep_convolutional_autoencoder",
    "dense_autoencoder",
    "get_classifier",
    "get_recipe",
    "load_trades_classifier",
    "mnist_classifier",
    "small_classifier",
    "sparse_autoencoder",
]
