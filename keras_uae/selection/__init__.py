"""Feature selection by concrete autoencoders, and by linear regression."""

from keras_uae.selection.callbacks import AnnealTemperature, StopWhenSelected
from keras_uae.selection.layer import ConcreteSelect
from keras_uae.selection.linear import greedy_linear_selection
from keras_uae.selection.network import concrete_network
from keras_uae.selection.selector import ConcreteFeatureSelector

__all__ = [
    "AnnealTemperature",
    "ConcreteFeatureSelector",
    "ConcreteSelect",
    "StopWhenSelected",
    "concrete_network",
    "greedy_linear_selection",
]
