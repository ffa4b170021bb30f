"""Data sets as plain arrays: `load("mnist")` is all that a script needs to know.

`digits` comes with scikit-learn. All others are read by tensorflow-datasets from `data_dir`, by
default the directory in the environment variable TFDS_DATA_DIR, or else ~/tensorflow_datasets.
What is prepared there is read without the network; the rest is downloaded. Those of `TABULAR` are
also read from the files of their publishers, if these are in `data_dir`.

Another tabular data set is an entry of `TABULAR` in sets.py.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from experiments.data.preparation import PROTOCOLS, prepare
from experiments.data.sets import TABULAR
from experiments.data.tabular import Raw
from keras_uae._checks import check_choice, check_integer

__all__ = ["COUNTS", "PROTOCOLS", "TABULAR", "Split", "load", "names"]

# Training and test images of the sets that the experiments use; `load` checks them.
COUNTS = {
    "digits": (1437, 360),
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "svhn_cropped": (73_257, 26_032),
    "cifar10": (50_000, 10_000),
    "cifar10_first5k": (4_000, 1_000),
    "tiny_imagenet200": (100_000, 10_000),
}


def names() -> tuple[str, ...]:
    """The data sets that the experiments use, images first."""
    return (*COUNTS, *TABULAR)


class Split(NamedTuple):
    """Samples, float32 in [0, 1], and labels `(n,)`, int64.

    Samples are images `(n, height, width, channels)`, or features `(n, features)`.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def flat(self) -> "Split":
        """The same with each sample as a row of features."""
        x_train, x_test = (x.reshape(len(x), -1) for x in (self.x_train, self.x_test))
        return self._replace(x_train=x_train, x_test=x_test)


def load(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    train_size: int | None = None,
    seed: int = 0,
    protocol: str = "clean",
) -> Split:
    """Return the training and test samples of a data set with their labels.

    Args:
        name: One of `names()`, or any image data set of tensorflow-datasets whose images have one
            size; `name/config` and `name:version` work too.
        data_dir: Where the files are; the top of this file tells the default.
        train_size: Keep the first so many training samples: a smaller set is the beginning of a
            larger one. Defaults to all.
        seed: Fixes the split of data sets that come without one, stratified by label.
        protocol: `"clean"`, or `"published"`, the way of the paper's code; see preparation.py.

    Raises:
        ValueError: The name is unknown, or the data are not what they should be.
        FileNotFoundError: The data set is not in `data_dir` and cannot be downloaded.
        OSError: Its files are damaged.
    """
    check_choice("load", "protocol", protocol, PROTOCOLS)
    seed = check_integer("load", "seed", seed, 0, 2**32 - 1)
    folder = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    folder = folder.expanduser()
    if name == "digits":
        digits, protocol = load_digits(), "clean"
        x, y = (digits.images[..., None] / 16).astype(np.float32), digits.target
        raw = Raw(x, y.astype(np.int64), 0)
    elif isinstance(name, str) and name in TABULAR:
        raw = TABULAR[name].read(folder) or _read_prepared(name, folder)
    else:
        return _load_images(name, folder, train_size)
    split = Split(*prepare(raw, protocol=protocol, seed=seed))
    size = _check_size(train_size, len(split.x_train))
    return split._replace(x_train=split.x_train[:size], y_train=split.y_train[:size])


# tensorflow-datasets is an extra, and takes seconds: it is imported where it is needed


def _read_prepared(name: str, folder: Path) -> Raw:
    from experiments.data.builders import read_prepared

    return read_prepared(name, folder)


def _load_images(name: str, folder: Path, train_size: int | None) -> Split:
    from experiments.data.images import find_images, read_images

    builder = find_images(name, str(folder))
    counts = tuple(builder.info.splits[part].num_examples for part in ("train", "test"))
    if counts != COUNTS.get(builder.name, counts):
        raise ValueError(
            f"`name` of load must be a data set of {COUNTS[builder.name]} training and test "
            f"images. Received: name={name!r} with {counts} in {builder.data_dir}."
        )
    size = _check_size(train_size, counts[0])
    return Split(*read_images(builder, f"train[:{size}]"), *read_images(builder, "test"))


def _check_size(train_size: int | None, most: int) -> int:
    return most if train_size is None else check_integer("load", "train_size", train_size, 1, most)
