"""How much the selected features still say about the labels and about all features (Table 6)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import KNeighborsClassifier

from keras_uae._checks import check_integer, check_samples


class FeatureAccuracy(NamedTuple):
    """Accuracy of a classifier on selected features, one value for each seed.

    Example:

        >>> FeatureAccuracy(seeds=(0, 1), train=(1.0, 1.0), test=(0.8, 0.9)).mean  # 0.85
    """

    seeds: tuple[int, ...]
    train: tuple[float, ...]
    test: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean test accuracy."""
        return float(np.mean(self.test))

    @property
    def std(self) -> float:
        """Standard deviation of the test accuracy over the seeds, 0 if there is one."""
        return float(np.std(self.test))


def extra_trees_accuracy(
    x_train: Any,
    y_train: Any,
    x_test: Any,
    y_test: Any,
    *,
    features: Any = None,
    trees: int = 50,
    seeds: Sequence[int] = (0, 1, 2),
) -> FeatureAccuracy:
    """Accuracy of extremely randomised trees on the selected features, that of Table 6.

    Args:
        x_train, x_test: Arrays `(n, ...)`; images count as their pixels, row by row.
        y_train, y_test: Integer labels `(n,)`.
        features: Indices of the selected features, each once, or a mask as `get_support` returns
            it. Defaults to all features.
        trees: Integer, trees of a forest. Defaults to `50`.
        seeds: Integers, one forest each.

    Returns:
        `FeatureAccuracy` with `mean`, `std` and the accuracies by seed.

    Example:

        >>> extra_trees_accuracy(x_train, y_train, x_test, y_test, features=[20, 28, 36]).mean
    """
    owner = "extra_trees_accuracy"
    data = _check_data(owner, x_train, y_train, x_test, y_test, features)
    trees = check_integer(owner, "trees", trees, 1)
    if not np.iterable(seeds) or not tuple(seeds):
        raise ValueError(
            f"`seeds` of {owner} must be one or more integers. Received: seeds={seeds!r}."
        )
    seeds = tuple(check_integer(owner, "seeds", seed, 0, 2**32 - 1) for seed in seeds)
    scores = []
    for seed in seeds:
        forest = ExtraTreesClassifier(n_estimators=trees, random_state=seed, n_jobs=-1)
        forest.fit(data.x_train, data.y_train)
        scores.append(
            (forest.score(data.x_train, data.y_train), forest.score(data.x_test, data.y_test))
        )
    train, test = zip(*scores, strict=True)
    return FeatureAccuracy(seeds, tuple(map(float, train)), tuple(map(float, test)))


def nearest_neighbor_accuracy(
    x_train: Any, y_train: Any, x_test: Any, y_test: Any, *, features: Any = None
) -> float:
    """Test accuracy of the nearest training sample (Euclidean) on the selected features.

    The arguments are those of `extra_trees_accuracy`.

    Example:

        >>> nearest_neighbor_accuracy(x_train, y_train, x_test, y_test, features=[20, 28, 36])
    """
    data = _check_data("nearest_neighbor_accuracy", x_train, y_train, x_test, y_test, features)
    neighbor = KNeighborsClassifier(n_neighbors=1, algorithm="brute")
    return float(neighbor.fit(data.x_train, data.y_train).score(data.x_test, data.y_test))


def linear_reconstruction_error(x_train: Any, x_test: Any, *, features: Any = None) -> float:
    """Mean squared error per input dimension of a linear map from the selected features to all.

    The map is the least-squares one of the training samples; the error is that of the test samples
    and has the unit of `reconstruction_error`.

    Args:
        x_train, x_test: Arrays `(n, ...)`; images count as their pixels, row by row.
        features: As in `extra_trees_accuracy`.

    Example:

        >>> linear_reconstruction_error(x_train, x_test, features=[20, 28, 36])
    """
    owner = "linear_reconstruction_error"
    x_train = _check_features(owner, "x_train", x_train)
    x_test = _check_features(owner, "x_test", x_test, width=x_train.shape[1])
    chosen = _check_selection(owner, features, x_train.shape[1])
    # in double precision: the features are often nearly collinear
    x_train, x_test = x_train.astype(np.float64), x_test.astype(np.float64)
    center = x_train.mean(axis=0)
    x_train, x_test = x_train - center, x_test - center
    # least squares on the triangular factor has the same answer, and few rows in place of many
    q, r = np.linalg.qr(x_train[:, chosen])
    decoder = np.linalg.lstsq(r, q.T @ x_train, rcond=None)[0]
    return float(np.mean((x_test[:, chosen] @ decoder - x_test) ** 2))


class _Data(NamedTuple):
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def _check_data(
    owner: str, x_train: Any, y_train: Any, x_test: Any, y_test: Any, features: Any
) -> _Data:
    x_train = _check_features(owner, "x_train", x_train)
    x_test = _check_features(owner, "x_test", x_test, width=x_train.shape[1])
    y_train = _check_labels(owner, "y_train", y_train, len(x_train))
    y_test = _check_labels(owner, "y_test", y_test, len(x_test))
    unknown = np.setdiff1d(y_test, y_train)
    if unknown.size:
        raise ValueError(
            f"`y_test` of {owner} must hold labels that `y_train` has too. "
            f"Received: y_test with {unknown.tolist()}."
        )
    chosen = _check_selection(owner, features, x_train.shape[1])
    return _Data(x_train[:, chosen], y_train, x_test[:, chosen], y_test)


def _check_features(owner: str, name: str, x: Any, width: int | None = None) -> np.ndarray:
    x = check_samples(owner, x, bounds=(-np.inf, np.inf), name=name)
    flat = np.asarray(x).reshape(len(x), -1)
    if width is not None and flat.shape[1] != width:
        raise ValueError(
            f"`{name}` of {owner} must have the {width} features of `x_train`. "
            f"Received: {name} of shape {x.shape}."
        )
    return flat


def _check_labels(owner: str, name: str, y: Any, count: int) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (count,):
        raise ValueError(
            f"`{name}` of {owner} must have one label for each sample, shape ({count},). "
            f"Received: {name} of shape {y.shape}."
        )
    if y.dtype.kind not in "iu" or y.min() < 0:
        least = f", the least {y.min()}" if y.dtype.kind in "iuf" else ""
        raise ValueError(
            f"`{name}` of {owner} must hold integers from 0 on. "
            f"Received: {name} of dtype {y.dtype}{least}."
        )
    return y


def _check_selection(owner: str, features: Any, width: int) -> np.ndarray:
    """Return `features` as an array of indices."""
    if features is None:
        return np.arange(width)
    chosen = np.asarray(features)
    if chosen.dtype == np.bool_ and chosen.shape == (width,) and chosen.any():
        return np.flatnonzero(chosen)
    indices = chosen.ndim == 1 and chosen.size > 0 and chosen.dtype.kind in "iu"
    if not indices or chosen.min() < 0 or chosen.max() >= width:
        raise ValueError(
            f"`features` of {owner} must be one or more indices in [0, {width - 1}], or a mask of "
            f"length {width}. Received: features={_brief(chosen)}."
        )
    values, counts = np.unique(chosen, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f"`features` of {owner} must name each feature once: a second copy says nothing new. "
            f"Received: features with {values[counts > 1].tolist()} more than once."
        )
    return chosen


def _brief(values: np.ndarray) -> str:
    return np.array2string(values, threshold=10, separator=", ")
