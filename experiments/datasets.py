"""Image data sets as plain arrays: `load("mnist")` is all that a script needs to know.

`digits` comes with scikit-learn. All others are read by tensorflow-datasets from `data_dir`, by
default the directory in the environment variable TFDS_DATA_DIR, or else ~/tensorflow_datasets.
What is prepared there is read without the network; the rest is downloaded.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_uae.checks import check_integer

# Training and test images of the sets that the experiments use; `load` checks them.
COUNTS = {
    "digits": (1437, 360),
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "svhn_cropped": (73_257, 26_032),
    "cifar10": (50_000, 10_000),
    "cifar10_first5k": (4_000, 1_000),
}


class Split(NamedTuple):
    """Images `(n, height, width, channels)`, float32 in [0, 1], and labels `(n,)`, int64."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    train_size: int | None = None,
    seed: int = 0,
) -> Split:
    """Return the training and test images of a data set with their labels.

    Args:
        name: One of `COUNTS`, or any image data set of tensorflow-datasets whose images have one
            size; `name/config` and `name:version` work too.
        data_dir: Directory of tensorflow-datasets. See the top of this file for the default.
        train_size: Keep the first so many training images, in the order of the data set: a smaller
            set is the beginning of a larger one. Defaults to all.
        seed: Fixes the split of `digits`, which is stratified by label. All other data sets come
            with a split of their own.

    Raises:
        ValueError: The name is unknown, the data set is not one of labelled images in a training
            and a test part, it has not as many as it should, or less than `train_size`.
        FileNotFoundError: The data set is not in `data_dir` and cannot be downloaded.
        OSError: Its files are damaged.
    """
    if name == "digits":
        return _load_digits(train_size, seed)
    # Imported here: tensorflow-datasets is an extra, and takes seconds.
    from experiments.tfds_images import find_images, read_images

    folder = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    builder = find_images(name, str(folder.expanduser()), COUNTS)
    counts = tuple(builder.info.splits[part].num_examples for part in ("train", "test"))
    if counts != COUNTS.get(builder.name, counts):
        raise ValueError(
            f"`name` of load must be a data set of {COUNTS[builder.name]} training and test "
            f"images. Received: name={name!r} with {counts} in {builder.data_dir}."
        )
    size = _check_size(train_size, counts[0])
    return Split(*read_images(builder, f"train[:{size}]"), *read_images(builder, "test"))


def _load_digits(train_size: int | None, seed: int) -> Split:
    data = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        (data.images[..., None] / 16).astype(np.float32),
        data.target.astype(np.int64),
        test_size=COUNTS["digits"][1],
        random_state=check_integer("load", "seed", seed, 0, 2**32 - 1),
        stratify=data.target,
    )
    size = _check_size(train_size, len(x_train))
    return Split(x_train[:size], y_train[:size], x_test, y_test)


def _check_size(train_size: int | None, most: int) -> int:
    return most if train_size is None else check_integer("load", "train_size", train_size, 1, most)
