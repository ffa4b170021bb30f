"""Where samples lie: the bounds of the data, the units of ε and α, the features that stay."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_uae._checks import (
    Box,
    By,
    Choice,
    OrNone,
    check_box,
    check_choice,
    check_finite,
    check_integer,
    check_squares,
)

UNITS = ("range", "data")
# Bounds that are read off the data: of all values, and of each feature for itself
DATA_BOUNDS = ("data", "features")


class DataSpace(NamedTuple):
    """Where samples lie, and what ε, α and the radius of δ₀ are multiples of.

    Each is a number, or an array with a value for each feature.
    """

    low: Any
    high: Any
    unit: Any  # high − low, or 1
    free: Any = None  # booleans, which features may move; `None` for all

    @property
    def mean_unit(self) -> float:
        """The unit of a norm over all features."""
        return float(np.mean(self.unit))

    @classmethod
    def of(
        cls, bounds: Box, units: str, frozen: Any, shape: Sequence[int], dtype: str
    ) -> "DataSpace":
        """The space of samples of `shape`, from the settings of an attack.

        Raises:
            ValueError: Bounds or frozen features are of another shape, the bounds too small or too
                large to compute with, or there are no such units.
        """
        check_choice("the data space", "units", units, UNITS)
        shape = tuple(shape)
        low, high = bounds
        if np.ndim(low):
            number = tf.as_dtype(dtype).as_numpy_dtype
            low, high = (np.asarray(_fitted("bounds", each, shape), number) for each in bounds)
        size = max(np.abs(each).max() for each in (low, high))
        check_squares("bounds", np.max(high - low), size, math.prod(shape), dtype)
        unit = high - low if units == "range" else 1.0
        return cls(low, high, unit, None if frozen is None else ~_mask(frozen, shape))

    def check_exact(self, owner: str, parts: Iterable[np.ndarray], dtype: str) -> None:
        """Raise ValueError where `dtype` would round whole numbers of features that never move."""
        for part in parts if self.free is not None else ():
            kept = np.where(self.free, 0, part)
            wrong = (kept == np.rint(kept)) & (kept.astype(dtype) != kept)
            if wrong.any():
                raise ValueError(
                    f"`x` of {owner} must hold whole numbers that {dtype} can tell apart where "
                    f"`frozen_features` never move: number such codes anew from 0, or give the "
                    f"attack dtype='float64'. Received: {kept[wrong][0]:.0f}."
                )

    def limits(self) -> Box:
        """Lowest and highest value of the features that may move; the others have none."""
        if self.free is None:
            return self.low, self.high
        return np.where(self.free, self.low, -np.inf), np.where(self.free, self.high, np.inf)


UNIT_INTERVAL = DataSpace(0.0, 1.0, 1.0)


def data_bounds(parts: Iterable[np.ndarray], how: str) -> Box:
    """Least and largest value of samples: of all ("data"), of each feature ("features").

    Raises:
        ValueError: All values are the same, or one is not finite.
    """
    low, high, seen = np.inf, -np.inf, 0
    for part in parts:
        check_finite(f"bounds={how!r}", part, name="x", start=seen)
        seen += len(part)
        axes = None if how == "data" else 0
        low, high = np.minimum(low, part.min(axes)), np.maximum(high, part.max(axes))
    if np.all(low == high):
        raise ValueError(
            f"`x` must hold values that differ where bounds={how!r}: give the bounds as numbers. "
            f"Received: values from {np.min(low)} to {np.max(high)}."
        )
    return low, high


def check_any_bounds(owner: str, name: str, value: Any) -> Box | str:
    """Return bounds: a pair of numbers or arrays, or one of `DATA_BOUNDS`."""
    if isinstance(value, str):
        return check_choice(owner, name, value, DATA_BOUNDS)
    return check_box(owner, name, value)


def _check_frozen(owner: str, name: str, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype == bool and array.ndim:
        return array
    try:
        return np.array([check_integer(owner, name, each, -(2**31)) for each in value], np.int64)
    except (TypeError, ValueError):
        raise ValueError(
            f"`{name}` of {owner} must be places along the last axis of a sample, or booleans of "
            f"the shape of a sample, true where nothing moves. Received: {name}={value!r}."
        ) from None


def _fitted(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(
            f"`{name}` must have a value for each feature of a sample, shape {shape}. "
            f"Received: {name} of shape {np.shape(value)}."
        ) from None


def _mask(frozen: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if frozen.dtype == bool:
        return _fitted("frozen_features", frozen, shape)
    last = np.zeros(shape[-1], bool)
    try:
        last[frozen] = True
    except IndexError:
        raise ValueError(
            f"`frozen_features` must be in [-{len(last)}, {len(last) - 1}], the last axis of a "
            f"sample. Received: frozen_features={frozen.tolist()}."
        ) from None
    return np.broadcast_to(last, shape)


# Settings of all attacks
Bounds = Annotated[Any, By(check_any_bounds)]
Units = Annotated[str, Choice(UNITS)]
Frozen = Annotated[Any, OrNone(By(_check_frozen))]
