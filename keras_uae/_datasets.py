"""Data sets of batches, of tf.data or of Keras, taken as arrays.

A data set is read once, from its first batch to its last, into memory.
"""

import warnings
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_uae._inputs import as_array, as_labels, shape_fits

_PARTS = "x, (x, y) or (x, y, sample_weight)"


class Data(NamedTuple):
    """Samples and what a data set had beside them."""

    x: Any
    y: Any = None
    sample_weight: Any = None


def read_data(owner: str, x: Any, *, expected: Any = None, name: str = "x") -> Data:
    """`x` as an array and, if it is a data set of pairs or triples, their other parts.

    Args:
        owner, name: What messages call the function and the argument.
        x: Array, tensor, frame, nested list, batched `tf.data.Dataset` or `keras.utils.PyDataset`.
        expected: Shape that the model takes, batch in front, by which samples that are not in
            batches are known. Defaults to `None`.

    Raises:
        ValueError: It is none of these, or a data set without batches or without end.
    """
    if isinstance(x, tf.data.Dataset):
        return _joined(owner, name, _batches_of_dataset(owner, name, x, expected))
    if isinstance(x, keras.utils.PyDataset):
        return _joined(owner, name, _batches_of_py_dataset(owner, name, x))
    return Data(as_array(owner, name, x))


def samples_and_labels(
    owner: str, x: Any, y: Any, *, model: keras.Model, takes_labels: bool
) -> tuple[np.ndarray, Any]:
    """The samples and labels that an attack on `model` is given, as arrays.

    The targets of a data set of pairs are the labels where the criterion takes any and no `y` is
    given; otherwise they are left out, as `predict` does. Labels `(n, 1)` become `(n,)`.
    """
    expected = getattr(model, "input_shape", None)
    data = read_data(owner, x, expected=expected if isinstance(expected, tuple) else None)
    warn_of_shuffling(owner, x, data.x, stacklevel=5)
    if y is None and takes_labels:
        y = data.y
    return data.x, y if y is None else as_labels(owner, y)


def warn_of_shuffling(owner: str, x: Any, read: np.ndarray, *, stacklevel: int = 3) -> None:
    """Warn of a `tf.data.Dataset` that begins with other samples than when it was `read`.

    Whose examples were found, or to which of them a target belongs, nobody can tell then.
    """
    if not isinstance(x, tf.data.Dataset):
        return
    for batch in x.take(1).as_numpy_iterator():
        first = np.asarray(_parts(owner, "x", batch)[0])
        if not np.array_equal(first, read[: len(first)]):
            warnings.warn(
                f"`x` of {owner} has other samples in front each time that it is read, as after "
                f"shuffle() or a random map, so that nothing tells which row belongs to which "
                f"sample. Give it without these, or as arrays.",
                stacklevel=stacklevel,
            )


def _batches_of_dataset(
    owner: str, name: str, dataset: tf.data.Dataset, expected: Any
) -> Iterable[Any]:
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"`{name}` of {owner} must come to an end: leave out repeat(), or give {name}.take(n). "
            f"Received: an infinite data set."
        )
    parts = _parts(owner, name, dataset.element_spec)
    shapes = [getattr(part, "shape", tf.TensorShape(None)) for part in parts]
    ranks = [shape.rank for shape in shapes if shape.rank is not None]
    sample = expected is not None and shape_fits(tuple(shapes[0] or ()), expected[1:])
    if sample or 0 in ranks or shapes[0].rank == 1:
        raise ValueError(
            f"`{name}` of {owner} must be a data set of batches: give {name}.batch(256). "
            f"Received: elements of shape {', '.join(map(str, shapes))}."
        )
    return dataset.as_numpy_iterator()


def _batches_of_py_dataset(owner: str, name: str, dataset: keras.utils.PyDataset) -> Iterable[Any]:
    try:
        count = dataset.num_batches
    except NotImplementedError:
        count = None
    if count is None:
        raise ValueError(
            f"`{name}` of {owner} must come to an end: its `num_batches` must be an integer. "
            f"Received: {name} of type {type(dataset).__name__} without one."
        )
    return (dataset[index] for index in range(count))


def _parts(owner: str, name: str, element: Any) -> tuple[Any, ...]:
    """The parts of one element of a data set, up to three."""
    parts = tuple(element) if isinstance(element, (tuple, list)) else (element,)
    several = [part for part in parts if isinstance(part, (dict, tuple, list))]
    if not 1 <= len(parts) <= 3 or several:
        what = several[0] if several else element
        keys = f" with the keys {', '.join(map(str, what))}" if isinstance(what, dict) else ""
        raise ValueError(
            f"`{name}` of {owner} must be a data set of batches {_PARTS}, one array each: "
            f"{name}.map(function) of tf.data makes them. Received: a {type(what).__name__}{keys}."
        )
    return parts


def _joined(owner: str, name: str, batches: Iterable[Any]) -> Data:
    """All batches one behind the other; a batch is freed as soon as it is in its place."""
    waiting: deque[list[np.ndarray]] = deque()
    present: list[str] = []
    for batch in batches:
        parts = dict(zip(Data._fields, _parts(owner, name, batch), strict=False))
        present = [part for part, value in parts.items() if value is not None]
        arrays = [as_array(owner, f"{part} in {name}", parts[part]) for part in present]
        if arrays[0].ndim < 2 or len({len(each) if each.ndim else -1 for each in arrays}) > 1:
            raise ValueError(
                f"`{name}` of {owner} must be a data set of batches {_PARTS}, all parts as long: "
                f"{name}.batch(256) of tf.data makes them. Received: a batch of arrays of shape "
                f"{', '.join(str(each.shape) for each in arrays)}."
            )
        waiting.append(arrays)
    kinds = {tuple(part.shape[1:] for part in arrays) for arrays in waiting}
    if len(kinds) != 1:
        raise ValueError(
            f"`{name}` of {owner} must be a data set of one batch or more, with samples of equal "
            f"shape. Received: " + (f"shapes {sorted(kinds)}." if kinds else "no batch.")
        )
    total = sum(len(arrays[0]) for arrays in waiting)
    whole = [
        np.empty((total, *parts[0].shape[1:]), np.result_type(*{part.dtype for part in parts}))
        for parts in zip(*waiting, strict=True)
    ]
    done = 0
    while waiting:
        arrays = waiting.popleft()
        for array, part in zip(whole, arrays, strict=True):
            array[done : done + len(part)] = part
        done += len(arrays[0])
    return Data(**dict(zip(present, whole, strict=True)))
