"""Human activities by the sensors of a smartphone at the waist (UCI 364).

The 561 features are those of the better known UCI 240, which has other samples: the paper's counts,
4252 and 1492, are those of UCI 364, and so is the folder `dataset_uci` of its published code.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.tabular import DataSet, Raw, Source, class_indices, damaged, read_table

FEATURES = 561
CLASSES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")


def read_uci(paths: Sequence[Path]) -> Raw:
    """Read features and labels of the training and the test part."""
    xs, ys = [], []
    for x_path, y_path in zip(paths[::2], paths[1::2], strict=True):
        xs.append(read_table(x_path, FEATURES))
        labels = read_table(y_path, 1)[:, 0]
        ys.append(class_indices(y_path, labels, len(CLASSES)))
        if len(xs[-1]) != len(labels):
            raise damaged(x_path, f"{len(xs[-1])} samples, but {len(labels)} in {y_path.name}")
    return Raw(np.concatenate(xs).astype(np.float32), np.concatenate(ys), len(xs[0]))


ACTIVITY = DataSet(
    name="activity",
    description="Six activities as 561 features of acceleration and angular velocity.",
    homepage="https://archive.ics.uci.edu/dataset/364",
    citation="Davis, K. and Owusu, E. (2016). Smartphone Dataset for Human Activity Recognition "
    "(HAR) in Ambient Assisted Living (AAL). UCI Machine Learning Repository.",
    classes=CLASSES,
    shape=(FEATURES,),
    sources=(
        Source(
            variant="uci",
            files=(
                "final_X_train.txt",
                "final_y_train.txt",
                "final_X_test.txt",
                "final_y_test.txt",
            ),
            read=read_uci,
            rows=(4252, 1492),
            urls=(
                "https://archive.ics.uci.edu/ml/machine-learning-databases/00364/dataset_uci.zip",
            ),
            folder="dataset_uci",
        ),
    ),
)
