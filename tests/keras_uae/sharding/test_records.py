"""TFRecords of any name, compressed or not, and those that lie about their lengths."""

import gzip
import os
import struct
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_uae.sharding import DataReference
from tests import tiny_models
from tests.keras_uae.sharding.test_sharding import example

COUNT = 10


def write(path, x, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for each in x:
            writer.write(example(each))
    return path


@pytest.fixture
def x():
    return tiny_models.images(COUNT)


def opened(path):
    return DataReference(str(path)).open(tiny_models.SHAPE)


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize(
    "name",
    [
        "train.tfrecord",
        "train.tfrecords",
        "train.tfrec",
        "00-1024.tfrec",
        "train.record",
        "train.records",
        "train-00000-of-00001",
        "mnist-train.tfrecord-00000-of-00001",
        "train.tfrecord.gz",
        "train-00000-of-00001.gz",
    ],
)
def test_names_that_records_have(tmp_path, x, name, compression):
    for place in (write(tmp_path / name, x, compression), tmp_path):
        source = opened(place)
        assert source.shape == x.shape
        np.testing.assert_array_equal(source.read(3, 8), x[3:8])


def test_files_in_order_from_any_place(tmp_path, x):
    for number, part in enumerate(np.array_split(x, 3)):
        write(tmp_path / f"x-{number:05}-of-00003", part, "GZIP" if number == 1 else "")
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"no records")
    source = opened(tmp_path)
    for start, stop in ((0, COUNT), (3, 8), (9, 10), (4, 5), (0, 4)):
        np.testing.assert_array_equal(source.read(start, stop), x[start:stop])


def crc(data):
    """The masked CRC-32C that records have, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def head(length):
    """What comes before a record, with a sum that is right."""
    data = struct.pack("<Q", length)
    return data + struct.pack("<I", crc(data))


def test_the_sum_of_these_tests_is_that_of_tensorflow(tmp_path, x):
    content = write(tmp_path / "x.tfrecord", x).read_bytes()
    assert content.startswith(head(struct.unpack("<Q", content[:8])[0]))


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("length", [1000, 2**28, 2**31, 2**40, 2**62, 2**63, 2**64 - 1, 2**64 - 16])
@pytest.mark.parametrize("after", [0, 3])
def test_a_length_that_lies_is_refused_before_memory_is_taken(
    tmp_path, x, length, after, compression
):
    path = write(tmp_path / "x.tfrecord", x[:after])
    content = path.read_bytes() + head(length) + bytes(100)
    path.write_bytes(gzip.compress(content) if compression else content)
    with pytest.raises(ValueError, match=r"The TFRecords .* are damaged: "):
        opened(path)


@pytest.mark.parametrize("cut", [1, 11, 12, 20])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_records_cut_short(tmp_path, x, cut, compression):
    path = write(tmp_path / "x.tfrecord", x, compression)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"The TFRecords .* are damaged: "):
        opened(path)


def test_what_expands_is_not_held(tmp_path):
    path = tmp_path / "x.tfrecord.gz"
    with gzip.open(path, "wb") as file:
        file.write(head(2**28 + 1))
    with pytest.raises(ValueError, match="larger than 268435456"):
        opened(path)


def test_a_pipe_among_records_is_not_waited_for(tmp_path, x):
    write(tmp_path / "a.tfrecord", x)
    os.mkfifo(tmp_path / "b.tfrecord")
    begun = time.monotonic()
    for place in (tmp_path, tmp_path / "b.tfrecord", tmp_path / "*.tfrecord"):
        with pytest.raises(ValueError, match="no plain file"):
            opened(place)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"BM" + bytes(100), "BMP image: write PNG or JPEG"),
        (b"GIF89a" + bytes(100), "GIF image: write PNG or JPEG"),
        (np.zeros(tiny_models.SHAPE).tobytes(), "8 bytes a value: write float32"),
    ],
)
def test_what_a_record_holds_is_named(tmp_path, content, message):
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as writer:
        writer.write(example(content))
    with pytest.raises(ValueError, match=message):
        opened(tmp_path)


# Data sets of tensorflow-datasets


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data set with two versions and no code."""
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("tfds")
    for version, factor in (("1.0.0", 1), ("2.0.0", 2)):
        x = factor * np.arange(COUNT * 3, dtype=np.int64).reshape(COUNT, 3)
        tfds.dataset_builders.store_as_tfds_dataset(
            name="tiny",
            version=version,
            data_dir=folder,
            split_datasets={
                "train": tf.data.Dataset.from_tensor_slices({"x": x}),
                "test": tf.data.Dataset.from_tensor_slices({"x": x[:4]}),
            },
            features=tfds.features.FeaturesDict(
                {"x": tfds.features.Tensor(shape=(3,), dtype=np.int64)}
            ),
        )
    return str(folder)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("tiny:1.0.0", COUNT),
        ("tiny:1.0.0:train", COUNT),
        ("tiny:1.0.0:test", 4),
        ("tiny:1.0.0:train[2:9]", 7),
        ("tiny:1.0.0:train[:50%]", 5),
        ("tiny:2.0.0:test", 4),
        ("tiny", COUNT),
        ("tiny:test+train[:2]", 6),
    ],
)
def test_names_with_versions_and_slices(data_dir, name, rows):
    source = DataReference(name, data_dir=data_dir).open()
    assert source.shape == (rows, 3)
    whole = source.read(0, rows)
    np.testing.assert_array_equal(source.read(2, 4), whole[2:4])
    assert (whole % 2 == 0).all() == ("1.0.0" not in name)  # the newest one, if none is named


@pytest.mark.parametrize("split", ["validation", "train[", "train[:a]", "train+nothing"])
def test_a_split_that_is_not_there_is_named(data_dir, split):
    with pytest.raises(ValueError, match=r"has the splits .*train.* Received: "):
        DataReference(f"tiny:1.0.0:{split}", data_dir=data_dir).open()
