"""One shard: its file, written all or nothing, and the sum beside it that says it is complete."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_uae._arrays import StoredArray, open_arrays
from keras_uae._files import (
    TEMPORARY,
    atomic_write,
    file_size,
    remove_stale,
    sha256_of_file,
)
from keras_uae.results import ROW_FIELDS, UAEs
from keras_uae.sharding.manifest import FILE_NAME, Manifest

NORMS = ("l2_norm", "max_norm")  # of x + δ − x: what else a shard holds of every sample
_KINDS = {"success": "b", "frozen": "b", "iteration": "iu"}  # of dtypes; all others are floats
# the line of `sha256sum`, then what it takes for a comment
_SUM = re.compile(r"([0-9a-f]{64})  ([\w.-]+)\n(?:# run ([0-9a-f]{64})\n)?\Z")

MISSING, DONE, DAMAGED, FOREIGN = "missing", "done", "damaged", "of another run"


def shard_path(directory: Path, number: int) -> Path:
    """The file of a shard."""
    return directory / f"shard-{number:06}.npz"


def sum_path(directory: Path, number: int) -> Path:
    """The file with the SHA-256 of a shard, as `sha256sum --check` reads it, bound to its run."""
    return directory / f"shard-{number:06}.npz.sha256"


SHARD_FILES = (shard_path, sum_path)


def write_shard(
    directory: Path, manifest: Manifest, number: int, found: UAEs, x: np.ndarray
) -> None:
    """Write a shard, then its sum; in between it counts as missing, or as damaged.

    Two writers of a shard write the same bytes, so that it does not matter who is the last one.
    """
    path = shard_path(directory, number)
    arrays: dict[str, Any] = {name: getattr(found, name) for name in ROW_FIELDS}
    arrays.update(zip(NORMS, _norms(found.x - x), strict=True))
    with atomic_write(path) as file:
        np.savez(file, **arrays)
    file_sum = sha256_of_file(path)
    with atomic_write(sum_path(directory, number)) as file:
        file.write(f"{file_sum}  {path.name}\n".encode())
        file.write(f"# run {manifest.bound(number, file_sum)}\n".encode())


def _norms(delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L2 norm and largest entry of every row, a row at a time: a shard is large."""
    l2 = [np.linalg.norm(row.astype(np.float64).ravel()) for row in delta]
    largest = [np.abs(row).max() for row in delta]
    return np.array(l2, np.float32), np.array(largest, np.float32)


def shard_state(directory: Path, manifest: Manifest, number: int, *, whole: bool = True) -> str:
    """Whether a shard is `DONE`, `MISSING`, `DAMAGED` or `FOREIGN`, by its sum and its arrays.

    Not `whole`: the sum is not compared with the bytes, only with the run.
    """
    path = shard_path(directory, number)
    try:
        if file_size(sum_path(directory, number)) > 4096:
            return DAMAGED
        content = _SUM.match(sum_path(directory, number).read_text(encoding="utf-8"))
        if not content or content[2] != path.name:
            return DAMAGED
        if whole and sha256_of_file(path) != content[1]:
            return DAMAGED
        unbound = content[3] is None and manifest.version == 1
        if not unbound and content[3] != manifest.bound(number, content[1]):
            return FOREIGN
        open_shard(directory, manifest, number)
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError):
        return DAMAGED
    return DONE


def open_shard(directory: Path, manifest: Manifest, number: int) -> dict[str, StoredArray]:
    """The arrays of a shard, whose shapes and dtypes are as they must be.

    Raises:
        FileNotFoundError: There is no such shard.
        ValueError: It is damaged.
    """
    path, rows = shard_path(directory, number), len(manifest.rows(number))
    arrays = open_arrays(path)
    expected: dict[str, Any] = {name: (rows,) for name in (*ROW_FIELDS, *NORMS)}
    expected["x"] = (rows, *manifest.sample_shape)
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != expected:
        raise ValueError(f"{str(path)!r} must hold the arrays {expected}. Received: {shapes}.")
    dtypes = {name: array.dtype for name, array in arrays.items()}
    if dtypes["x"] != manifest.dtype or any(
        dtype.kind not in _KINDS.get(name, "f") for name, dtype in dtypes.items()
    ):
        raise ValueError(
            f"{str(path)!r} must hold x in {manifest.dtype}, and beside it booleans, integers and "
            f"floats as keras_uae writes them. Received: {dtypes}."
        )
    return arrays


def remove_leftovers(directory: Path, numbers: range) -> None:
    """Remove what killed writers of these shards left behind, not what living ones write."""
    names = {path(directory, n).name for n in numbers for path in SHARD_FILES}
    for path in directory.glob(f"*{TEMPORARY}"):
        if path.name.removesuffix(TEMPORARY).rpartition(".")[0] in names | {FILE_NAME}:
            remove_stale(path)


def free_bytes(directory: Path) -> int:
    """Space left on the disk of a directory."""
    if hasattr(os, "statvfs"):
        status = os.statvfs(directory)
        return status.f_bavail * status.f_frsize
    return 2**63
