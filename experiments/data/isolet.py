"""ISOLET: 150 speakers say the name of each letter of the alphabet twice (UCI 54)."""

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.compress import decompress
from experiments.data.tabular import (
    DataSet,
    Raw,
    Source,
    class_indices,
    damaged,
    read_matlab,
    read_table,
)

FEATURES = 617
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/isolet"


def read_uci(paths: Sequence[Path]) -> Raw:
    """Read the published parts: speakers 1 to 120 to train on, 30 others to test on."""
    parts, labels = [], []
    for path in paths:
        content = path.read_bytes()
        try:
            # as UCI has it (.Z), or unpacked
            text = (decompress(content) if content[:2] == b"\x1f\x9d" else content).decode("ascii")
        except ValueError as error:
            raise damaged(path, error) from None
        table = read_table(path, FEATURES + 1, text)
        parts.append(table[:, :-1])
        labels.append(class_indices(path, table[:, -1], 26))
    x = np.concatenate(parts).astype(np.float32)
    return Raw(x, np.concatenate(labels), len(parts[0]))


def read_fifth(paths: Sequence[Path]) -> Raw:
    """Read the 1560 samples that the feature selection repository of ASU has made one file of."""
    x, y = read_matlab(paths[0], FEATURES)
    return Raw(x.astype(np.float32), class_indices(paths[0], y, 26), 0)


ISOLET = DataSet(
    name="isolet",
    description="Spoken names of letters as 617 features of the sound, in [-1, 1].",
    homepage="https://archive.ics.uci.edu/dataset/54/isolet",
    citation="Cole, R. and Fanty, M. (1991). ISOLET. UCI Machine Learning Repository.",
    classes=tuple(string.ascii_lowercase),
    shape=(FEATURES,),
    sources=(
        Source(
            variant="uci",
            files=("isolet1+2+3+4.data", "isolet5.data"),
            read=read_uci,
            rows=(6238, 1559),
            urls=(f"{_UCI}/isolet1+2+3+4.data.Z", f"{_UCI}/isolet5.data.Z"),
            folder="isolet",
        ),
        Source(
            variant="fifth",
            files=("Isolet.mat",),
            read=read_fifth,
            rows=(1560, 0),
            urls=("https://jundongl.github.io/scikit-feature/files/datasets/Isolet.mat",),
        ),
    ),
)
