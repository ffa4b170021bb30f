"""Where `uae.ConcreteFeatureSelector` was before 0.2; pickles made then still look here."""

from keras_uae.selection.selector import ConcreteFeatureSelector

__all__ = ["ConcreteFeatureSelector"]
