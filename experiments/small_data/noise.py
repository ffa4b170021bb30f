"""Noise as large as the perturbations that it is compared with."""

from collections.abc import Callable, Sequence

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# "signs" is the one that is ±1 everywhere: as even as noise can be
KINDS: dict[str, Draw] = {
    "gaussian": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}
_HALVINGS = 30  # of the interval in which the scale lies: far below the precision of float32


def noise_of_size(
    x: np.ndarray, norms: np.ndarray, kind: str, seed: int | Sequence[int]
) -> np.ndarray:
    """x with noise of the given L2 norm, image by image, all values clipped to [0, 1].

    Clipping takes some of the noise away, so its scale is the one that is right after it. A norm
    that no scale reaches is come as near to as can be.

    Args:
        x: Array `(n, ...)`.
        norms: Array `(n,)`.
        kind: One of `KINDS`.
        seed: Integer, or several.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    direction = KINDS[kind](np.random.default_rng(seed), flat.shape)
    low, high = np.zeros(len(x)), np.full(len(x), 1e3)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        moved = np.clip(flat + middle[:, None] * direction, 0, 1)
        short = np.linalg.norm(moved - flat, axis=1) < norms
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    noisy = np.clip(flat + low[:, None] * direction, 0, 1)
    return noisy.reshape(x.shape).astype(np.float32)
