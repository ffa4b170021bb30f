"""Samples in TFRecord files: `tf.train.Example` records with one feature for the sample."""

import glob
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_LARGEST_IMAGE = 2**28  # values
_MARK = ".tfrecord"


def files(name: str) -> list[str]:
    """The TFRecord files that a path, a folder or a pattern stands for, in the order of names."""
    path = Path(name)
    if path.is_dir():
        return sorted(str(each) for each in path.iterdir() if _MARK in each.name)
    if path.is_file():
        return [name] if _MARK in path.name else []
    return sorted(each for each in glob.glob(name) if _MARK in Path(each).name)


def count(names: list[str]) -> int:
    """Number of records."""
    return sum(1 for _ in _records(names, 0))


def samples(names: list[str], start: int, decode: "Decoder") -> Iterator[np.ndarray]:
    """The samples from the record `start` on."""
    for record in _records(names, start):
        yield decode(record)


def _records(names: list[str], start: int) -> Iterator[bytes]:
    dataset = tf.data.TFRecordDataset(names, buffer_size=2**20).skip(start)
    try:
        yield from dataset.as_numpy_iterator()
    except tf.errors.OpError as error:
        raise ValueError(f"The TFRecords {names[0]!r} … are damaged: {error.message}.") from error


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
        if self._shape is not None:
            for dtype in (np.uint8, np.float32):
                if len(content) == math.prod(self._shape) * np.dtype(dtype).itemsize:
                    return np.frombuffer(content, dtype).reshape(self._shape)
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
