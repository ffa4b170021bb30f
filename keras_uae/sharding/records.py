"""Samples in TFRecord files: `tf.train.Example` records with one feature for the sample."""

import glob
import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow as tf

from keras_uae._files import file_size

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIF, _BMP, _GZIP = (b"GIF87a", b"GIF89a"), b"BM", b"\x1f\x8b"
_LARGEST_IMAGE = 2**28  # values
_LARGEST_RECORD = 2**30  # bytes; a message of protobuf has twice as many at most
_LARGEST_PACKED = 2**28  # where the file may hold a thousandth of that
_READ_BYTES = 2**20
# train.tfrecord, train.tfrec, train.record, train-00000-of-00010, and each with .gz
_NAME = re.compile(r"\.tfrec|\.records?(\.gz)?$|(?<!\.data)-\d{5,}-of-\d{5,}(\.gz)?$")


def files(name: str) -> list[str]:
    """The TFRecord files that a path, a folder or a pattern stands for, in the order of names."""
    path = Path(name)
    if path.is_dir():
        return sorted(str(each) for each in path.iterdir() if _NAME.search(each.name))
    if path.exists():
        return [name] if _NAME.search(path.name) else []
    return sorted(each for each in glob.glob(name) if _NAME.search(Path(each).name))


class RecordFiles:
    """The records in TFRecord files, compressed by gzip or not.

    TensorFlow takes the memory that the length before a record asks for. Before it may read them,
    all lengths are compared with the files, which tells how many records there are, too.

    Args:
        names: The files, in order.

    Raises:
        ValueError: A file is damaged, or no plain file.
    """

    def __init__(self, names: list[str]):
        self._parts = [(name, *_counted(name)) for name in names]

    def __len__(self) -> int:
        return sum(count for _, count, _ in self._parts)

    def read(self, start: int) -> Iterator[bytes]:
        """The records from the one numbered `start` on."""
        for name, count, compression in self._parts:
            if start < count:
                data = tf.data.TFRecordDataset(name, compression, buffer_size=_READ_BYTES)
                try:
                    yield from data.skip(start).as_numpy_iterator()
                except tf.errors.OpError as error:
                    raise ValueError(f"The TFRecords {name!r} are damaged: {error.message}.") from (
                        error
                    )
            start = max(start - count, 0)


def _counted(name: str) -> tuple[int, str]:
    """How many records a file has, and how it is compressed."""
    size = file_size(Path(name))
    try:
        with open(name, "rb") as file:
            packed = file.read(2) == _GZIP
            try:
                return _count(file, size), ""
            except ValueError:
                if not packed:
                    raise
        with gzip.open(name) as unpacked:
            return _count_packed(unpacked), "GZIP"
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"The TFRecords {name!r} are damaged: {error}.") from error


def _count(file: IO[bytes], size: int) -> int:
    """Number of records in `size` bytes: each has 12 bytes before it, 4 after it."""
    count = place = 0
    while place < size:
        file.seek(place)
        length = _length(file.read(12), _LARGEST_RECORD)
        place += length + 16
        if place > size:
            raise ValueError(f"record {count} has {length} bytes, more than are left")
        count += 1
    return count


def _count_packed(file: gzip.GzipFile) -> int:
    count = 0
    while head := file.read(12):
        left = _length(head, _LARGEST_PACKED) + 4
        while left:
            part = file.read(min(left, _READ_BYTES))
            if not part:
                raise ValueError(f"record {count} is longer than the file")
            left -= len(part)
        count += 1
    return count


def _length(head: bytes, most: int) -> int:
    if len(head) < 12:
        raise ValueError("it ends within a record")
    (length,) = struct.unpack("<Q", head[:8])
    if length > most:
        raise ValueError(f"a record of {length} bytes is larger than {most}")
    return length


