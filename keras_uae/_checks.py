"""Checks of settings and data: every message names the argument, what was expected, what came.

A setting stands in one place, its annotation with name and default:

    epsilon: Annotated[float, Number(0)] = 1.0

`Number` and its like are checks `(owner, name, value) -> value`; `checks_of` collects those of a
signature or a dataclass, `checked` applies them.
"""

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
import tensorflow as tf

from keras_uae._fork import check_not_forked
from keras_uae._inputs import as_array, is_float, is_real, rounding

Check = Callable[[str, str, Any], Any]

_LARGEST = 2**31 - 2  # TensorFlow counts in 32 bits, and one further
_SMALLEST, _GREATEST = (float(getattr(np.finfo(np.float32), each)) for each in ("tiny", "max"))


@dataclass(frozen=True)
class Number:
    """A finite number in [low, high] that float32 can hold."""

    low: float
    high: float = math.inf

    def __call__(self, owner: str, name: str, value: Any) -> float:
        number = check_number(owner, name, value, self.low, self.high)
        if not fits_float32(number):
            raise ValueError(
                f"`{name}` of {owner} must be a number that float32 can hold, 0 or between "
                f"{_SMALLEST:.2g} and {_GREATEST:.2g} in size. Received: {name}={value!r}."
            )
        return number


@dataclass(frozen=True)
class Integer:
    """An integer in [low, high]."""

    low: int
    high: float = _LARGEST

    def __call__(self, owner: str, name: str, value: Any) -> int:
        return check_integer(owner, name, value, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of some names."""

    names: Collection[str]

    def __call__(self, owner: str, name: str, value: Any) -> str:
        return check_choice(owner, name, value, self.names)


@dataclass(frozen=True)
class By:
    """What a function takes and returns."""

    check: Check

    def __call__(self, owner: str, name: str, value: Any) -> Any:
        return self.check(owner, name, value)

    def __repr__(self) -> str:
        return f"By({getattr(self.check, '__name__', self.check)})"


@dataclass(frozen=True)
class OrNone:
    """`None`, or what `check` takes."""

    check: Check

    def __call__(self, owner: str, name: str, value: Any) -> Any:
        return None if value is None else self.check(owner, name, value)


@functools.cache
def checks_of(annotated: Any) -> Mapping[str, Check]:
    """The checks in the annotations of a function or of a dataclass, by name."""
    hints = get_type_hints(annotated, include_extras=True)
    return {
        name: next(each for each in get_args(hint)[1:] if callable(each))
        for name, hint in hints.items()
        if get_origin(hint) is Annotated
    }


def checked(owner: str, annotated: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` by name, each as the check in the annotations of `annotated` returns it."""
    checks = checks_of(annotated)
    return {
        name: checks[name](owner, name, value) if name in checks else value
        for name, value in values.items()
    }


def check_number(owner: str, name: str, value: Any, low: float, high: float = math.inf) -> float:
    """Return `value` if it is a finite number in [low, high]."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    try:
        finite = number and math.isfinite(value)
    except OverflowError:  # an integer may be larger than any float
        finite = False
    if not finite or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(
            f"`{name}` of {owner} must be a finite number in [{low}, {high}]. "
            f"Received: {name}={value!r} (of type {type(value).__name__})."
        )
    return float(value)


def fits_float32(number: float) -> bool:
    """Whether a number is neither infinite nor 0 in float32, unless it is 0."""
    return number == 0 or _SMALLEST <= abs(number) <= _GREATEST


def check_integer(owner: str, name: str, value: Any, low: int, high: float = math.inf) -> int:
    """Return `value` if it is an integer in [low, high]."""
    integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integer or not low <= value <= high:
        raise ValueError(
            f"`{name}` of {owner} must be an integer in [{low}, {high}]. "
            f"Received: {name}={value!r} (of type {type(value).__name__})."
        )
    return int(value)


def check_place(owner: str, name: str, value: Any) -> int | str | None:
    """Return `value` if it can name one of several inputs or outputs: a name, a place or `None`."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0:
        return int(value)
    raise ValueError(
        f"`{name}` of {owner} must be a name, a place counted from 0, or None. "
        f"Received: {name}={value!r}."
    )


def check_boolean(owner: str, name: str, value: Any) -> bool:
    """Return `value` if it is true or false itself, not merely something with a truth value."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            f"`{name}` of {owner} must be True or False. "
            f"Received: {name}={value!r} (of type {type(value).__name__})."
        )
    return bool(value)


def check_choice(owner: str, name: str, value: Any, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`; otherwise suggest the nearest one."""
    choices = list(choices)
    if value in choices:
        return str(value)
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"`{name}` of {owner} must be one of {', '.join(map(repr, choices))}.{hint} "
        f"Received: {name}={value!r}."
    )


