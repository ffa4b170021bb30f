"""Unsupervised adversarial examples (UAEs) for Keras: find them fast, train on them."""

from keras_uae._version import __version__
from keras_uae.attack import MinMaxAttack
from keras_uae.criteria import Criterion, FunctionCriterion, Reconstruction
from keras_uae.results import GenerationInterrupted, UAEs

__all__ = [
    "Criterion",
    "FunctionCriterion",
    "GenerationInterrupted",
    "MinMaxAttack",
    "Reconstruction",
    "UAEs",
    "__version__",
]
