"""Distances of two sets of features: what FID and KID are once the features are there (Table 2)."""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_uae._checks import check_integer, check_samples


class KernelDistance(NamedTuple):
    """Mean and standard deviation of the squared kernel distance over random subsets.

    The latter is NaN where there is a single estimate: see `kernel_distance`.

    Example:

        >>> mean, std = kernel_distance(features_a, features_b)
    """

    mean: float
    std: float


def frechet_distance(features_a: Any, features_b: Any) -> float:
    """Squared Fréchet distance of the normal laws with the moments of two sets of features.

        ‖m_a − m_b‖² + tr(S_a + S_b − 2 (S_a S_b)^½)

    With features of Inception this is the Fréchet inception distance (FID). No root of a matrix is
    taken: with centered features A and B, scaled so that S_a = AᵀA and S_b = BᵀB, the trace of
    (S_a S_b)^½ is the sum of the singular values of ABᵀ. So fewer samples than features do no harm
    to the precision. They do bias the estimate, towards large distances: compare distances of equal
    numbers of samples only.

    Args:
        features_a, features_b: Arrays `(n, d)` and `(m, d)`, two or more samples each.

    Returns:
        Float, computed in double precision; 0 up to rounding for equal moments.

    Example:

        >>> frechet_distance(features_a, features_b)

    Reference:
        [Heusel et al., 2017](https://arxiv.org/abs/1706.08500).
    """
    a, b = _check_pair("frechet_distance", features_a, features_b)
    mean_a, mean_b = a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64)
    root_a, root_b = _covariance_root(a, mean_a), _covariance_root(b, mean_b)
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    spread = np.sum(root_a**2) + np.sum(root_b**2)
    return float(np.sum((mean_a - mean_b) ** 2) + spread - 2 * shared)


def kernel_distance(
    features_a: Any,
    features_b: Any,
    *,
    subsets: int = 100,
    subset_size: int | None = None,
    seed: int = 0,
) -> KernelDistance:
    """Squared maximum mean discrepancy of two sets of features, under (x·y/d + 1)³.

    With features of Inception this is the kernel inception distance (KID). The estimate is the
    unbiased one, so it may be negative. It comes as it is; many tables print 100 or 1000 times as
    much. The paper does not say what it prints: its KID of 8 to 15 beside an FID of 197 to 344
    (Tables 2 and 8) suggests 100 times.

    Args:
        features_a, features_b: Arrays `(n, d)` and `(m, d)`, two or more samples each.
        subsets: Integer, estimates to average. Defaults to `100`.
        subset_size: Integer, samples that an estimate draws from each set, no sample twice.
            Defaults to `None`: 1000, or as many as the smaller set has.
            Where that is all that both sets have, every subset is the same, so one estimate is
            made, and its spread is not known, NaN. A smaller number, half of the samples, say,
            gives one, of estimates from so many. (Others refuse such sets, or report no spread.)
        seed: Integer, fixes the subsets. Defaults to `0`.

    Returns:
        `KernelDistance` with the mean and the standard deviation of the estimates; the latter is
        NaN if there is but one.

    Example:

        >>> kernel_distance(features_a, features_b, subsets=10).mean

    Reference:
        [Bińkowski et al., 2018](https://arxiv.org/abs/1801.01401).
    """
    owner = "kernel_distance"
    a, b = _check_pair(owner, features_a, features_b)
    subsets = check_integer(owner, "subsets", subsets, 1)
    most = min(len(a), len(b))
    if subset_size is None:
        subset_size = min(1000, most)
    size = check_integer(owner, "subset_size", subset_size, 2, most)
    random = np.random.default_rng(check_integer(owner, "seed", seed, 0))
    if size == max(len(a), len(b)):
        subsets = 1  # all others would be the same one in another order
    estimates = [
        _squared_discrepancy(
            a[random.choice(len(a), size, replace=False)].astype(np.float64),
            b[random.choice(len(b), size, replace=False)].astype(np.float64),
        )
        for _ in range(subsets)
    ]
    std = float(np.std(estimates)) if subsets > 1 else math.nan
    return KernelDistance(float(np.mean(estimates)), std)


def _squared_discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased estimate from two sets of equal size: pairs of a sample and itself left out."""
    count, width = a.shape

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / width + 1) ** 3

    def mean_of_pairs(x: np.ndarray) -> float:
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (count * (count - 1))

    return mean_of_pairs(a) + mean_of_pairs(b) - 2 * kernel(a, b).mean()


def _covariance_root(features: np.ndarray, mean: np.ndarray, rows: int = 8192) -> np.ndarray:
    """A matrix R with RᵀR the covariance, of no more rows than there are samples or features."""
    root = np.empty((0, features.shape[1]))
    for start in range(0, len(features), rows):  # never all of them in double precision
        part = features[start : start + rows] - mean
        root = np.asarray(np.linalg.qr(np.concatenate([root, part]), mode="r"))
    return root / np.sqrt(len(features) - 1)


def _check_pair(owner: str, features_a: Any, features_b: Any) -> tuple[np.ndarray, np.ndarray]:
    pair = {"features_a": features_a, "features_b": features_b}
    a, b = (
        check_samples(owner, features, bounds=(-np.inf, np.inf), name=name)
        for name, features in pair.items()
    )
    for name, features in zip(pair, (a, b), strict=True):
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(
                f"`{name}` of {owner} must have shape (samples, features) with 2 samples or more. "
                f"Received: {name} of shape {features.shape}."
            )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"`features_b` of {owner} must have the {a.shape[1]} features of `features_a`. "
            f"Received: features_b of shape {b.shape}."
        )
    return a, b
