"""One shard: its file, written all or nothing, and the sum beside it that says it is complete."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_uae._arrays import StoredArray, open_arrays
from keras_uae._files import TEMPORARY, atomic_write, file_size, sha256_of_file
from keras_uae.results import ROW_FIELDS, UAEs

NORMS = ("l2_norm", "max_norm")  # of x + δ − x: what else a shard holds of every sample
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([\w.-]+)\n\Z")

MISSING, DONE, DAMAGED = "missing", "done", "damaged"


def shard_path(directory: Path, number: int) -> Path:
    """The file of a shard."""
    return directory / f"shard-{number:06}.npz"


def sum_path(directory: Path, number: int) -> Path:
    """The file with the SHA-256 of a shard, as `sha256sum --check` reads it."""
    return directory / f"shard-{number:06}.npz.sha256"


def write_shard(directory: Path, number: int, found: UAEs, x: np.ndarray) -> None:
    """Write a shard, then its sum; in between it counts as missing."""
    path = shard_path(directory, number)
    sum_path(directory, number).unlink(missing_ok=True)
    arrays: dict[str, Any] = {name: getattr(found, name) for name in ROW_FIELDS}
    arrays.update(zip(NORMS, _norms(found.x - x), strict=True))
    with atomic_write(path) as file:
        np.savez(file, **arrays)
    with atomic_write(sum_path(directory, number)) as file:
        file.write(f"{sha256_of_file(path)}  {path.name}\n".encode())


def _norms(delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L2 norm and largest entry of every row, a row at a time: a shard is large."""
    l2 = [np.linalg.norm(row.astype(np.float64).ravel()) for row in delta]
    largest = [np.abs(row).max() for row in delta]
    return np.array(l2, np.float32), np.array(largest, np.float32)


def shard_state(directory: Path, number: int) -> str:
    """Whether a shard is `DONE`, `MISSING` or `DAMAGED`, by its sum."""
    path = shard_path(directory, number)
    try:
        if file_size(sum_path(directory, number)) > 4096:
            return DAMAGED
        line = _SUM_LINE.match(sum_path(directory, number).read_text(encoding="utf-8"))
        if not line or line[2] != path.name:
            return DAMAGED
        return DONE if sha256_of_file(path) == line[1] else DAMAGED
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError):
        return DAMAGED


def open_shard(
    directory: Path, number: int, rows: int, sample_shape: tuple[int, ...]
) -> dict[str, StoredArray]:
    """The arrays of a shard, whose shapes are as they must be.

    Raises:
        FileNotFoundError: There is no such shard.
        ValueError: It is damaged.
    """
    path = shard_path(directory, number)
    arrays = open_arrays(path)
    expected: dict[str, Any] = {name: (rows,) for name in (*ROW_FIELDS, *NORMS)}
    expected["x"] = (rows, *sample_shape)
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != expected:
        raise ValueError(f"{str(path)!r} must hold the arrays {expected}. Received: {shapes}.")
    return arrays


def remove_leftovers(directory: Path, numbers: range) -> None:
    """Remove what killed writers of these shards left behind."""
    names = {path(directory, n).name for n in numbers for path in (shard_path, sum_path)}
    for path in directory.glob(f"*{TEMPORARY}"):
        if path.name.removesuffix(TEMPORARY).rpartition(".")[0] in names | {"manifest.json"}:
            path.unlink(missing_ok=True)


def free_bytes(directory: Path) -> int:
    """Space left on the disk of a directory."""
    if hasattr(os, "statvfs"):
        status = os.statvfs(directory)
        return status.f_bavail * status.f_frsize
    return 2**63