def check_bounds(owner: str, name: str, value: Any) -> tuple[float, float]:
    """Return `(low, high)` if `value` is a pair of finite numbers with low < high."""
    try:
        low, high = (check_number(owner, name, bound, -math.inf) for bound in value)
        ordered = _apart(low, high)
    except (TypeError, ValueError):
        ordered = False
    if not ordered:
        raise ValueError(
            f"`{name}` of {owner} must be a pair of finite numbers, low < high, also in float32. "
            f"Received: {name}={value!r}."
        )
    return low, high


def _apart(low: float, high: float) -> bool:
    """Whether low < high in float32, which holds both and what is between them."""
    fit = all(map(fits_float32, (low, high, high - low)))
    return fit and bool(np.float32(low) < np.float32(high))


# A pair of numbers, or a pair of arrays with a value for each feature
Box = tuple[Any, Any]


def check_box(owner: str, name: str, value: Any) -> Box:
    """Return `(low, high)`: two numbers, low < high, or two arrays, low ≤ high."""
    try:
        arrays = [np.asarray(bound, np.float64) for bound in value]
    except (TypeError, ValueError, OverflowError):
        arrays = []
    if all(each.ndim == 0 for each in arrays):
        return check_bounds(owner, name, value)
    try:
        low, high = (each.copy() for each in np.broadcast_arrays(*arrays))
        with np.errstate(all="ignore"):
            valid = all((np.abs(each) <= _GREATEST).all() for each in (low, high, high - low))
    except ValueError:  # none of a pair, or of shapes that do not fit
        valid = False
    if not valid or (low > high).any() or (low == high).all():
        raise ValueError(
            f"`{name}` of {owner} must be two finite numbers, low < high, or two arrays with a "
            f"value for each feature, low <= high. Received: {name}={value!r}."
        )
    return low, high


def check_squares(name: str, least: float, most: float, features: int, dtype: Any) -> None:
    """Raise ValueError unless `dtype` can hold squares of such values, and sums of `features`.

    Args:
        least: Float, how far values go apart; they are told apart to a ten thousandth of it.
        most: Float, their greatest magnitude.
    """
    number = np.finfo(dtype)
    low, high = 1e4 * math.sqrt(number.tiny), math.sqrt(number.max / features) / 2
    if least < low or most > high:
        size = most if most > high else least
        raise ValueError(
            f"`{name}` must be of a size whose squares {number.dtype} can hold, {low:.0e} to "
            f"{high:.0e}: scale the samples, x / {size:.0e}. Received: {name} of size {size:.3g}."
        )


