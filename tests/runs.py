"""Look into the directory of an experiment's run, and at its progress bar."""

import json
from pathlib import Path

import pytest

from experiments.progress import JobProgress


def watch_bars(patch: pytest.MonkeyPatch) -> list[JobProgress]:
    """The progress bars that are opened from now on."""
    bars: list[JobProgress] = []
    enter = JobProgress.__enter__
    patch.setattr(JobProgress, "__enter__", lambda bar: (bars.append(bar), enter(bar))[1])
    return bars


def metrics(output: Path) -> dict:
    return json.loads((output / "metrics.json").read_text())


def records(output: Path, stage: str, seed: int | None) -> dict[str, dict]:
    """By row, without the times."""
    return {
        row["name"]: {name: value for name, value in row.items() if name != "seconds"}
        for row in metrics(output)["records"]
        if (row["stage"], row["seed"]) == (stage, seed)
    }


def contents(output: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in output.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
