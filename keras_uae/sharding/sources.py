"""Samples that are read a few at a time: from arrays, array files, TFRecords, tfds."""

import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from keras_uae._arrays import array_names, open_arrays
from keras_uae._checks import Number
from keras_uae.sharding import records
from keras_uae.sharding.downloads import WAY_OUT, address, prepare

# NAME[/CONFIG][:VERSION][:SPLIT]
_TFDS_NAME = re.compile(
    r"(?P<name>\w+(?:/[\w-]+)?(?::(?:\d+|\*)\.(?:\d+|\*)\.(?:\d+|\*))?)(?::(?P<split>[a-zA-Z_].*))?"
)


class Source(Protocol):
    """Samples by their place; best read from front to back."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `start` to `stop`."""
        ...


class ArraySource:
    """An array in memory, or mapped into it.

    Example:

        >>> ArraySource(x_train).read(0, 8)
    """

    def __init__(self, x: Any):
        self._x = np.asanyarray(x)
        self.shape, self.dtype = self._x.shape, self._x.dtype

    def __len__(self) -> int:
        return len(self._x)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `start` to `stop`."""
        return np.asarray(self._x[start:stop])


def as_source(x: Any) -> Source:
    """`x` itself if it is a source, otherwise a source of the array `x`."""
    return x if hasattr(x, "read") else ArraySource(x)


class StreamSource:
    """Samples that come one after the other; going back begins anew.

    Args:
        count: Number of samples.
        begin: Function of a place that gives the samples from there on.
    """

    def __init__(self, count: int, begin: Callable[[int], Iterator[np.ndarray]]):
        self._count, self._begin = count, begin
        self._samples: Iterator[np.ndarray] = iter(())
        self._place = -1
        first = self.read(0, 1)
        self.shape, self.dtype = (count, *first.shape[1:]), first.dtype

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `start` to `stop`."""
        if start != self._place:
            self._samples, self._place = self._begin(start), start
        samples = list(itertools.islice(self._samples, stop - start))
        self._place += len(samples)
        if len(samples) < stop - start or len({(x.shape, x.dtype) for x in samples}) != 1:
            raise ValueError(
                f"The data must hold {self._count} samples of equal shape and dtype. Received: "
                f"{len(samples)} samples from {start} on, of shapes "
                f"{sorted({x.shape for x in samples})}."
            )
        return np.stack(samples)


