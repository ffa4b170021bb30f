"""The tabular data sets of Table 6: what they are, their files, and how these are read."""

import csv
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.tabular import (
    DataSet,
    Raw,
    Source,
    class_indices,
    damaged,
    read_matlab,
    read_table,
)

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
_ASU = "https://jundongl.github.io/scikit-feature/files/datasets"
_CAVE = "http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20"

LETTERS = 617  # features of a spoken letter
ACTIVITY = 561  # features of an activity
ACTIVITIES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
PROTEINS = 77
MICE = ("c-CS-m", "c-CS-s", "c-SC-m", "c-SC-s", "t-CS-m", "t-CS-s", "t-SC-m", "t-SC-s")
OBJECTS, VIEWS, SIDE = 20, 72, 20


def read_letters(paths: Sequence[Path]) -> Raw:
    """ISOLET as published: speakers 1 to 120 to train on, 30 others to test on."""
    tables = [read_table(path, LETTERS + 1) for path in paths]
    y = [class_indices(path, each[:, -1], 26) for path, each in zip(paths, tables, strict=True)]
    x = np.concatenate(tables)[:, :-1].astype(np.float32)
    return Raw(x, np.concatenate(y), len(tables[0]))


def read_fifth(paths: Sequence[Path]) -> Raw:
    """The 1560 samples that the feature selection repository of ASU has made one file of."""
    x, y = read_matlab(paths[0], LETTERS)
    return Raw(x.astype(np.float32), class_indices(paths[0], y, 26), 0)


def read_activity(paths: Sequence[Path]) -> Raw:
    """Features and labels of the training and the test part."""
    xs, ys = [], []
    for x_path, y_path in zip(paths[::2], paths[1::2], strict=True):
        xs.append(read_table(x_path, ACTIVITY))
        ys.append(class_indices(y_path, read_table(y_path, 1)[:, 0], len(ACTIVITIES)))
        if len(xs[-1]) != len(ys[-1]):
            raise damaged(x_path, f"{len(xs[-1])} samples, but {len(ys[-1])} in {y_path.name}")
    return Raw(np.concatenate(xs).astype(np.float32), np.concatenate(ys), len(xs[0]))


def read_mice(paths: Sequence[Path]) -> Raw:
    """A row is an identity, the proteins, four groups; a missing value becomes NaN."""
    (path,), width, x, y = paths, 1 + PROTEINS + 4, [], []
    number = 0
    try:
        rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
        for number, row in enumerate(list(rows)[1:], 2):
            if len(row) != width:
                raise ValueError(
                    f"{len(row)} fields in line {number} where there should be {width}"
                )
            if row[-1] not in MICE:
                raise ValueError(f"there is no class {row[-1]!r}")
            x.append([float(field) if field else np.nan for field in row[1 : 1 + PROTEINS]])
            y.append(MICE.index(row[-1]))
    except (ValueError, csv.Error) as error:
        raise damaged(path, f"{error} (line {number})") from None
    values = np.array(x, np.float32).reshape(-1, PROTEINS)
    if np.isinf(values).any():
        raise damaged(path, "it holds an infinite value")
    return Raw(values, np.array(y, np.int64), 0)


