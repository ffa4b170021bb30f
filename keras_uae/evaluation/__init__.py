"""Figures of the paper's tables: of models, of augmentations, of examples, of selected features."""

from keras_uae.evaluation.distances import KernelDistance, frechet_distance, kernel_distance
from keras_uae.evaluation.extractors import (
    FeatureDistances,
    extract_features,
    feature_distances,
    inception_v3,
    penultimate,
)
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
    "FeatureDistances",
    "KernelDistance",
    "criterion_values",
    "extra_trees_accuracy",
    "extract_features",
    "feature_distances",
    "frechet_distance",
    "inception_v3",
    "kernel_distance",
    "linear_reconstruction_error",
    "nearest_neighbor_accuracy",
    "penultimate",
    "reconstruction_error",
    "success_rate",
]
