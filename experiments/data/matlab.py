"""Samples and labels in a MATLAB file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from scipy.io import loadmat

from experiments.data.tabular import damaged, unfit

_LARGEST = 2**28  # values of a sparse array that is filled up


def read_matlab(path: Path, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """`X`, `(rows, columns)`, and `Y`, `(rows,)`, of a MATLAB file; either may be sparse."""
    try:
        content = loadmat(path)
    except NotImplementedError:
        must = "be of a version of MATLAB before 7.3: save(…, '-v7')"
        raise unfit(path, must, "an HDF5 file") from None
    except Exception as error:  # what scipy raises depends on where the file was cut
        if str(error).startswith("Unknown mat file type"):
            raise unfit(path, "be a MATLAB file", "one of another kind") from None
        raise damaged(path, error) from None
    x, y = (_array(path, content, name) for name in ("X", "Y"))
    shape, y = x.shape, y.ravel()
    if x.ndim != 2 or shape != (len(y), columns):
        must = f"have X with {columns} columns and a label in Y for each row"
        raise unfit(path, must, f"X of shape {shape} and {len(y)} labels")
    if np.isinf(x).any():
        row = int(np.argmax(np.isinf(x).any(axis=1)))
        raise unfit(path, "hold finite numbers, and NaN where one is missing", f"row {row + 1}")
    return x, y


def _array(path: Path, content: Mapping[str, Any], name: str) -> np.ndarray:
    array = content.get(name)
    if array is None:
        there = ", ".join(key for key in content if not key.startswith("__"))
        raise unfit(path, "have the arrays X and Y", there or "none")
    if scipy.sparse.issparse(array):
        if array.shape[0] * array.shape[1] > _LARGEST:
            raise unfit(path, f"have {name} of at most {_LARGEST} values", f"shape {array.shape}")
        array = array.toarray()
    if array.dtype.kind not in "biuf":
        raise unfit(path, f"have numbers in {name}", f"an array of {array.dtype}")
    return array
