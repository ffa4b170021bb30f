"""Checks of the arrays that UAEAugmentation is made of."""

import math
from typing import Any

import numpy as np

from keras_uae._checks import check_samples
from keras_uae._datasets import Data
from keras_uae._inputs import as_array, check_representable
from keras_uae.results import UAEs


def is_streamed(array: Any) -> bool:
    """Whether an array is read row by row, and its values are checked then."""
    return getattr(array, "streamed", False)


def check_array(name: str, array: Any) -> np.ndarray:
    """Samples, whose values are finite in float32."""
    if is_streamed(array):
        return array
    array = check_samples("UAEAugmentation", array, bounds=(-math.inf, math.inf), name=name)
    check_representable("UAEAugmentation", array, name=name)
    return array


def beside(data: Data, y: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Targets and weights: those given or, without, those that a data set has beside its samples.

    The samples themselves, in the pairs that an autoencoder is trained on, are no targets given.
    """
    itself = data.y is not None and np.array_equal(data.y, data.x)
    return (
        data.y if y is None and not itself else y,
        data.sample_weight if sample_weight is None else sample_weight,
    )


def check_labels(y: Any, rows: int) -> np.ndarray:
    """Targets, one row for each of as many samples."""
    several = y if isinstance(y, (list, tuple)) else [y]
    if any(isinstance(each, UAEs) for each in several):
        raise ValueError(
            "`y` of UAEAugmentation must be targets, which come last: "
            f"UAEAugmentation(x, found, y). Received: UAEs as y, of type {type(y).__name__}."
        )
    if isinstance(y, (dict, tuple)) and (isinstance(y, dict) or any(map(np.ndim, y))):
        raise ValueError(
            "`y` of UAEAugmentation must be one array, the targets of one output; those of several "
            "are mapped to it by as_tf_dataset().map(function). "
            f"Received: y of type {type(y).__name__} with {len(y)} items."
        )
    y = as_array("UAEAugmentation", "y", y)
    if y.ndim == 0 or len(y) != rows:
        raise ValueError(
            f"`y` of UAEAugmentation must have {rows} rows, one for each of `x`. "
            f"Received: y of shape {y.shape}."
        )
    if y.dtype != np.bool_:
        check_array("y", y.reshape(rows, -1))
    return y


def check_weights(sample_weight: Any, rows: int) -> np.ndarray:
    """Weights, one for each of as many samples."""
    weights = as_array("UAEAugmentation", "sample_weight", sample_weight)
    if weights.shape != (rows,):
        raise ValueError(
            f"`sample_weight` of UAEAugmentation must have one number for each of `x`, shape "
            f"({rows},). Received: sample_weight of shape {weights.shape}."
        )
    check_array("sample_weight", weights.reshape(rows, -1))
    return weights