class Decoder:
    """Reads the sample in a record: an image, a serialized tensor, raw bytes or a list of numbers.

    Args:
        feature: Name of the feature. `None`: the only one, or x, image or images.
        sample_shape: Shape of a sample, for raw bytes and lists, which have none.
    """

    def __init__(self, feature: str | None, sample_shape: tuple[int, ...] | None):
        self._feature, self._shape = feature, sample_shape

    def __call__(self, record: bytes) -> np.ndarray:
        try:
            features = tf.train.Example.FromString(record).features.feature
            value = features[choose_feature("a record", list(features), self._feature)]
            kind = value.WhichOneof("kind")
            if kind == "bytes_list" and len(value.bytes_list.value) == 1:
                return self._from_bytes(value.bytes_list.value[0])
            if kind == "float_list":
                return self._shaped(np.array(value.float_list.value, np.float32))
            if kind == "int64_list":
                return self._shaped(np.array(value.int64_list.value, np.int64))
        except ValueError:
            raise
        except Exception as error:  # protobuf and the image decoders have their own types
            raise ValueError(f"A record cannot be read: {str(error).splitlines()[0]}.") from error
        raise ValueError("A record must hold one image, tensor or list of numbers a sample.")

    def _from_bytes(self, content: bytes) -> np.ndarray:
        if content.startswith((_PNG, _JPEG)):
            height, width = _image_size(content)
            if height * width > _LARGEST_IMAGE:
                raise ValueError(f"A record holds an image of {height}×{width} pixels.")
            channels = 0 if self._shape is None or len(self._shape) != 3 else self._shape[-1]
            channels = channels if channels in (1, 3, 4) else 0
            image = tf.io.decode_image(content, channels=channels, expand_animations=False)
            return image.numpy()
        if content.startswith((*_GIF, _BMP)):
            kind = "BMP" if content.startswith(_BMP) else "GIF"
            raise ValueError(f"A record holds a {kind} image: write PNG or JPEG.")
        if self._shape is not None:
            for dtype in (np.uint8, np.float32):
                if len(content) == math.prod(self._shape) * np.dtype(dtype).itemsize:
                    return np.frombuffer(content, dtype).reshape(self._shape)
            if len(content) == math.prod(self._shape) * 8:
                raise ValueError("A record holds 8 bytes a value: write float32, or a list.")
        return _tensor(content)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        if self._shape is None or values.size != math.prod(self._shape):
            raise ValueError(
                f"A record must hold a sample of shape {self._shape}, that of the model. "
                f"Received: {values.size} numbers."
            )
        return values.reshape(self._shape)


SAMPLES = ("x", "image", "images", "x_train")
LABELS = ("y", "label", "labels", "y_train")


def choose_feature(
    owner: str, names: Any, wanted: str | None, usual: tuple[str, ...] = SAMPLES
) -> str:
    """The feature `wanted`, or the only one, or the one with a usual name."""
    only = tuple(names) if len(names) == 1 else ()
    for name in (wanted,) if wanted else (*only, *usual):
        if name in names:
            return name
    raise ValueError(
        f"{owner!r} must have the feature that is asked for (--feature). Received: "
        f"feature={wanted!r} where there are {', '.join(map(repr, sorted(names)))}."
    )


def _image_size(content: bytes) -> Any:
    if content.startswith(_PNG):
        return struct.unpack(">II", content[16:24])
    return tf.io.extract_jpeg_shape(content).numpy()[:2].astype(np.int64)


def _tensor(content: bytes) -> np.ndarray:
    """The tensor that `tf.io.serialize_tensor` wrote."""
    proto = tf.make_tensor_proto(0)
    proto.ParseFromString(content)
    dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    shape = [axis.size for axis in proto.tensor_shape.dim]
    if min(shape, default=0) < 0 or dtype.kind not in "biuf":
        raise ValueError(f"A record holds a tensor of {dtype} with shape {shape}.")
    if len(proto.tensor_content) != math.prod(shape) * dtype.itemsize:
        raise ValueError("A record must hold an image or a tensor by tf.io.serialize_tensor.")
    return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
