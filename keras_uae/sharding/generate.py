"""Generate UAEs as shards: plan the run or recognise it, then make what is missing."""

import contextlib
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from keras_uae._checks import check_integer, check_samples
from keras_uae._datasets import samples_and_labels
from keras_uae._errors import DiskFullError, ManifestError, OtherRunError
from keras_uae._files import TEMPORARY, is_no_space
from keras_uae._inputs import as_labels
from keras_uae._memory import check_fits, free_memory
from keras_uae._model_layers import CallableModel
from keras_uae.attacks.base import Attack
from keras_uae.sharding.attack_config import describe_attack
from keras_uae.sharding.fingerprints import LabelHash, SampleHash, environment, model_fingerprint
from keras_uae.sharding.manifest import (
    FILE_NAME,
    LARGEST_COUNT,
    Manifest,
    shard_rows,
)
from keras_uae.sharding.models import layer_values
from keras_uae.sharding.shards import (
    DONE,
    MISSING,
    SHARD_FILES,
    free_bytes,
    remove_leftovers,
    shard_state,
)
from keras_uae.sharding.sources import Source, as_source
from keras_uae.sharding.worker import Worker

_SHARD_BYTES = 2**28
_SHARD_SAMPLES = 1024
_READ_BYTES = 2**24
_COPIES = 2  # of a shard that are held: its samples and its examples

Count = Callable[[int], None]  # is told how many samples are done since the last call


class DirectoryChangedError(RuntimeError):
    """Somebody has deleted or replaced files of a run while it went on."""


class Engine(Protocol):
    """Makes shards, in any order."""

    def run(self, numbers: list[int], on_samples: Count) -> None:
        """Make the shards `numbers`."""
        ...


@dataclass
class LocalEngine:
    """Makes one shard after the other in this process."""

    worker: Worker

    def run(self, numbers: list[int], on_samples: Count) -> None:
        for number in numbers:
            self.worker.make(number, on_samples)


