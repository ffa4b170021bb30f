"""The directory of a run: refused if it holds another one, continued if it holds this one."""

import json
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from keras_uae import __version__
from keras_uae._files import TEMPORARY, atomic_write

Records = list[dict[str, Any]]


class Run:
    """Configuration, metrics and files of a run, kept so that it can stop and go on at any time.

    `config.json` is written once. `metrics.json` holds a record for every finished piece of work
    and the summary of all of them; it is replaced, all or nothing, whenever a record is added.
    `incidental` settings may differ next time; a `ValueError` says that the directory holds
    something else than a part of this run.
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
        if self._is_new():
            self.directory.mkdir(parents=True, exist_ok=True)
            content = {"config": dict(settings), "versions": versions()}
            write_json(self.directory / "config.json", content)
        else:
            stored = self._read("config.json").get("config", {})
            self._check_same(stored, settings, incidental)
        self.versions = self._read("config.json").get("versions", {})
        if (self.directory / "metrics.json").exists():
            self.records = self._read("metrics.json")["records"]

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

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.directory / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise self._refusal(f"holds a {name} that is damaged ({error})") from None

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

    def _refusal(self, reason: str) -> ValueError:
        return ValueError(
            f"`output` of Run must be a new directory or one that holds a part of this run. "
            f"Received: output={str(self.directory)!r}, which {reason}."
        )


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"keras_uae": __version__, **packages, "python": sys.version.split()[0]}


def write_json(path: Path, content: Any) -> None:
    """Write all of a file or nothing."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=1, allow_nan=False).encode())
