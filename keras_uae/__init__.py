"""Unsupervised adversarial examples (UAEs) for Keras: find them fast, train on them."""

from keras_uae import similarity
from keras_uae._version import __version__
from keras_uae.attack import MinMaxAttack
from keras_uae.augmentation import UAEAugmentation, epoch_order
from keras_uae.baselines import gaussian_noise
from keras_uae.concrete import AnnealTemperature, StopWhenSelected, concrete_network
from keras_uae.contrastive import Contrastive, nt_xent
from keras_uae.criteria import (
    Criterion,
    FunctionCriterion,
    Misclassification,
    Reconstruction,
)
from keras_uae.evaluation import criterion_values, reconstruction_error, success_rate
from keras_uae.layers import ConcreteSelect
from keras_uae.penalty import PenaltyAttack
from keras_uae.pgd import PGDAttack
from keras_uae.results import GenerationInterrupted, UAEs
from keras_uae.retraining import RefreshUAEs, Round, augment_in_rounds
from keras_uae.views import ViewAugmentation

__all__ = [
    "AnnealTemperature",
    "ConcreteSelect",
    "Contrastive",
    "Criterion",
    "FunctionCriterion",
    "GenerationInterrupted",
    "MinMaxAttack",
    "Misclassification",
    "PGDAttack",
    "PenaltyAttack",
    "Reconstruction",
    "RefreshUAEs",
    "Round",
    "StopWhenSelected",
    "UAEAugmentation",
    "UAEs",
    "ViewAugmentation",
    "__version__",
    "augment_in_rounds",
    "concrete_network",
    "criterion_values",
    "epoch_order",
    "gaussian_noise",
    "nt_xent",
    "reconstruction_error",
    "similarity",
    "success_rate",
]
