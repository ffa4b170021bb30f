"""Does it help *your* model? Training with and without UAEs, compared honestly."""

from keras_uae.comparison.arms import Adversarial, Augmented, Given
from keras_uae.comparison.blindness import BlindSpots, Finding, blind_spots
from keras_uae.comparison.mean_weights import MeanWeights
from keras_uae.comparison.metrics import (
    LOSS,
    RECONSTRUCTION,
    Metric,
    linear_probe,
    nearest_neighbors,
    outlier_auroc,
)
from keras_uae.comparison.noise import noise_like
from keras_uae.comparison.planning import ComparisonInterrupted, compare
from keras_uae.comparison.result import Comparison
from keras_uae.comparison.statistics import Difference, holm, paired, seeds_needed

__all__ = [
    "LOSS",
    "RECONSTRUCTION",
    "Adversarial",
    "Augmented",
    "BlindSpots",
    "Comparison",
    "ComparisonInterrupted",
    "Difference",
    "Finding",
    "Given",
    "MeanWeights",
    "Metric",
    "blind_spots",
    "compare",
    "holm",
    "linear_probe",
    "nearest_neighbors",
    "noise_like",
    "outlier_auroc",
    "paired",
    "seeds_needed",
]
