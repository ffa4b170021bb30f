"""Samples and labels in a MATLAB file."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np

from experiments.data import load_matlab
from experiments.data.tabular import damaged, unfit

_SECONDS = 300


def read_matlab(path: Path, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """`X`, `(rows, columns)`, and `Y`, `(rows,)`, of a MATLAB file; either may be sparse.

    Raises:
        OSError: The file is damaged.
        ValueError: It has another form.
    """
    program = [sys.executable, load_matlab.__file__, str(path)]
    try:
        done = subprocess.run(program, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise damaged(path, error) from None
    if done.returncode:
        must, _, received = done.stderr.decode(errors="replace").strip().partition("\t")
        if received:
            raise unfit(path, must, received)
        raise damaged(path, must.rpartition("\n")[2] or f"scipy ended by {-done.returncode}")
    with np.load(io.BytesIO(done.stdout)) as arrays:
        x, y = arrays["X"], arrays["Y"].ravel()
    if x.ndim != 2 or x.shape != (len(y), columns):
        must = f"have X with {columns} columns and a label in Y for each row"
        raise unfit(path, must, f"X of shape {x.shape} and {len(y)} labels")
    if np.isinf(x).any():
        row = int(np.argmax(np.isinf(x).any(axis=1)))
        raise unfit(path, "hold finite numbers, and NaN where one is missing", f"row {row + 1}")
    return x, y
