"""The rows of a feature selection run, and how features are selected without a network."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE
from keras_uae.selection.linear import greedy_linear_selection


def random_features(x: np.ndarray, features: int, seed: int) -> np.ndarray:
    """K different features, drawn by `seed`."""
    return np.random.default_rng(seed).choice(x.shape[1], features, replace=False)


def greatest_variance(x: np.ndarray, features: int) -> np.ndarray:
    """The K features of greatest variance, of equal ones the first."""
    return np.argsort(-x.var(axis=0, dtype=np.float64), kind="stable")[:features]


def greatest_loadings(x: np.ndarray, features: int) -> np.ndarray:
    """The feature of greatest loading on each of the first K principal components.

    That is method B4 of Jolliffe (Discarding variables in a principal component analysis, Applied
    Statistics 21, 1972): component by component, the feature with the largest coefficient that is
    not chosen yet. The components are those of the covariances: every error counts as it is.
    """
    centered = x - x.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    chosen: list[int] = []
    for loadings in np.abs(vectors.T[::-1])[:features]:
        loadings[chosen] = -1
        chosen.append(int(loadings.argmax()))
    return np.array(chosen)


LASSONET_SAMPLES = 1_000  # it trains again at each of some hundred penalties


def lassonet_features(x: np.ndarray, features: int, seed: int) -> np.ndarray:
    """The K features that LassoNet drops last on its path (Lemhadri et al., 2021), restoring x.

    Its network has K hidden units, its samples are drawn by `seed`, all else is its default.
    """
    import lassonet  # needs PyTorch, and is used only where it is installed

    rows = np.random.default_rng(seed).permutation(len(x))[:LASSONET_SAMPLES]
    some = np.ascontiguousarray(x[rows], np.float32)
    settings = {"hidden_dims": (features,), "random_state": seed, "torch_seed": seed, "verbose": 0}
    network = lassonet.LassoNetRegressor(**settings)
    network.path(some, some)
    importance = np.array(network.feature_importances_.tolist())
    return np.argsort(-importance, kind="stable")[:features]


class Row(NamedTuple):
    """A row of the table: the features of a network, or what selects them without one."""

    label: str
    color: str
    select: Callable[..., np.ndarray] | None = None
    seeded: bool = False  # whether it takes a seed; if not, it is the same for all


ROWS = {
    "original": Row("Original", GREY),
    "duplicate": Row("Duplicate control", LIGHT_GREEN),
    "mine": Row("MINE-UAE", BLUE),
    "random": Row("Random", ORANGE, random_features, seeded=True),
    "variance": Row("Variance", ORANGE, greatest_variance),
    "pca": Row("PCA loadings", ORANGE, greatest_loadings),
    "greedy": Row("Greedy linear", GREEN, greedy_linear_selection),
    "lassonet": Row("LassoNet", GREEN, lassonet_features, seeded=True),
}
NETWORKS = tuple(name for name, row in ROWS.items() if row.select is None)
FIXED = tuple(name for name, row in ROWS.items() if row.select and not row.seeded)
SEEDED = tuple(
    name for name, row in ROWS.items() if row.seeded and (name != "lassonet" or find_spec(name))
)
