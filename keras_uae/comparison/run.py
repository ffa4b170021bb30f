"""What a comparison has done so far: in memory, or in a directory that it goes on from."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._errors import OtherRunError
from keras_uae._files import TEMPORARY, atomic_write, locked_directory
from keras_uae._version import __version__
from keras_uae.comparison.fresh import State
from keras_uae.comparison.identity import MADE_BY
from keras_uae.results import UAEs

FILE_NAME = "comparison.json"
RATE = "learning rate after training"  # among the settings: of the model that was given
SUMS = "sums"  # among the settings: of what has no other form to be written down in

Records = list[dict[str, Any]]


class Run:
    """The records of a comparison, one for each row and seed; kept in a directory, if there is one.

    Args:
        settings: All that the figures depend on, ready for JSON.
        directory: New, or one that holds a part of this comparison. Defaults to `None`.

    Raises:
        OtherRunError: The directory holds something else, or a damaged file; a ValueError.
    """

    def __init__(self, settings: Mapping[str, Any], directory: str | os.PathLike | None = None):
        self.settings = json.loads(json.dumps(dict(settings)))
        self.directory = None if directory is None else Path(directory)
        self.records: Records = []
        self._weights: dict[int, State] = {}
        if self.directory is None:
            return
        if self.directory.exists() and not self.directory.is_dir():
            raise _refusal(self.directory, "is a file")
        if (self.directory / FILE_NAME).exists():
            content = read_run(self.directory)
            self._check_same(content["settings"])
            self.records = content["records"]
        elif self.directory.exists() and any(
            each.suffix != TEMPORARY for each in self.directory.iterdir()
        ):
            raise _refusal(self.directory, f"holds files, but no {FILE_NAME}")

    def open(self) -> None:
        """Make the directory.

        Raises:
            OSError: It cannot be made, or nothing can be written to it.
        """
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not os.access(self.directory, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.directory))

    def find(self, seed: int, row: str) -> dict[str, Any] | None:
        """The record of a row and seed, if it is done."""
        key = {"seed": seed, "row": row}
        return next((each for each in self.records if key.items() <= each.items()), None)

    def add(self, seed: int, row: str, **figures: Any) -> None:
        """Keep a record, at once also on disk."""
        self.records.append({"seed": seed, "row": row, **figures})
        self.save()

    def save(self) -> None:
        """Write what there is, all or nothing, with what another process has added meanwhile."""
        if self.directory is None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        with locked_directory(self.directory):
            if (self.directory / FILE_NAME).exists():
                there = read_run(self.directory)
                self._check_same(there["settings"])
                done = {(each["seed"], each["row"]) for each in there["records"]}
                ours = [each for each in self.records if (each["seed"], each["row"]) not in done]
                self.records = there["records"] + ours
            content = {"settings": self.settings, "versions": versions(), "records": self.records}
            with atomic_write(self.directory / FILE_NAME) as file:
                file.write(json.dumps(content, indent=1, allow_nan=False).encode())

    def keep_weights(self, seed: int, weights: State) -> None:
        """Keep the weights of the model that is attacked, until the seed is done."""
        self._weights = {seed: weights}
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(seed, "original")) as file:
                arrays: dict[str, Any] = {str(n): each for n, each in enumerate(weights)}
                np.savez(file, **arrays)

    def weights(self, seed: int) -> State | None:
        """The weights of the model that is attacked, if they are at hand, in a file as it was."""
        path = self._path(seed, "original")
        if seed not in self._weights and self.directory is not None and path.exists():
            # damaged, they are as good as gone: zip, zlib and NumPy raise a dozen types of error
            with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as file:
                self._weights = {seed: [file[str(n)] for n in range(len(file.files))]}
        return self._weights.get(seed)

    def keep_found(self, seed: int, number: int, found: UAEs) -> None:
        """Keep the UAEs of an arm, by its number, for rows that are trained in another session."""
        if self.directory is not None:
            found.save(self._path(seed, f"uae-{number}"), overwrite=True)

    def found(self, seed: int, number: int) -> UAEs | None:
        """The UAEs of an arm, if an earlier session has found them and their file is as it was."""
        if self.directory is None:
            return None
        try:
            return UAEs.load(self._path(seed, f"uae-{number}"))
        except (FileNotFoundError, ValueError):  # or damaged
            return None

    def finish(self, seed: int) -> None:
        """Let go of what only later rows of the seed would have needed."""
        self._weights.pop(seed, None)
        if self.directory is not None:
            for path in self.directory.glob(f"seed-{seed}-*.npz"):
                path.unlink(missing_ok=True)

    def _path(self, seed: int, name: str) -> Path:
        return (self.directory or Path()) / f"seed-{seed}-{name}.npz"

    def _check_same(self, stored: Mapping[str, Any]) -> None:
        changes = [
            change
            for name in {**stored, **self.settings}
            if name not in (SUMS, RATE)
            for change in _changes(name, stored.get(name), self.settings.get(name))
        ]
        there, here = (each.get(SUMS, {}) for each in (stored, self.settings))
        # earlier versions have none, and another Python or Keras makes others of the same
        if there.get(MADE_BY) == here.get(MADE_BY):
            both = (name for name in there if name in here)
            changes += [f"another {name}" for name in both if there[name] != here[name]]
        if changes:
            raise _refusal(self.directory, f"holds another comparison ({'; '.join(changes)})")


def _changes(name: str, there: Any, here: Any) -> Iterator[str]:
    """Where settings differ, down to the smallest part."""
    if not (isinstance(there, dict) and isinstance(here, dict)):
        if there != here:
            yield f"{name} {there!r} there, {here!r} here"
        return
    for key in (key for key in there if key in here):
        yield from _changes(f"{name} {key}", there[key], here[key])
    for place, one, other in (("there", there, here), ("here", here, there)):
        if alone := [repr(key) for key in one if key not in other]:
            yield f"{name} only {place}: {', '.join(alone)}"


def read_run(directory: str | os.PathLike) -> dict[str, Any]:
    """Settings, versions and records of a directory.

    Raises:
        FileNotFoundError: There is no comparison in it.
        ValueError: The file is damaged.
    """
    directory = Path(directory)
    try:
        content = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refusal(directory, f"holds a {FILE_NAME} that is damaged ({error})") from None
    keys = {"settings": dict, "records": list}
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), kind) for key, kind in keys.items()
    ):
        raise _refusal(directory, f"holds a {FILE_NAME} that is none of a comparison")
    return content


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    packages = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    return {"keras_uae": __version__, **packages}


def _refusal(directory: Path | None, reason: str) -> OtherRunError:
    return OtherRunError(
        "`out` of compare must be a new directory, or one that holds a part of this comparison. "
        f"Received: out={str(directory)!r}, which {reason}."
    )