class ScaledSource:
    """The samples of another source divided by a number, as float32."""

    def __init__(self, source: Source, divide_by: float):
        self._source, self._divide_by = source, divide_by
        self.shape, self.dtype = source.shape, np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `start` to `stop`."""
        return (self._source.read(start, stop) / self._divide_by).astype(np.float32)


@dataclass(frozen=True)
class DataReference:
    """Where samples are: enough to open them in another process.

    Args:
        name: A .npy or .npz file, TFRecords (a file, a folder or a pattern), or the name of a
            tfds data set, `NAME` or `NAME:SPLIT`, with config, version and slice if it has them:
            `mnist`, `mnist:test`, `cifar10:3.0.2:train[:10%]`, `glue/cola:train`.
        feature: The array of an .npz file or the feature of a record. Defaults to `None`: the only
            one, or the one that is called x, image or images.
        divide_by: Float > 0, by which values are divided. Defaults to `1`.
        data_dir: Directory of tfds. Defaults to `None`: that of tfds itself.

    Example:

        >>> np.save("x_train.npy", x_train)
        >>> len(DataReference("x_train.npy").open())
    """

    name: str
    feature: str | None = None
    divide_by: float = 1.0
    data_dir: str | None = None

    def __post_init__(self) -> None:
        Number(float(np.finfo(np.float32).tiny))("DataReference", "divide_by", self.divide_by)

    def open(self, sample_shape: tuple[int | None, ...] | None = None) -> Source:
        """The samples; `sample_shape`, that of the model, gives form to records without one.

        Raises:
            FileNotFoundError, ValueError: There is no such data, or it is damaged.
        """
        source = self._open(sample_shape)
        if len(source.shape) < 2 or not len(source):
            raise ValueError(
                f"{self.name!r} must hold an array of shape (samples, ...). Received: "
                f"shape {source.shape}."
            )
        return source if self.divide_by == 1 else ScaledSource(source, self.divide_by)

    def open_labels(self, labels: str) -> Source:
        """The labels of the samples, one integer each.

        Args:
            labels: A .npy or .npz file, or the array or feature of these data that has this name.

        Raises:
            FileNotFoundError, ValueError: There are none, or they are damaged.
        """
        source: Source
        if Path(labels).suffix in (".npy", ".npz"):
            source = _array(Path(labels), None, records.LABELS)
        else:
            source = dataclasses.replace(self, feature=labels)._open(())
        if len(source.shape) != 1 or source.dtype.kind not in "iu":
            raise ValueError(
                f"`labels` of DataReference must be one integer a sample: save y.argmax(axis=1) of "
                f"one-hot rows, y[:, 0] of a column, y.astype(int) of whole numbers. Received: "
                f"labels={labels!r} of shape {source.shape} and dtype {source.dtype}."
            )
        return source

    def _open(self, sample_shape: tuple[int | None, ...] | None) -> Source:
        path = Path(self.name)
        if path.suffix in (".npy", ".npz"):
            return _array(path, self.feature, records.SAMPLES)
        files = records.files(self.name)
        if files:
            shape = None if sample_shape is None or None in sample_shape else sample_shape
            decode = records.Decoder(self.feature, shape)  # type: ignore[arg-type]
            held = records.RecordFiles(files)
            return StreamSource(len(held), lambda start: map(decode, held.read(start)))
        parts = _TFDS_NAME.fullmatch(self.name)
        if path.exists() or parts is None:
            raise FileNotFoundError(
                f"There are no samples in {self.name!r}: it must be a .npy or .npz file, "
                f"TFRecords, or the name of a tfds data set. Tables and images are saved as an "
                f"array first, np.save('x.npy', array)."
            )
        split = parts["split"] or "train"
        return _tfds_source(parts["name"], split, self.feature, self.data_dir)


def _array(path: Path, feature: str | None, usual: tuple[str, ...]) -> Source:
    """The array of a file that is asked for; the others may hold what they like."""
    name = records.choose_feature(str(path), array_names(path), feature, usual)
    return open_arrays(path, lambda each: each == name)[name]


def _tfds_source(name: str, split: str, feature: str | None, data_dir: str | None) -> Source:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ValueError(
            f"{name!r} is no file, and for a tfds data set tensorflow-datasets is needed: "
            f"pip install tensorflow-datasets."
        ) from error
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        raise ValueError(
            f"{name!r} is neither a file nor a tfds data set ({str(error).splitlines()[0]})."
        ) from error
    try:
        prepare(builder, address(builder))
    except ConnectionError as error:
        raise FileNotFoundError(
            f"{name!r} is no file, and as a tfds data set it is neither in "
            f"{os.fspath(builder.data_dir_root)!r} nor can it be downloaded ({error}). "
            f"{WAY_OUT.format(name)}, or give a .npy or .npz file."
        ) from None
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError, AssertionError) as error:
        raise ValueError(
            f"tfds {name!r} has the splits {', '.join(builder.info.splits)}, and slices of them. "
            f"Received: {split!r}."
        ) from error
    supervised = builder.info.supervised_keys
    feature = records.choose_feature(
        name, builder.info.features, feature or (supervised[0] if supervised else None)
    )

    def begin(start: int) -> Iterator[np.ndarray]:
        # the order of the files, and within them; of a whole split only those that are needed
        whole = split in builder.info.splits
        chosen = f"{split}[{start}:]" if whole else split
        part = builder.as_dataset(split=chosen, shuffle_files=False).skip(0 if whole else start)
        options = tf.data.Options()
        options.deterministic = True
        return (x[feature] for x in part.with_options(options).as_numpy_iterator())

    return StreamSource(count, begin)
