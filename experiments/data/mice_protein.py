"""Protein levels in the cortex of mice, in eight groups by genotype, drug and learning (UCI 342).

UCI has the table as an Excel file. The CSV export of it that circulates is in the repository of
LassoNet; any other export with the same columns does as well, missing values as empty fields.
Each of the 72 mice was measured 15 times: whatever the split by rows, as in the paper, most mice
are on both sides of it, and accuracies say nothing about mice that were never seen.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.tabular import DataSet, Raw, Source, damaged

FEATURES = 77
CLASSES = ("c-CS-m", "c-CS-s", "c-SC-m", "c-SC-s", "t-CS-m", "t-CS-s", "t-SC-m", "t-SC-s")
_COLUMNS = 1 + FEATURES + 4  # the identity of the measurement, and genotype to class


def read_csv(paths: Sequence[Path]) -> Raw:
    """Read the table; a missing value becomes NaN."""
    (path,) = paths
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (ValueError, csv.Error) as error:
        raise damaged(path, error) from None
    x, y = [], []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != _COLUMNS:
            raise damaged(
                path, f"{len(row)} fields in line {number} where there should be {_COLUMNS}"
            )
        if row[-1] not in CLASSES:
            raise damaged(path, f"there is no class {row[-1]!r} (line {number})")
        try:
            x.append([float(field) if field else np.nan for field in row[1 : 1 + FEATURES]])
        except ValueError as error:
            raise damaged(path, f"{error} (line {number})") from None
        y.append(CLASSES.index(row[-1]))
    values = np.array(x, np.float32).reshape(-1, FEATURES)
    if np.isinf(values).any():
        raise damaged(path, "it holds an infinite value")
    return Raw(values, np.array(y, np.int64), 0)


MICE_PROTEIN = DataSet(
    name="mice_protein",
    description="Expression levels of 77 proteins; 1.7 % of the values are missing.",
    homepage="https://archive.ics.uci.edu/dataset/342/mice+protein+expression",
    citation="Higuera, C., Gardiner, K. and Cios, K. (2015). Mice Protein Expression. "
    "UCI Machine Learning Repository (CC BY 4.0).",
    classes=CLASSES,
    shape=(FEATURES,),
    sources=(
        Source(
            variant="csv",
            files=("Data_Cortex_Nuclear.csv",),
            read=read_csv,
            rows=(1080, 0),
            urls=(
                "https://raw.githubusercontent.com/lasso-net/lassonet/"
                "b313062fde737f5b3c917267c0d866c13e59fd2a/examples/Data_Cortex_Nuclear.csv",
            ),
        ),
    ),
)
