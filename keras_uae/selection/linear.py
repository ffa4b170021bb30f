"""The features from which all others are best restored linearly, one after the other."""

from typing import Any

import numpy as np

from keras_uae._checks import check_integer, check_samples

# A feature of whose variance no more than this is left is a linear function of those chosen:
# what remains of it is rounding. Gains that differ by no more than this are a tie.
_NOTHING = 1e-9
# A feature that strays from its mean by no more than this, relatively, is constant.
_CONSTANT = 1e-13
_ROWS = 4096  # samples in double precision at a time


def greedy_linear_selection(x: Any, features: int, sample_weight: Any = None) -> np.ndarray:
    """Select features by greedy forward search for the least linear reconstruction error.

    Each step takes the feature that lowers the most what the best affine map from the features
    chosen so far to all features leaves over: with the residual covariance R of all features, the
    feature j of greatest ‖R_j‖² / R_jj, after which R ← R − R_j R_jᵀ / R_jj. It takes one pass over
    the samples and K passes over a d × d matrix, both in double precision.

    As every error counts as it is, the features should have like scales, best [0, 1].

    Args:
        x: Array `(n, ...)` of real numbers without NaN; images count as their pixels, row by row.
        features: Integer K in [1, d], number of features to select.
        sample_weight: Real array `(n,)`, by which the squared errors count. Defaults to `None`.

    Returns:
        Integers `(K,)`, different features in the order in which they were chosen. Of equally good
        ones the first is taken. Where fewer than K features determine all others, the remaining
        ones follow by decreasing variance.

    Raises:
        ValueError: `x`, `features` or `sample_weight` is not as above.

    Example:

        >>> from keras_uae.selection.linear import greedy_linear_selection
        >>> chosen = greedy_linear_selection(x_train, 50)
        >>> linear_reconstruction_error(x_train, x_test, features=chosen)

    Reference:
        [Farahat et al., 2013](https://arxiv.org/abs/1312.6838), greedy column subset selection.
    """
    owner = "greedy_linear_selection"
    x = check_samples(owner, x, bounds=(-np.inf, np.inf))
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weights is not None and (
        weights.shape != (len(x),) or not weights.min() >= 0 or not 0 < weights.sum() < np.inf
    ):
        raise ValueError(
            f"`sample_weight` of {owner} must have one finite number ≥ 0 a sample, not all 0, "
            f"shape ({len(x)},). Received: sample_weight of shape {weights.shape}."
        )
    residual = _scatter(x.reshape(len(x), -1), weights)
    features = check_integer(owner, "features", features, 1, len(residual))
    variance = residual.diagonal().copy()

    chosen: list[int] = []
    while len(chosen) < features:
        left = residual.diagonal()
        candidate = (variance > 0) & (left > _NOTHING * variance)
        candidate[chosen] = False
        if not candidate.any():
            break
        gain = np.zeros(len(left))
        gain[candidate] = (residual[candidate] ** 2).sum(axis=1) / left[candidate]
        best = int(np.argmax(gain >= (1 - _NOTHING) * gain.max()))
        chosen.append(best)
        column = residual[:, best] / np.sqrt(residual[best, best])
        residual -= np.outer(column, column)

    by_variance = np.argsort(-variance, kind="stable")
    rest = by_variance[~np.isin(by_variance, chosen)]
    return np.concatenate([np.array(chosen, np.intp), rest])[:features]


def _scatter(x: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """n times the covariance matrix, by parts, so that `x` is never copied whole."""
    center = x.mean(axis=0, dtype=np.float64) if weights is None else weights @ x / weights.sum()
    total = np.zeros((len(center), len(center)))
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS] - center
        total += (part if weights is None else part * weights[start : start + _ROWS, None]).T @ part
    size = len(x) if weights is None else weights.sum()
    constant = total.diagonal() <= size * (_CONSTANT * center) ** 2
    total[constant], total[:, constant] = 0, 0
    return total
