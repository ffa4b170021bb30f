"""A program: writes the arrays X and Y of a MATLAB file to standard output, as .npz.

It is a process of its own because scipy ends the process on some files that are damaged. What is
wrong goes to standard error, what the file must and what it has between tabs.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from scipy.io import loadmat

_LARGEST = 2**28  # values of an array


class UnfitError(Exception):
    """What a file must, and what it has instead."""


def load(path: str) -> dict[str, np.ndarray]:
    """X and Y of a MATLAB file."""
    try:
        content = loadmat(path)
    except NotImplementedError:
        raise UnfitError("be of a MATLAB before 7.3: save(…, '-v7')", "an HDF5 file") from None
    except ValueError as error:
        if str(error).startswith("Unknown mat file type"):
            raise UnfitError("be a MATLAB file", "one of another kind") from None
        raise
    return {name: _array(content, name) for name in ("X", "Y")}


def _array(content: Mapping[str, Any], name: str) -> np.ndarray:
    array = content.get(name)
    if array is None:
        there = ", ".join(key for key in content if not key.startswith("__"))
        raise UnfitError("have the arrays X and Y", there or "none")
    if scipy.sparse.issparse(array):
        if array.shape[0] * array.shape[1] > _LARGEST:
            raise UnfitError(f"have {name} of at most {_LARGEST} values", f"shape {array.shape}")
        if hasattr(array, "check_format"):  # a list of places is checked where it is made
            array.check_format(full_check=True)  # `toarray` writes wherever the indices say
        array = array.toarray()
    if array.dtype.kind not in "biuf":
        raise UnfitError(f"have numbers in {name}", f"an array of {array.dtype}")
    return array


if __name__ == "__main__":
    try:
        arrays: dict[str, Any] = load(sys.argv[1])
        np.savez(sys.stdout.buffer, **arrays)
    except UnfitError as unfit:
        sys.exit("\t".join(unfit.args))
    except Exception as error:  # what scipy raises depends on where the file was cut
        sys.exit(str(error) or type(error).__name__)
