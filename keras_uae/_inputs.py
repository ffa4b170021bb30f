"""What people hand over as samples and labels, taken as arrays: tensors, lists, frames.

Nothing is copied that is an array already, a memory-mapped one neither. For data sets of batches
see `_datasets`.
"""

import math
import numbers
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_ROUNDING = 4  # units in the last place that a value may be off for the way it was computed


def as_labels(owner: str, y: Any, name: str = "y") -> np.ndarray:
    """Labels as an array, a column `(n, 1)` as `(n,)`."""
    y = as_array(owner, name, y)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def as_array(owner: str, name: str, value: Any) -> np.ndarray:
    """`value` as an array, itself if it is one.

    Raises:
        ValueError: It is none: rows of unequal length, columns that are not numeric, a generator.
    """
    masked = np.ma.is_masked(value)
    if isinstance(value, np.ndarray) and not masked:
        return value
    if callable(getattr(value, "to_numpy", None)):
        return _of_frame(owner, name, value)
    array, problem = None, ""
    if not masked and not isinstance(value, (tf.data.Dataset, keras.utils.PyDataset, str)):
        try:
            array = np.asanyarray(value)
        except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
            problem = f" ({_first_line(error)})"
    if array is None or array.dtype == object:
        raise ValueError(
            f"`{name}` of {owner} must be an array, tensor, frame or list, with as many numbers in "
            f"every sample{_remedy(name, value)}. "
            f"Received: {name} of type {type(value).__name__}{problem}."
        )
    return array


def check_shape(owner: str, name: str, shape: Sequence[int], expected: Any) -> None:
    """Raise ValueError, with a way out if there is one, unless a model takes arrays of `shape`."""
    shape = tuple(shape)
    if expected is None or shape_fits(shape, expected):
        return
    ways = {
        f"{name}[None]": (1, *shape),
        f"{name}[..., None]": (*shape, 1),
        f"{name}[None, ..., None]": (1, *shape, 1),
    }
    if len(shape) > 2:
        ways[f"np.moveaxis({name}, 1, -1)"] = (shape[0], *shape[2:], shape[1])
    if len(shape) > 1:
        ways[f"{name}.reshape(len({name}), -1)"] = (shape[0], math.prod(shape[1:]))
    if len(shape) == 2 and None not in expected[1:] and shape[1] == math.prod(expected[1:]):
        sizes = ", ".join(map(str, expected[1:]))
        ways[f"{name}.reshape(-1, {sizes})"] = (shape[0], *expected[1:])
    remedies = [way for way, result in ways.items() if shape_fits(result, expected)]
    remedy = f" Give {remedies[0]}." if remedies and 0 not in shape else ""
    raise ValueError(
        f"`{name}` of {owner} must have the shape that the model takes, {expected}.{remedy} "
        f"Received: {name} of shape {shape}."
    )


def is_real(dtype: np.dtype) -> bool:
    """Whether a dtype is of real numbers: integers and floats, bfloat16 among them."""
    return dtype.kind in "iuf" or is_float(dtype)


def is_float(dtype: np.dtype) -> bool:
    """Whether a dtype is of floating-point numbers, bfloat16 among them."""
    if dtype.kind != "V":
        return dtype.kind == "f"
    try:
        return bool(tf.as_dtype(dtype).is_floating)
    except TypeError:
        return False


def rounding(dtype: np.dtype, low: Any, high: Any) -> Any:
    """How far values of `dtype` may lie outside [low, high] by rounding alone; 0 of integers.

    That is some units in the last place of the greater bound, in `dtype` or in float32, with which
    an attack computes, whichever is coarser.

    Args:
        low, high: Scalars, or arrays that broadcast, such as bounds of every feature.
    """
    if not is_float(dtype):
        return 0.0
    # of bfloat16 np.finfo knows nothing
    coarsest = max(float(np.spacing(np.ones((), each))) for each in (dtype, np.float32))
    return _ROUNDING * coarsest * np.maximum(np.abs(low), np.abs(high))


def clip_rounding(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """`x` with what rounding has put outside [low, high] on the bound; `low`, `high` broadcast.

    It is for values that `rounding` allows: what lies further out is clipped as well.
    """
    return np.clip(x, low, high) if is_float(x.dtype) else np.asarray(x)


def check_representable(owner: str, x: np.ndarray, *, name: str, chunk: int = 4096) -> None:
    """Raise ValueError if a finite value would become infinite in float32."""
    most = float(np.finfo(np.float32).max)
    if x.dtype.kind == "f" and x.dtype.itemsize > 4:
        for start in range(0, len(x), chunk):
            size = np.max(np.abs(x[start : start + chunk]))
            if math.isfinite(size) and size > most:
                raise ValueError(
                    f"`{name}` of {owner} must fit into float32, at most {most:.2g}: scale it. "
                    f"Received: {name} of dtype {x.dtype} with values up to {size:.2g}."
                )


def shape_fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Whether a model that expects one shape takes another."""
    return len(shape) == len(expected) and all(
        want in (None, size) for want, size in zip(expected, shape, strict=True)
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _remedy(name: str, value: Any) -> str:
    if isinstance(value, Mapping) or _is_several(value):
        return (
            ": of several inputs `generate` alone takes a list or dict, of an attack with "
            "`attacked`; train on batches of found.x and the other inputs"
        )
    if isinstance(value, (str, os.PathLike)):
        return f": of a file give np.load({name}, mmap_mode='r')"
    if np.ma.is_masked(value):
        return f": give {name}.filled(0), or drop what is masked"
    if hasattr(value, "toarray"):
        return f": give {name}.toarray()"
    if isinstance(value, tf.RaggedTensor):
        return f": give {name}.to_tensor()"
    if isinstance(value, tf.SparseTensor):
        return f": give tf.sparse.to_dense({name})"
    if isinstance(value, (tf.data.Dataset, keras.utils.PyDataset)):
        return ": give what the data set was made of"
    if type(value).__name__ == "UAEs":
        return f": give {name}.x"
    if isinstance(value, Iterator):
        return f": give np.concatenate(list({name})) if it yields batches"
    return ""


def _is_several(value: Any) -> bool:
    """Whether a list is of arrays that are not samples of one shape, but inputs of a model."""
    if not isinstance(value, (list, tuple)):
        return False
    shapes = [tuple(getattr(each, "shape", ())) for each in value]
    return 1 < len(shapes) < 10 and () not in shapes and len({each[0] for each in shapes}) == 1


def _of_frame(owner: str, name: str, frame: Any) -> np.ndarray:
    """The values of a frame or series of pandas, polars and their like."""
    array = np.asarray(frame.to_numpy())
    if is_real(array.dtype) or array.ndim != 2:
        return array
    columns = getattr(frame, "columns", range(array.shape[1]))
    other = [
        str(column)
        for column, values in zip(columns, array.T, strict=True)
        if not all(isinstance(value, (numbers.Real, np.bool_)) for value in values)
    ]
    if other:
        names = ", ".join(map(repr, other[:5])) + (", …" if len(other) > 5 else "")
        raise ValueError(
            f"`{name}` of {owner} must have numeric columns without gaps: drop, fill or encode the "
            f"other ones. Received: {name} with the columns {names}."
        )
    return array.astype(np.float64)  # integers beside floats, say, come as objects