def check_samples(
    owner: str,
    x: Any,
    *,
    bounds: Box,
    name: str = "x",
    chunk: int = 4096,
    first: int = 0,
) -> np.ndarray:
    """Return `x` as an array of samples that are numbers inside `bounds`, up to `rounding`.

    Reads `x` in chunks, so that a memory-mapped array is never copied whole. If `x` is itself a
    piece of a larger set, `first` is the place of its first sample there.

    Raises:
        ValueError: `x` is empty, has no sample axis, is not numeric, has integer values where
            `bounds` say [0, 1], or holds NaN, infinities or values outside `bounds`.
    """
    check_not_forked(owner)
    x = as_array(owner, name, x)
    if not is_real(x.dtype):
        remedy = f": {name}.astype('float32')" if x.dtype.kind == "b" else ""
        if x.dtype.type is np.void:  # what np.save makes of a dtype that it does not know
            remedy = f": {name}.view('bfloat16'), if that is what it was saved from"
        if x.dtype.kind in "US" and x.ndim == 1:  # names of files
            remedy = ": files of images are read by keras.utils.load_img"
        raise ValueError(
            f"`{name}` of {owner} must hold real numbers{remedy}. "
            f"Received: {name} of dtype {x.dtype}."
        )
    if x.ndim < 2 or x.size == 0:
        remedy = f" One sample is a batch of one: {name}[None]." if x.ndim == 1 and x.size else ""
        lone = f", the single value {x[()]!r}" if x.ndim == 0 else ""
        raise ValueError(
            f"`{name}` of {owner} must be a non-empty array of shape (samples, ...).{remedy} "
            f"Received: {name} of shape {x.shape}{lone}."
        )
    low, high = bounds
    _check_scale(owner, name, x.dtype, bounds)
    slack = rounding(x.dtype, low, high)
    for start in range(0, len(x), chunk):
        part = np.asarray(x[start : start + chunk])
        if is_float(x.dtype):
            check_finite(owner, part, name=name, start=first + start)
        try:
            outside = (part < low - slack) | (part > high + slack)
        except ValueError:
            raise ValueError(
                f"`bounds` of {owner} must have a value for each feature of a sample, shape "
                f"{x.shape[1:]}. Received: bounds of shape {np.shape(low)}."
            ) from None
        if outside.any():
            raise ValueError(
                f"`{name}` of {owner} must lie inside bounds={_shown(low, high)}. "
                f"Received: values from {part.min()} to {part.max()} in samples {first + start} to "
                f"{first + start + len(part) - 1}, {int(outside.sum())} of them outside."
            )
    return x


def check_tensor(owner: str, x: Any, *, bounds: Box, name: str = "x") -> tf.Tensor:
    """`check_samples` of what a layer is called on; returns a tensor.

    Where values are not known yet, the graph checks them when it runs.
    """
    check_not_forked(owner)
    x = tf.convert_to_tensor(x)
    if not tf.is_symbolic_tensor(x):
        if tf.size(x) > 0:
            check_samples(owner, x, bounds=bounds, name=name)
        return x
    dtype, (low, high) = np.dtype(x.dtype.as_numpy_dtype), bounds
    _check_scale(owner, name, dtype, bounds)
    slack = rounding(dtype, low, high)
    values = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    inside = ~tf.reduce_any((values < low - slack) | (values > high + slack))
    message = f"`{name}` of {owner} must lie inside bounds={_shown(low, high)}."
    with tf.control_dependencies([tf.debugging.Assert(inside, [message])]):
        return tf.identity(x)


def _check_scale(owner: str, name: str, dtype: np.dtype, bounds: Box) -> None:
    low, high = bounds
    if dtype.kind in "iu" and np.max(low) == 0.0 and np.min(high) == 1.0:
        raise ValueError(
            f"`{name}` of {owner} holds integers, but `bounds` are (0, 1). Scale the images "
            f"({name}.astype('float32') / 255) or set bounds=(0, 255). "
            f"Received: {name} of dtype {dtype}."
        )


def _shown(low: Any, high: Any) -> str:
    return f"({low}, {high})" if np.ndim(low) == 0 else f"arrays of shape {np.shape(low)}"


def check_called_with(
    owner: str, name: str, function: Any, what: str, *arguments: str, by_name: Iterable[str] = ()
) -> None:
    """Raise ValueError unless `function` can be called with so many arguments, and these names."""
    try:
        inspect.signature(function).bind(*arguments, **dict.fromkeys(by_name))
    except ValueError:  # built into Python: it cannot be told
        return
    except TypeError as error:
        taken = getattr(function, "__name__", type(function).__name__)
        raise ValueError(
            f"`{name}` of {owner} must be {what}. Received: {taken!r}, which takes "
            f"{inspect.signature(function)} ({error})."
        ) from None


def check_finite(owner: str, x: np.ndarray, *, name: str, start: int = 0) -> None:
    """Raise if any value of `x` is NaN or infinite, naming the first sample that has one."""
    finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"`{name}` of {owner} must be finite. Received: NaN or infinity in "
            f"{int((~finite).sum())} sample(s), the first at index "
            f"{start + int(np.argmin(finite))}."
        )


# a setting that many classes have
Seed = Annotated[int, Integer(-(2**31), 2**31 - 1)]
