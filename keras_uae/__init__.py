"""Unsupervised adversarial examples (UAEs) for Keras: find them fast, train on them."""

from keras_uae import _backend, similarity  # noqa: F401 (the first one checks the backend)
from keras_uae._version import __version__
from keras_uae.attacks import (
    Attack,
    MinMaxAttack,
    PenaltyAttack,
    PGDAttack,
    gaussian_noise,
)
from keras_uae.augmentation import (
    RefreshUAEs,
    Round,
    UAEAugmentation,
    augment_in_rounds,
    epoch_order,
)
from keras_uae.criteria import (
    Contrastive,
    Criterion,
    FunctionCriterion,
    Misclassification,
    Reconstruction,
    ViewAugmentation,
    nt_xent,
)
from keras_uae.evaluation import criterion_values, reconstruction_error, success_rate
from keras_uae.results import GenerationInterrupted, UAEs
from keras_uae.selection import (
    AnnealTemperature,
    ConcreteFeatureSelector,
    ConcreteSelect,
    StopWhenSelected,
    concrete_network,
)
from keras_uae.sharding import Shards, generate_shards
from keras_uae.similarity import mutual_information

__all__ = [
    "AnnealTemperature",
    "Attack",
    "ConcreteFeatureSelector",
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
    "Shards",
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
    "generate_shards",
    "mutual_information",
    "nt_xent",
    "reconstruction_error",
    "similarity",
    "success_rate",
]
