"""Noise of the size of the UAEs, sample by sample: what tells a direction from a length."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_uae.attacks.data_space import UNIT_INTERVAL, DataSpace

_DOUBLINGS = 40  # of the scale that would do without clipping, at most
_HALVINGS = 30  # of the interval in which their number lies: below the precision of float32
_EDGE = 1e-6  # of the range: a bound that float32 has rounded is one
_CHUNK = 4096  # samples at once


def shuffled(rng: np.random.Generator, x: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """δ with its values on other features of the same sample.

    Values stay among the features at 0, at 1, or between, for at the bounds δ has one sign only.
    What is left of δ is the distribution of its values; where the attack had put them is lost.
    """
    place = np.where(x <= _EDGE, 0, np.where(x >= 1 - _EDGE, 2, 1))
    before = np.argsort(place, axis=1, kind="stable")
    after = np.argsort(place + rng.random(x.shape), axis=1)
    moved = np.empty_like(delta)
    np.put_along_axis(moved, after, np.take_along_axis(delta, before, axis=1), axis=1)
    return moved


class Kind(NamedTuple):
    """A kind of noise: its name, and its draw of (rng, samples, δ), both flat and in [0, 1]."""

    label: str
    draw: Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


KINDS = {
    "gaussian": Kind("Gaussian noise of its size", lambda r, x, _: r.standard_normal(x.shape)),
    "uniform": Kind("uniform noise of its size", lambda r, x, _: r.uniform(-1, 1, x.shape)),
    # as even as noise can be
    "signs": Kind("random signs of its size", lambda r, x, _: r.choice([-1.0, 1.0], x.shape)),
    "shuffled": Kind("its own δ on other features", shuffled),
}
"""Kinds of noise by name. A kind is a line here."""


def noise_like(
    x: np.ndarray,
    z: np.ndarray,
    kind: str,
    seed: int | Sequence[int],
    *,
    space: DataSpace = UNIT_INTERVAL,
) -> np.ndarray:
    """x with noise of the L2 norm of z − x, sample by sample, all values inside the data space.

    Clipping takes some of the noise away, so its scale is the one that is right after it. A norm
    that no scale reaches is come as near to as can be. Norms are in units of the range.

    Args:
        x, z: Arrays `(n, ...)`, samples and their UAEs.
        kind: A name of `KINDS`.
        seed: Integer, or several, that the draws depend on.
        space: Where the samples lie; features that are not free have no noise. Defaults to [0, 1].

    Returns:
        Float32 array like `x`.

    Example:

        >>> from keras_uae.comparison import noise_like
        >>> noisy = noise_like(x, found.x, "gaussian", seed=0)
    """
    rng = np.random.default_rng(seed)
    shape = x.shape[1:]
    ends = (np.asarray(each, np.float64) for each in (space.low, space.high))
    low, high = (np.broadcast_to(each, shape).reshape(-1) for each in ends)
    free = np.ones(shape, bool) if space.free is None else np.broadcast_to(space.free, shape)
    moving = np.flatnonzero(free.reshape(-1) & (high > low))
    unit, low = (high - low)[moving], low[moving]
    noisy = np.array(x, np.float32)
    for start in range(0, len(x), _CHUNK):
        rows = slice(start, start + _CHUNK)
        part, other = (
            (np.asarray(each[rows]).reshape(-1, free.size)[:, moving].astype(np.float64) - low)
            / unit
            for each in (x, z)
        )
        moved = _as_long(part, other - part, KINDS[kind].draw(rng, part, other - part))
        flat = noisy[rows].reshape(len(part), -1)
        flat[:, moving] = low + unit * moved
        noisy[rows] = flat.reshape(-1, *shape)
    return noisy


def _as_long(x: np.ndarray, delta: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """x moved along `direction`, inside [0, 1], as far as δ is long."""
    norms, length = (np.linalg.norm(each, axis=1) for each in (delta, direction))
    least = np.divide(norms, length, out=np.zeros_like(norms), where=length > 0)

    def moved(doublings: np.ndarray) -> np.ndarray:
        return np.clip(x + (least * 2**doublings)[:, None] * direction, 0, 1)

    low, high = np.zeros(len(x)), np.full(len(x), float(_DOUBLINGS))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = np.linalg.norm(moved(middle) - x, axis=1) < norms
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return moved(low)