def shrink(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Scale square images `(n, size, size)` to `(n, side, side)` by the mean over areas.

    A thin line does not depend on where it falls between the samples of a pixel.
    """
    size = images.shape[1]
    edges = np.arange(side + 1)[:, None] * (size / side)
    pixels = np.arange(size)
    # length of pixel j that lies inside of [edge i, edge i + 1]
    overlap = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    weights = np.maximum(overlap, 0) * (side / size)
    return np.clip(weights @ images @ weights.T, 0, images.max())


def read_objects(paths: Sequence[Path]) -> Raw:
    """The 1440 PNG files of 128×128 pixels."""
    import tensorflow as tf  # only this data set needs it, to read images

    images = []
    for path in paths:
        try:
            image = tf.io.decode_png(path.read_bytes(), channels=1).numpy()[..., 0]
        except tf.errors.OpError as error:
            raise damaged(path, error.message.splitlines()[0]) from None
        if image.shape != (128, 128):
            raise damaged(path, f"{image.shape} pixels where there should be (128, 128)")
        images.append(shrink(image[None] / 255)[0])
    y = np.repeat(np.arange(OBJECTS), len(paths) // OBJECTS)
    return Raw(np.array(images, np.float32)[..., None], y, 0)


def read_matrix(paths: Sequence[Path]) -> Raw:
    """The 1440 images of 32×32 pixels that the ASU repository has made one file of."""
    x, y = read_matlab(paths[0], 32 * 32)
    x = x.astype(np.float64)
    if x.min() < 0 or x.max() > 1:
        raise damaged(paths[0], f"pixels from {x.min()} to {x.max()}, not in [0, 1]")
    images = shrink(x.reshape(-1, 32, 32).swapaxes(1, 2))  # MATLAB goes down the columns
    return Raw(images.astype(np.float32)[..., None], class_indices(paths[0], y, OBJECTS), 0)


_SETS = (
    DataSet(
        name="isolet",
        description="Spoken names of letters as 617 features of the sound, in [-1, 1].",
        homepage="https://archive.ics.uci.edu/dataset/54/isolet",
        citation="Cole, R. and Fanty, M. (1991). ISOLET. UCI Machine Learning Repository.",
        classes=tuple(string.ascii_lowercase),
        shape=(LETTERS,),
        sources=(
            Source(
                variant="uci",
                files=("isolet1+2+3+4.data", "isolet5.data"),
                read=read_letters,
                rows=(6238, 1559),
                urls=(f"{_UCI}/isolet/isolet1+2+3+4.data.Z", f"{_UCI}/isolet/isolet5.data.Z"),
                folder="isolet",
            ),
            Source("fifth", ("Isolet.mat",), read_fifth, (1560, 0), (f"{_ASU}/Isolet.mat",)),
        ),
    ),
    # The concrete autoencoder and the paper scale the processed 128×128 images to 20×20.
    DataSet(
        name="coil20",
        description="Grey images of 20 objects in 72 views each, 20x20 pixels in [0, 1].",
        homepage="https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
        citation="Nene, S. A., Nayar, S. K. and Murase, H. (1996). Columbia Object Image Library "
        "(COIL-20). Technical Report CUCS-005-96.",
        classes=tuple(f"object_{number + 1}" for number in range(OBJECTS)),
        shape=(SIDE, SIDE, 1),
        sources=(
            Source(
                variant="proc",
                files=tuple(
                    f"obj{number + 1}__{view}.png"
                    for number in range(OBJECTS)
                    for view in range(VIEWS)
                ),
                read=read_objects,
                rows=(OBJECTS * VIEWS, 0),
                urls=(f"{_CAVE}/coil-20-proc.zip",),
                folder="coil-20-proc",
            ),
            Source("matlab", ("COIL20.mat",), read_matrix, (1440, 0), (f"{_ASU}/COIL20.mat",)),
        ),
    ),
    # UCI has an Excel file. Any CSV export with the same columns does, missing values as empty
    # fields. Each of the 72 mice was measured 15 times: whatever the split by rows, as in the
    # paper, accuracies say nothing about mice that were never seen.
    DataSet(
        name="mice_protein",
        description="Expression levels of 77 proteins; 1.7 % of the values are missing.",
        homepage="https://archive.ics.uci.edu/dataset/342/mice+protein+expression",
        citation="Higuera, C., Gardiner, K. and Cios, K. (2015). Mice Protein Expression. "
        "UCI Machine Learning Repository (CC BY 4.0).",
        classes=MICE,
        shape=(PROTEINS,),
        sources=(
            Source(
                variant="csv",
                files=("Data_Cortex_Nuclear.csv",),
                read=read_mice,
                rows=(1080, 0),
                urls=(
                    "https://raw.githubusercontent.com/lasso-net/lassonet/"
                    "b313062fde737f5b3c917267c0d866c13e59fd2a/examples/Data_Cortex_Nuclear.csv",
                ),
            ),
        ),
    ),
    # The features are those of the better known UCI 240, which has other samples: the paper's
    # counts are those of UCI 364, and so is the folder `dataset_uci` of its published code.
    DataSet(
        name="activity",
        description="Six activities as 561 features of acceleration and angular velocity.",
        homepage="https://archive.ics.uci.edu/dataset/364",
        citation="Davis, K. and Owusu, E. (2016). Smartphone Dataset for Human Activity "
        "Recognition (HAR) in Ambient Assisted Living (AAL). UCI Machine Learning Repository.",
        classes=ACTIVITIES,
        shape=(ACTIVITY,),
        sources=(
            Source(
                variant="uci",
                files=tuple(f"final_{of}_{part}.txt" for part in ("train", "test") for of in "Xy"),
                read=read_activity,
                rows=(4252, 1492),
                urls=(f"{_UCI}/00364/dataset_uci.zip",),
                folder="dataset_uci",
            ),
        ),
    ),
)
TABULAR = {each.name: each for each in _SETS}
