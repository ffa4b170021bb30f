"""The directory of a run: refused if it holds another one, continued if it holds this one."""

import json
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from keras_uae._files import TEMPORARY, atomic_write
from keras_uae.comparison import run as comparisons

Records = list[dict[str, Any]]
Value = TypeVar("Value")


class RefusedRunError(ValueError):
    """A directory that holds something else than a part of the run, or a file that is damaged."""


class Run:
    """Configuration, metrics and files of a run, kept so that it can stop and go on at any time.

    `config.json` is written once. `metrics.json` holds a record for every finished piece of work
    and the summary of all of them; it is replaced, all or nothing, whenever a record is added.
    `incidental` settings may differ next time.

    Raises:
        RefusedRunError: The directory holds something else than a part of this run.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any],
        summarize: Callable[[Records], Any],
        *,
        incidental: Collection[str] = (),
    ):
        self.directory = directory
        self._summarize = summarize
        self.records: Records = []
        config, metrics = (directory / name for name in ("config.json", "metrics.json"))
        if self._is_new():
            self.directory.mkdir(parents=True, exist_ok=True)
            write_json(config, {"config": dict(settings), "versions": versions()})
        stored, self.versions = self.read(config, _read_config)
        self._check_same(stored, settings, incidental)
        if metrics.exists():
            self.records = self.read(metrics, self._read_records)
        elif (directory / "report.md").exists():
            raise self._refusal("holds a report.md, but no metrics.json")

    def find(self, **key: Any) -> dict[str, Any] | None:
        """The record that has these values, or `None`."""
        return next((each for each in self.records if key.items() <= each.items()), None)

    def add(self, key: dict[str, Any], **values: Any) -> None:
        """Keep a record, in place of the one with the same key if there is one, and save."""
        place = self.find(**key)
        if place is None:
            self.records.append({**key, **values})
        else:
            self.records[self.records.index(place)] = {**key, **values}
        self.save()

    @property
    def summary(self) -> Any:
        """What `summarize` makes of the records so far."""
        return self._summarize(self.records)

    def save(self) -> None:
        """Write `metrics.json`."""
        content = {"summary": self.summary, "records": self.records}
        write_json(self.directory / "metrics.json", content)

    def path(self, *parts: str) -> Path:
        """A path below the directory; the folders on the way are made."""
        path = self.directory.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _is_new(self) -> bool:
        if self.directory.exists() and not self.directory.is_dir():
            raise self._refusal("is a file")
        if (self.directory / "config.json").exists():
            return False
        files = self.directory.iterdir() if self.directory.exists() else ()
        if any(file.suffix != TEMPORARY for file in files):
            raise self._refusal("holds files, but none is the config.json of a run")
        return True

    def read(self, path: Path, load: Callable[[Path], Value]) -> Value:
        """What `load` makes of a file of the run.

        Raises:
            RefusedRunError: It cannot be read.
        """
        name = path.relative_to(self.directory)
        if not path.exists():
            raise self._refusal(f"has lost its {name}")
        try:
            return load(path)
        except (MemoryError, PermissionError):
            raise
        except Exception as error:  # JSON, zip, HDF5 and Keras between them raise a dozen types
            why = (str(error) or type(error).__name__).splitlines()[0]
            raise self._refusal(f"holds a {name} that is damaged ({why})") from error

    def _read_records(self, path: Path) -> Records:
        """The records in `metrics.json`, which can be summed up."""
        records = read_json(path).get("records")
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise ValueError("it has no records of finished work")
        try:
            if records:
                self._summarize(records)
        except Exception as error:  # whatever it missed in them
            raise ValueError(f"its records cannot be summed up: {error!r}") from error
        return records

    def _check_same(
        self, stored: Mapping[str, Any], wanted: Mapping[str, Any], incidental: Collection[str]
    ) -> None:
        changes = [
            f"{name} {stored.get(name)!r} there, {wanted.get(name)!r} here"
            for name in {**stored, **wanted}
            if name not in incidental and stored.get(name) != wanted.get(name)
        ]
        if changes:
            raise self._refusal(f"holds another run ({'; '.join(changes)})")

    def _refusal(self, reason: str) -> RefusedRunError:
        return RefusedRunError(
            f"`output` of Run must be a new directory or one that holds a part of this run. "
            f"Received: output={str(self.directory)!r}, which {reason}."
        )


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {**comparisons.versions(), "python": sys.version.split()[0]}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file."""
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    if not isinstance(content, dict):
        raise ValueError(f"it holds {type(content).__name__}, not an object")
    return content


def _read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and versions in `config.json`; early ones have no versions."""
    content = read_json(path)
    settings, packages = content.get("config", {}), content.get("versions", {})
    if not isinstance(settings, dict) or not isinstance(packages, dict):
        raise ValueError("its config and versions must be objects")
    return settings, packages


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON")


def write_json(path: Path, content: Any) -> None:
    """Write all of a file or nothing."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=1, allow_nan=False).encode())
