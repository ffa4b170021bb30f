"""The runs below a directory: what their files hold, or why they cannot be read."""

import json
from pathlib import Path
from typing import Any, NamedTuple


class FoundRun(NamedTuple):
    """A run and what is known of it."""

    name: str  # its place below the directory
    directory: Path
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float  # that its finished pieces of work took
    report: str | None  # in markdown; `None` while the run is not finished
    records: list[dict[str, Any]]


class DamagedRun(NamedTuple):
    """A directory that looks like a run and cannot be read."""

    name: str
    reason: str


def find(directory: Path) -> tuple[list[FoundRun], list[DamagedRun]]:
    """All runs below a directory, by name, and those that are damaged."""
    received = f"Received: directory={str(directory)!r}"
    if not directory.is_dir():
        raise ValueError(f"`directory` of find must be a directory. {received}.")
    runs, damaged = [], []
    for path in sorted(directory.rglob("config.json")):
        name = path.parent.relative_to(directory).as_posix()
        try:
            runs.append(read(path.parent, name))
        except (ValueError, OSError) as error:
            damaged.append(DamagedRun(name, str(error)))
    if not runs and not damaged:
        raise ValueError(
            f"`directory` of find must hold runs of experiments, each with a config.json. "
            f"{received}, which has none."
        )
    return runs, damaged


def read(directory: Path, name: str) -> FoundRun:
    """The run in a directory; a `ValueError` names a file that is damaged."""
    config = _json(directory / "config.json")
    settings, versions = (_mapping(config, key, "config.json") for key in ("config", "versions"))
    records: Any = []
    if (directory / "metrics.json").exists():
        records = _json(directory / "metrics.json").get("records")
    try:
        seconds = float(sum(record["seconds"] for record in records))
    except (TypeError, KeyError):
        raise ValueError("metrics.json has no records of finished work") from None
    report = directory / "report.md"
    text = _text(report) if report.exists() else None
    return FoundRun(name, directory, settings, versions, seconds, text, records)


def _mapping(content: dict[str, Any], key: str, file: str) -> dict[str, Any]:
    if not isinstance(content.get(key), dict):
        raise ValueError(f"{file} is not that of a run: it has no {key}")
    return content[key]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not that of a run: it holds no object")
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8") from None
