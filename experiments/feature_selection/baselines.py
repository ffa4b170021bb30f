"""Features that are selected without a concrete autoencoder."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

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
    Statistics 21, 1972; his Principal Component Analysis, section 6.3): component by component, the
    feature with the largest coefficient that is not chosen yet. The components are those of the
    covariances, since every error counts as it is. (The features with the greatest sums of squared
    loadings, another definition, are all but those of greatest variance.)
    """
    centered = x - x.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    chosen: list[int] = []
    for loadings in np.abs(vectors.T[::-1])[:features]:
        loadings[chosen] = -1
        chosen.append(int(loadings.argmax()))
    return np.array(chosen)


def lassonet_features(x: np.ndarray, features: int, seed: int) -> np.ndarray:
    """The K features that LassoNet drops last on its path (Lemhadri et al., 2021), restoring x.

    It trains one network of K hidden units along the path, again at each of some hundred penalties.
    So it learns from 1000 samples at most, drawn by `seed`; all else is the default of the package.
    """
    # Imported here: it needs PyTorch, and is used only where it is installed.
    import lassonet

    rows = np.random.default_rng(seed).permutation(len(x))[:LASSONET_SAMPLES]
    some = np.ascontiguousarray(x[rows], np.float32)
    network = lassonet.LassoNetRegressor(
        hidden_dims=(features,), random_state=seed, torch_seed=seed, verbose=0
    )
    network.path(some, some)
    importance = np.array(network.feature_importances_.tolist())
    return np.argsort(-importance, kind="stable")[:features]


LASSONET_SAMPLES = 1_000

SEEDED: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {"random": random_features}
if find_spec("lassonet") is not None:
    SEEDED["lassonet"] = lassonet_features
FIXED: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "variance": greatest_variance,
    "pca": greatest_loadings,
    "greedy": greedy_linear_selection,
}