def settle_sizes(
    attack: Attack, source: Source, batch_size: int | str = "auto", shard_size: int | None = None
) -> tuple[int, int]:
    """The samples of a batch and of a shard, where they are left open or fit each other.

    Raises:
        ValueError: They are no positive integers, or a shard is not a whole number of batches.
    """
    owner, count = "generate", len(source)
    if shard_size is not None:
        shard_size = check_integer(owner, "shard_size", shard_size, 1, LARGEST_COUNT)
    attack.check_shape(source.shape, owner)
    _check_batch_fits(attack, source)  # before the model is tried
    required = attack.check_model_takes(first_samples(source), owner).batch
    if batch_size == "auto":
        automatic = required or attack.auto_batch_size(tuple(source.shape[1:]))
        batch_size = min(automatic, shard_size or automatic)
    batch_size = check_integer(owner, "batch_size", batch_size, 1)
    batch_size = required or min(batch_size, count)
    _check_batch_fits(attack, source, batch_size)
    if shard_size is None:
        most = min(_SHARD_SAMPLES, _SHARD_BYTES // _sample_bytes(attack, source))
        shard_size = max(most // batch_size, 1) * batch_size
    if shard_size % batch_size:
        raise ValueError(
            f"`shard_size` of {owner} must be a multiple of batch_size={batch_size}, such as "
            f"{max(shard_size // batch_size, 1) * batch_size}. Received: shard_size={shard_size}."
        )
    held = _COPIES * min(shard_size, count) * _sample_bytes(attack, source)
    check_fits(
        owner, f"A shard of {shard_size} samples", held, f"`shard_size` may be {batch_size}."
    )
    return batch_size, shard_size


def _check_batch_fits(attack: Attack, source: Source, batch_size: int | None = None) -> None:
    """Raise ValueError if the memory cannot hold what a batch takes at the very least.

    `None` is a batch of one sample of a model that has not been tried.
    """
    shape = tuple(source.shape[1:])
    read = math.prod(shape) if batch_size is None else attack.values_per_sample(shape)
    batch_size = batch_size or 1
    values = max(layer_values(attack.model), read)
    size = values * np.dtype(attack.variable_dtype).itemsize
    most = int(free_memory() // max(size, 1))
    remedy = f"`batch_size` may be {most} at most." if most else "The model is too large."
    check_fits("generate", f"A batch of {batch_size} samples", batch_size * size, remedy)


def first_samples(source: Source) -> np.ndarray:
    """Two samples to try things on, or the only one."""
    return source.read(0, min(2, len(source)))


def located(attack: Attack, source: Source) -> Attack:
    """The attack with the bounds of all samples, where it reads them off the data."""
    step = max(_READ_BYTES // _sample_bytes(attack, source), 1)
    starts = range(0, len(source), step)
    return attack.located(source.read(i, min(i + step, len(source))) for i in starts)


def plan(
    attack: Attack,
    source: Source,
    labels: Source | None = None,
    *,
    seed: int = 0,
    batch_size: int | str = "auto",
    shard_size: int | None = None,
    on_samples: Count = lambda count: None,
) -> Manifest:
    """The manifest of a run: reads all samples once, checks them and takes their SHA-256 sums.

    Args:
        attack: The attack; its model is fingerprinted.
        source: The samples.
        labels: Their labels, if the criterion takes any. Defaults to `None`.
        seed: Integer, as of `Attack.generate`. Defaults to `0`.
        batch_size: Integer, or "auto" for one that suits the caches. Defaults to `"auto"`.
        shard_size: Integer, a multiple of the batch. Defaults to `None`: about 1024 samples, and
            at most 256 MB.
        on_samples: Called with the number of samples that were read since the last call.

    Raises:
        ValueError: A setting is not valid, or a sample cannot be attacked.
    """
    owner = "generate"
    count, sample_shape = len(source), tuple(source.shape[1:])
    seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
    if isinstance(attack.model, CallableModel) or attack.attacked is not None:
        raise ValueError(
            f"`attack` of {owner} must attack a keras.Model with one input, whose weights can be "
            f"recognised: make it with keras.Model(inputs, outputs). Received: {attack!r}."
        )
    batch_size, shard_size = settle_sizes(attack, source, batch_size, shard_size)
    if labels is None:
        attack.criterion.check_labels(None, first_samples(source), owner)
    elif len(labels) != count:
        raise ValueError(
            f"`labels` of {owner} must have one label a sample, {count}. "
            f"Received: labels of length {len(labels)}."
        )
    hashes = [
        _hash_shard(attack, source, labels, shard_rows(count, shard_size, n), on_samples)
        for n in range(-(-count // shard_size))
    ]
    inputs, label_hashes = zip(*hashes, strict=True)
    return Manifest(
        attack=describe_attack(attack),
        seed=seed,
        batch_size=batch_size,
        shard_size=shard_size,
        count=count,
        sample_shape=sample_shape,
        dtype=attack.variable_dtype,
        model=model_fingerprint(attack.model),
        inputs=inputs,
        environments=(environment(),),
        labels=None if labels is None else label_hashes,
    )


def _hash_shard(
    attack: Attack, source: Source, labels: Source | None, rows: range, on_samples: Count
) -> tuple[str, str]:
    """SHA-256 of the samples `rows`, each of which can be attacked, and of their labels."""
    digest = SampleHash(tuple(source.shape[1:]), attack.variable_dtype)
    label_digest = LabelHash()
    step = max(_READ_BYTES // _sample_bytes(attack, source), 1)
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        x = source.read(start, stop)
        check_samples("generate", x, bounds=attack.space(x.shape[1:]).limits(), first=start)
        digest.update(x)
        if labels is not None:
            y = attack.criterion.check_labels(labels.read(start, stop), x, "generate")
            label_digest.update(np.asarray(y))
        on_samples(stop - start)
    return digest.hexdigest(), label_digest.hexdigest()


def open_directory(
    directory: Path, manifest: Manifest, *, resume: bool = False, any_environment: bool = False
) -> Manifest:
    """Make the directory of a run, or recognise it.

    Returns:
        The manifest that the directory holds from now on.

    Raises:
        OtherRunError: The directory holds another run, or this one and `resume` is false.
        ManifestError: It holds a manifest that is damaged.
    """
    if directory.exists() and not directory.is_dir():
        raise OtherRunError(f"{str(directory)!r} must be a directory. Received: a file.")
    if not (directory / FILE_NAME).exists():
        _check_empty(directory)
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # of a job that began at the same time
            manifest.write(directory)
            return manifest
    stored = Manifest.read(directory)
    changes = stored.differences(manifest)
    if changes:
        raise OtherRunError(_refusal(directory, "another run", changes))
    if not resume:
        raise OtherRunError(
            f"{str(directory)!r} holds this run already: go on with resume=True (--resume)."
        )
    current = manifest.environments[-1]
    changes = stored.environment_differences(current)
    if changes and not any_environment:
        raise OtherRunError(
            _refusal(directory, "shards made elsewhere", changes)
            + "\nThe last bits of results may depend on it; --any-environment goes on all the same."
        )
    return Manifest.add_environment(directory, current) if changes else stored


def _check_empty(directory: Path) -> None:
    """Raise if a directory without manifest holds anything that is not half written."""
    others = directory.exists() and [
        each.name for each in directory.iterdir() if not each.name.endswith(TEMPORARY)
    ]
    if others and not (directory / FILE_NAME).exists():  # nobody has begun in the meantime
        raise OtherRunError(
            f"{str(directory)!r} must be a new directory or one with a {FILE_NAME}. Received: "
            f"one that holds {', '.join(sorted(others)[:3])}."
        )


def make_missing(
    directory: Path, manifest: Manifest, numbers: range, engine: Engine, progress: "Progress"
) -> dict[str, int]:
    """Make the shards of `numbers` that are missing, damaged or of another run.

    Returns:
        How many were done already, were damaged and were made.

    Raises:
        DiskFullError: There is no space left; everything else that cannot be written: OSError.
        KeyboardInterrupt: Ctrl-C; the shards that were complete by then are kept.
    """
    remove_leftovers(directory, numbers)
    states = {}
    for number in numbers:
        states[number] = shard_state(directory, manifest, number)
        if states[number] == DONE:
            progress.skip(len(manifest.rows(number)))
    missing = [number for number in numbers if states[number] != DONE]
    needed = sum(shard_bytes(manifest, number) for number in missing)
    if needed > free_bytes(directory):
        progress.warn(
            f"The shards take {needed / 1e9:.1f} GB, and the disk has "
            f"{free_bytes(directory) / 1e9:.1f} GB left."
        )
    try:
        engine.run(missing, progress.advance)
        remove_leftovers(directory, numbers)  # of workers that were lost on the way
        _check_still_there(directory, manifest, numbers)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            _check_still_there(directory, manifest, range(0))  # says which, and what to do
        if not is_no_space(error):
            raise
        raise DiskFullError(
            error.errno,
            f"{os.strerror(error.errno or 0)}: {str(directory)!r} has {free_bytes(directory)} "
            f"bytes left, and a shard takes {shard_bytes(manifest, 0)}. All so far are complete. "
            f"Make space, then go on with resume=True (--resume)",
        ) from error
    done = sum(state == DONE for state in states.values())
    damaged = sum(state not in (DONE, MISSING) for state in states.values())
    return {"kept": done, "damaged": damaged, "made": len(missing)}


def _check_still_there(directory: Path, manifest: Manifest, numbers: range) -> None:
    """Raise if somebody has removed or replaced what a run relies on while it went on."""
    try:
        same = not Manifest.read(directory).differences(manifest)
    except (FileNotFoundError, ManifestError):
        same = False
    if not same:
        what = FILE_NAME if directory.is_dir() else "it"
        raise DirectoryChangedError(
            f"{str(directory)!r} was changed during the run: {what} was deleted or replaced. What "
            f"is left there cannot be gone on with: begin with a new directory."
        )
    gone = [n for n in numbers if not all(each(directory, n).exists() for each in SHARD_FILES)]
    if gone:
        raise DirectoryChangedError(
            f"{str(directory)!r} was changed during the run: shard {gone[0]} was deleted. "
            f"Go on with resume=True (--resume)."
        )


class Progress(Protocol):
    """Is told how far a run is, in samples."""

    def skip(self, count: int) -> None:
        """So many samples need not be attacked."""

    def advance(self, count: int) -> None:
        """So many samples are done since the last call."""

    def warn(self, line: str) -> None:
        """Something that the user should know."""


class NoProgress:
    """Says nothing."""

    def skip(self, count: int) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""

    def warn(self, line: str) -> None:
        """Nothing."""


def shard_bytes(manifest: Manifest, number: int) -> int:
    """Size of the file of a shard, roughly."""
    values = int(np.prod(manifest.sample_shape)) * np.dtype(manifest.dtype).itemsize
    return len(manifest.rows(number)) * (values + 40) + 4096


def _sample_bytes(attack: Attack, source: Source) -> int:
    """Bytes of one sample as the attack computes with it."""
    return int(np.prod(source.shape[1:])) * np.dtype(attack.variable_dtype).itemsize


def _refusal(directory: Path, what: str, changes: Iterable[str]) -> str:
    return f"{str(directory)!r} holds {what}:\n" + "\n".join(f"  {line}" for line in changes)


def generate_shards(
    attack: Attack,
    x: Any,
    directory: str | os.PathLike,
    y: Any = None,
    *,
    resume: bool = False,
    progress: Any = None,
    **settings: Any,
) -> dict[str, int]:
    """Attack a data set of any size shard by shard, in a directory that can be gone on with.

    It is `keras-uae generate` for a model in memory. Killed at any moment, `resume=True` gives the
    bytes that an uninterrupted run gives.

    Args:
        attack: The attack.
        x: What `Attack.generate` takes, best memory-mapped (a data set is read into memory), or a
            source of samples, such as `DataReference.open` gives.
        directory: Where the shards are written; a new directory unless `resume`.
        y: Labels `(n,)`, or a source of labels, if the criterion takes any. Defaults to `None`.
        resume: Boolean, go on with what the directory holds of this run. Defaults to `False`.
        progress: Object with the methods of `NoProgress`, which is told how far the run is.
            Defaults to `None`.
        **settings: `seed`, `batch_size` and `shard_size`, see `plan`.

    Returns:
        How many shards were `kept`, were `damaged` and were `made`.

    Raises:
        ManifestError: The directory holds another run, or this one and `resume` is false.
        ValueError: A setting is not valid, or a sample cannot be attacked.
        DiskFullError: There is no space left; what was written is kept.

    Example:

        >>> uae.generate_shards(attack, x_train, "uaes", resume=True)
        >>> data = uae.UAEAugmentation.from_shards("uaes", x_train)
    """
    directory = Path(directory)
    if not hasattr(x, "read"):
        takes_labels = attack.criterion.takes_labels and y is None
        x, own = samples_and_labels(
            "generate_shards", x, None, model=attack.model, takes_labels=takes_labels
        )
        y = own if y is None else y
    if y is not None and not hasattr(y, "read"):
        y = as_labels("generate_shards", y)
    source, labels = as_source(x), None if y is None else as_source(y)
    attack = located(attack, source)
    manifest = plan(attack, source, labels, **settings)
    manifest = open_directory(directory, manifest, resume=resume)
    engine = LocalEngine(Worker(attack, source, manifest, directory, labels))
    numbers = range(manifest.shards)
    return make_missing(directory, manifest, numbers, engine, progress or NoProgress())
