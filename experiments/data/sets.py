"""The tabular data sets of Table 6: what they are, their files, and how these are read."""

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.matlab import read_matlab
from experiments.data.tabular import DataSet, Raw, Source, class_indices, damaged, unfit
from experiments.data.text_tables import numbers, read_columns, read_table

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
_ASU = "https://jundongl.github.io/scikit-feature/files/datasets"
_CAVE = "http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20"

LETTERS = 617  # features of a spoken letter
ACTIVITY = 561  # features of an activity
ACTIVITIES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
_PROTEINS = """
    DYRK1A_N ITSN1_N BDNF_N NR1_N NR2A_N pAKT_N pBRAF_N pCAMKII_N pCREB_N pELK_N pERK_N
    pJNK_N PKCA_N pMEK_N pNR1_N pNR2A_N pNR2B_N pPKCAB_N pRSK_N AKT_N BRAF_N CAMKII_N CREB_N
    ELK_N ERK_N GSK3B_N JNK_N MEK_N TRKA_N RSK_N APP_N Bcatenin_N SOD1_N MTOR_N P38_N
    pMTOR_N DSCR1_N AMPKA_N NR2B_N pNUMB_N RAPTOR_N TIAM1_N pP70S6_N NUMB_N P70S6_N pGSK3B_N
    pPKCG_N CDK5_N S6_N ADARB1_N AcetylH3K9_N RRP1_N BAX_N ARC_N ERBB4_N nNOS_N Tau_N GFAP_N
    GluR3_N GluR4_N IL1B_N P3525_N pCASP9_N PSD95_N SNCA_N Ubiquitin_N pGSK3B_Tyr216_N SHH_N
    BAD_N BCL2_N pS6_N pCFOS_N SYP_N H3AcK18_N EGR1_N H3MeK4_N CaNA_N
"""  # in the published order
PROTEINS = tuple(_PROTEINS.split())
MICE = ("c-CS-m", "c-CS-s", "c-SC-m", "c-SC-s", "t-CS-m", "t-CS-s", "t-SC-m", "t-SC-s")
OBJECTS, VIEWS, SIDE = 20, 72, 20


def read_letters(paths: Sequence[Path]) -> Raw:
    """ISOLET as published: speakers 1 to 120 to train on, 30 others to test on."""
    parts = []
    for path in paths:
        table, lines = read_table(path, LETTERS + 1)
        parts.append((table[:, :-1], class_indices(path, table[:, -1], 26, lines)))
    return Raw.joined(parts)


def read_fifth(paths: Sequence[Path]) -> Raw:
    """The 1560 samples that the feature selection repository of ASU has made one file of."""
    x, y = read_matlab(paths[0], LETTERS)
    return Raw.joined([(x, class_indices(paths[0], y, 26))])


def read_activity(paths: Sequence[Path]) -> Raw:
    """Features and labels of the training and the test part."""
    parts = []
    for x_path, y_path in zip(paths[::2], paths[1::2], strict=True):
        x, _ = read_table(x_path, ACTIVITY)
        labels, lines = read_table(y_path, 1)
        y = class_indices(y_path, labels[:, 0], len(ACTIVITIES), lines)
        if len(x) != len(y):
            received = f"{len(x)}, and {len(y)} in the other"
            raise unfit(x_path, f"hold as many samples as {y_path.name}", received)
        parts.append((x, y))
    return Raw.joined(parts)


def read_mice(paths: Sequence[Path]) -> Raw:
    """Proteins and class of each row, found by the names in the header."""
    (path,), x, y = paths, [], []
    rows, places = read_columns(path, (*PROTEINS, "class"))
    for row in rows:
        *proteins, name = (row.fields[place].strip() for place in places)
        if name not in MICE:
            raise unfit(path, f"have the classes {', '.join(MICE)}", repr(name), row.line)
        x.append(numbers(path, row._replace(fields=proteins)))
        y.append(MICE.index(name))
    return Raw(np.array(x, np.float32).reshape(-1, len(PROTEINS)), np.array(y, np.int64), 0)


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
            raise unfit(path, "have 128×128 pixels", "×".join(map(str, image.shape)))
        images.append(shrink(image[None] / 255)[0])
    y = np.repeat(np.arange(OBJECTS), len(paths) // OBJECTS)
    return Raw(np.array(images, np.float32)[..., None], y, 0)


def read_matrix(paths: Sequence[Path]) -> Raw:
    """The 1440 images of 32×32 pixels that the ASU repository has made one file of."""
    x, y = read_matlab(paths[0], 32 * 32)
    x = x.astype(np.float64)
    if not 0 <= x.min() <= x.max() <= 1:
        raise unfit(paths[0], "have pixels in [0, 1]", f"pixels from {x.min()} to {x.max()}")
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
    # UCI has an Excel file. Any CSV export with the same header does, the columns in any order.
    # Each of the 72 mice was measured 15 times: whatever the split by rows, as in the paper,
    # accuracies say nothing about mice that were never seen.
    DataSet(
        name="mice_protein",
        description="Expression levels of 77 proteins; 1.7 % of the values are missing.",
        homepage="https://archive.ics.uci.edu/dataset/342/mice+protein+expression",
        citation="Higuera, C., Gardiner, K. and Cios, K. (2015). Mice Protein Expression. "
        "UCI Machine Learning Repository (CC BY 4.0).",
        classes=MICE,
        shape=(len(PROTEINS),),
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
