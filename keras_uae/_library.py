"""All that `keras_uae` offers. Its import takes the seconds that TensorFlow takes."""

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
from keras_uae.comparison import (
    Adversarial,
    Augmented,
    BlindSpots,
    Comparison,
    ComparisonInterrupted,
    MeanWeights,
    Metric,
    blind_spots,
    compare,
)
from keras_uae.criteria import (
    Contrastive,
    Criterion,
    FunctionCriterion,
    Misclassification,
    Reconstruction,
    SelfReconstruction,
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
    "Adversarial",
    "AnnealTemperature",
    "Attack",
    "Augmented",
    "BlindSpots",
    "Comparison",
    "ComparisonInterrupted",
    "ConcreteFeatureSelector",
    "ConcreteSelect",
    "Contrastive",
    "Criterion",
    "FunctionCriterion",
    "GenerationInterrupted",
    "MeanWeights",
    "Metric",
    "MinMaxAttack",
    "Misclassification",
    "PGDAttack",
    "PenaltyAttack",
    "Reconstruction",
    "RefreshUAEs",
    "Round",
    "SelfReconstruction",
    "Shards",
    "StopWhenSelected",
    "UAEAugmentation",
    "UAEs",
    "ViewAugmentation",
    "__version__",
    "augment_in_rounds",
    "blind_spots",
    "compare",
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
