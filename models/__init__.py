"""Keras models of the paper and the settings they were trained with.

Each builder is a plain function that returns a functional `keras.Model`, so every model saves and
loads without further ado. A saved sparse autoencoder needs `import models` before it is loaded:
that registers its two penalty layers.
"""

from models.convolutional import convolutional_autoencoder
from models.dense import dense_autoencoder
from models.keras_autoencoder import deep_convolutional_autoencoder
from models.penalties import KLPenalty, L1Penalty
from models.recipes import RECIPES, Recipe, get_recipe
from models.sparse import sparse_autoencoder

__all__ = [
    "RECIPES",
    "KLPenalty",
    "L1Penalty",
    "Recipe",
    "convolutional_autoencoder",
    "deep_convolutional_autoencoder",
    "dense_autoencoder",
    "get_recipe",
    "sparse_autoencoder",
]
