"""Noise as large as the perturbations that it is compared with."""

from collections.abc import Callable, Sequence

import numpy as np

Draw = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]

_HALVINGS = 30  # of the interval in which the scale lies: far below the precision of float32


def shuffled(rng: np.random.Generator, x: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """δ with its values on other pixels of the same image.

    Values stay among the pixels at 0, at 1, or between, for at the bounds δ has one sign only. What
    is left of δ is the distribution of its values; where the attack had put them is lost.
    """
    place = np.where(x <= 0, 0, np.where(x >= 1, 2, 1))
    before = np.argsort(place, axis=1, kind="stable")
    after = np.argsort(place + rng.random(x.shape), axis=1)
    moved = np.empty_like(delta)
    np.put_along_axis(moved, after, np.take_along_axis(delta, before, axis=1), axis=1)
    return moved


# Draws of (rng, images, perturbations), both flat. "signs" is as even as noise can be.
KINDS: dict[str, Draw] = {
    "gaussian": lambda rng, x, delta: rng.standard_normal(x.shape),
    "uniform": lambda rng, x, delta: rng.uniform(-1, 1, x.shape),
    "signs": lambda rng, x, delta: rng.choice([-1.0, 1.0], x.shape),
    "shuffled": shuffled,
}


def noise_like(x: np.ndarray, z: np.ndarray, kind: str, seed: int | Sequence[int]) -> np.ndarray:
    """x with noise of the L2 norm of z − x, image by image, all values clipped to [0, 1].

    Clipping takes some of the noise away, so its scale is the one that is right after it. A norm
    that no scale reaches is come as near to as can be.

    Args:
        x: Array `(n, ...)`.
        z: Array like it, the perturbed images that the noise is compared with.
        kind: One of `KINDS`.
        seed: Integer, or several.
    """
    flat, other = (each.reshape(len(x), -1).astype(np.float64) for each in (x, z))
    norms = np.linalg.norm(other - flat, axis=1)
    direction = KINDS[kind](np.random.default_rng(seed), flat, other - flat)
    low, high = np.zeros(len(x)), np.full(len(x), 1e3)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        moved = np.clip(flat + middle[:, None] * direction, 0, 1)
        short = np.linalg.norm(moved - flat, axis=1) < norms
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    noisy = np.clip(flat + low[:, None] * direction, 0, 1)
    return noisy.reshape(x.shape).astype(np.float32)
