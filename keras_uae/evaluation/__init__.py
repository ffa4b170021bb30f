"""Figures of the paper's tables: of models, of augmentations, and of selected features."""

from keras_uae.evaluation.features import (
    FeatureAccuracy,
    extra_trees_accuracy,
    linear_reconstruction_error,
    nearest_neighbor_accuracy,
)
from keras_uae.evaluation.reconstruction import (
    criterion_values,
    reconstruction_error,
    success_rate,
)

__all__ = [
    "FeatureAccuracy",
    "criterion_values",
    "extra_trees_accuracy",
    "linear_reconstruction_error",
    "nearest_neighbor_accuracy",
    "reconstruction_error",
    "success_rate",
]
