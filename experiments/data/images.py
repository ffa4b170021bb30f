"""Labelled images by way of tensorflow-datasets: find or download, check, read into arrays."""

import difflib
import re

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from experiments.data import names
from experiments.data.tiny_imagenet import TinyImagenet200
from keras_uae.sharding.downloads import WAY_OUT, address, prepare

_NAME = re.compile(r"\w+(/[\w.-]+)?(:[\d.*]+)?")  # name, name/config, name:version


def find_images(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
    """Return the builder of the data set `name`, its files ready in `data_dir`.

    What lies there already is used as it is, whether or not tensorflow-datasets knows the name,
    and without a look at the network.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _unknown(name)
    try:
        builder = tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir)
        _check_features(name, builder)
    except tfds.core.DatasetNotFoundError:
        builder = _download_images(name, data_dir)
    parts = list(builder.info.splits)
    if not {"train", "test"} <= set(parts):
        raise ValueError(
            f"`name` of load must be a data set with the splits 'train' and 'test'. "
            f"Received: name={name!r} with the splits {parts}."
        )
    return builder


def read_images(builder: tfds.core.DatasetBuilder, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of `split` as float32 in [0, 1] and the labels, in the stored order."""
    images, labels = read_columns(builder, split, "image")
    return np.divide(images, 255, dtype=np.float32), labels.astype(np.int64)


def read_columns(
    builder: tfds.core.DatasetBuilder, split: str, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the feature `key` and the labels of `split` as they are stored."""
    order = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
    rows = builder.as_dataset(split=split, read_config=order)
    count = builder.info.splits[split].num_examples
    try:
        whole = rows.map(lambda row: (row[key], row["label"])).batch(count)
        values, labels = (column.numpy() for column in whole.get_single_element())
    except tf.errors.OpError as error:
        raise OSError(
            f"the files of {builder.info.full_name} are damaged: delete {builder.data_dir} and "
            f"prepare the data set again ({error.message})"
        ) from error
    return values, labels


def _download_images(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError:
        if name in names():
            raise _unavailable(name, data_dir, "there is no download of it") from None
        raise _unknown(name) from None
    _check_features(name, builder)
    tiny = isinstance(builder, TinyImagenet200)
    url = builder.address(data_dir) if tiny else address(builder)
    download(builder, name, data_dir, url)
    return builder


def download(builder: tfds.core.DatasetBuilder, name: str, data_dir: str, url: str | None) -> None:
    """Download and prepare a data set, if there is an answer from `url`, where it comes from."""
    try:
        prepare(builder, url)
    except ConnectionError as error:
        raise _unavailable(name, data_dir, error) from None


def _check_features(name: str, builder: tfds.core.DatasetBuilder) -> None:
    features = builder.info.features
    features = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    image, label = features.get("image"), features.get("label")
    fit = (
        isinstance(image, tfds.features.Image)
        and image.np_dtype == np.uint8
        and None not in image.shape
        and isinstance(label, tfds.features.FeatureConnector)
        and label.shape == ()
        and np.issubdtype(label.np_dtype, np.integer)
    )
    if not fit:
        kinds = {
            key: f"{type(value).__name__}{value.shape if key == 'image' else ''}"
            for key, value in features.items()
        }
        raise ValueError(
            f"`name` of load must be a data set whose `image` is an 8-bit image of one size and "
            f"whose `label` is an integer. Received: name={name!r} with the features {kinds}."
        )


def _unknown(name: object) -> ValueError:
    known = [*names(), *tfds.list_builders(with_community_datasets=False)]
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(
        f"`name` of load must be one of {', '.join(map(repr, names()))}, or the name of an image "
        f"data set of tensorflow-datasets.{hint} Received: name={name!r}."
    )


def _unavailable(name: str, data_dir: str, cause: object) -> FileNotFoundError:
    return FileNotFoundError(
        f"`name` of load must be a data set that is prepared in {data_dir}, or that can be "
        f"downloaded ({cause}). {WAY_OUT.format(name)}. Received: name={name!r}."
    )
