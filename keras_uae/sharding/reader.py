"""Read a directory of shards without loading it: rows, figures, checks, one file of all."""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_uae._arrays import StoredArray, read_archive
from keras_uae._files import atomic_write
from keras_uae.results import ROW_FIELDS, measure_member
from keras_uae.sharding.attack_config import measure_of
from keras_uae.sharding.fingerprints import LabelHash, SampleHash
from keras_uae.sharding.manifest import Manifest
from keras_uae.sharding.shards import DONE, open_shard, shard_state

_READ_BYTES = 2**24


class Shards:
    """The shards in a directory. Nothing in it is believed, nothing is kept in memory.

    Args:
        directory: Where `keras-uae generate` wrote them.

    Attributes:
        manifest: What they were made from.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: It is damaged.

    Example:

        >>> uae.generate_shards(attack, x_train, "uaes", resume=True)
        >>> shards = uae.Shards("uaes")
        >>> len(shards), shards.states()
        >>> shards.column("success", range(shards.manifest.shards)).mean()
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self.manifest = Manifest.read(self.directory)

    def __len__(self) -> int:
        return self.manifest.count

    def states(self, on_shard: Callable[[int], None] = lambda number: None) -> list[str]:
        """Whether each shard is done, missing, damaged or of another run, by the SHA-256 sums."""
        states = []
        for number in range(self.manifest.shards):
            states.append(self.state(number))
            on_shard(number)
        return states

    def state(self, number: int, *, whole: bool = True) -> str:
        """The state of one; not `whole`: without a look at all bytes, so quick for any size."""
        return shard_state(self.directory, self.manifest, number, whole=whole)

    def open(self, number: int) -> dict[str, StoredArray]:
        """The arrays of a shard.

        Raises:
            FileNotFoundError, ValueError: It is missing or damaged.
        """
        return open_shard(self.directory, self.manifest, number)

    def column(self, name: str, numbers: Sequence[int]) -> np.ndarray:
        """One value for every sample of some shards.

        Raises:
            FileNotFoundError, ValueError: A shard is missing, or this array in it is damaged.
        """
        return np.concatenate([self._whole(number, name) for number in numbers])

    def _whole(self, number: int, name: str) -> np.ndarray:
        """An array of a shard, whose sum in the archive is looked at."""
        array = self.open(number)[name]
        return read_archive(array.path, {name: array})[name]

    def samples(self) -> "ShardedSamples":
        """The examples as an array of which only the rows in use are in memory."""
        return ShardedSamples(self)

    def changed_inputs(
        self, read: Callable[[int, int], np.ndarray], numbers: Sequence[int] | None = None
    ) -> list[int]:
        """The shards, of all or of `numbers`, made from other samples than `read(start, stop)`."""
        manifest, changed = self.manifest, []
        step = max(_READ_BYTES // max(int(np.prod(manifest.sample_shape)) * 4, 1), 1)
        for number in range(manifest.shards) if numbers is None else numbers:
            rows = manifest.rows(number)
            digest = SampleHash(manifest.sample_shape, manifest.dtype)
            for start in range(rows.start, rows.stop, step):
                digest.update(read(start, min(start + step, rows.stop)))
            if digest.hexdigest() != manifest.inputs[number]:
                changed.append(number)
        return changed

    def changed_labels(self, read: Callable[[int, int], np.ndarray]) -> list[int]:
        """The shards that were made with other labels than `read(start, stop)` gives."""
        changed = []
        for number, expected in enumerate(self.manifest.labels or ()):
            rows = self.manifest.rows(number)
            digest = LabelHash()
            digest.update(read(rows.start, rows.stop))
            if digest.hexdigest() != expected:
                changed.append(number)
        return changed


class ShardedSamples:
    """The examples of all shards as one array, read row by row.

    It has of an array what gathering rows needs: `shape`, `dtype`, `len`, and rows by an integer, a
    slice, an array of integers or a mask. All files are read once at the beginning, so that nobody
    trains on a damaged one.

    Raises:
        ValueError: A shard is missing, damaged or of another run, by the SHA-256 sums.
    """

    streamed = True

    def __init__(self, shards: Shards):
        manifest, states = shards.manifest, shards.states()
        wrong = [number for number, state in enumerate(states) if state != DONE]
        if wrong:
            raise ValueError(
                f"{str(shards.directory)!r} must be complete. Received: shard {wrong[0]} of "
                f"{len(states)} is {states[wrong[0]]}; `keras-uae generate --resume` makes it."
            )
        self._size = manifest.shard_size
        self._arrays = [shards.open(number)["x"] for number in range(manifest.shards)]
        self.shape = (manifest.count, *manifest.sample_shape)
        self.dtype = self._arrays[0].dtype
        self.ndim = len(self.shape)
        self._places = np.arange(manifest.count)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        places = np.asarray(self._places[index])
        rows = places.reshape(-1)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        owner = rows // self._size
        for number in np.unique(owner):
            mine = owner == number
            out[mine] = self._arrays[number].rows(rows[mine] - number * self._size)
        return out.reshape(*places.shape, *self.shape[1:])


def merge(parts: Sequence[Shards], path: Path, *, overwrite: bool = True) -> int:
    """Write the shards of one run as one file that `UAEs.load` reads, a shard in memory at a time.

    Args:
        parts: Directories of the same run, which may have been made in several places: a shard is
            taken from the first one that has it.
        path: The file.
        overwrite: Boolean, replace the file if it is there. Defaults to `True`.

    Returns:
        Number of samples.

    Raises:
        ValueError: The runs differ, or a shard is missing or damaged everywhere.
        FileExistsError: The file is there, and `overwrite` is false.
    """
    manifest = parts[0].manifest
    for part in parts[1:]:
        changes = manifest.differences(part.manifest)
        if changes:
            raise ValueError(
                f"{str(part.directory)!r} holds another run:\n  " + "\n  ".join(changes)
            )
    owners = [_owner(parts, number) for number in range(manifest.shards)]
    first = owners[0].open(0)
    with atomic_write(path, overwrite=overwrite) as file, zipfile.ZipFile(file, "w") as archive:
        for name in ROW_FIELDS:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                header = {
                    "descr": np.lib.format.dtype_to_descr(first[name].dtype),
                    "fortran_order": False,
                    "shape": (manifest.count, *first[name].shape[1:]),
                }
                np.lib.format.write_array_header_1_0(member, header)
                for value in _column(owners, name):
                    member.write(value.tobytes())
        for name, array in measure_member(measure_of(manifest.attack)).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return manifest.count


def _owner(parts: Sequence[Shards], number: int) -> Shards:
    for part in parts:
        if part.state(number) == DONE:
            return part
    places = ", ".join(str(part.directory) for part in parts)
    raise ValueError(f"Shard {number} is missing, damaged or of another run in {places}.")


def _column(owners: Sequence[Shards], name: str) -> Iterator[np.ndarray]:
    for number, owner in enumerate(owners):
        yield owner.open(number)[name].read()
