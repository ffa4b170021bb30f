"""Look into the directory of an experiment's run, and at its progress bar."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.engine.progress import JobProgress


def watch_bars(patch: pytest.MonkeyPatch) -> list[JobProgress]:
    """The progress bars that are opened from now on."""
    bars: list[JobProgress] = []
    enter = JobProgress.__enter__
    patch.setattr(JobProgress, "__enter__", lambda bar: (bars.append(bar), enter(bar))[1])
    return bars


def run_undisturbed(main: Callable[[list[str]], int], args: list[str]) -> None:
    """Run an experiment from beginning to end, its progress bar too."""
    with pytest.MonkeyPatch.context() as patch:
        bars = watch_bars(patch)
        assert main(args) == 0
    assert [bar.fraction for bar in bars] == [1]


def check_refused(main: Callable[[list[str]], int], flags: str, hint: str, capsys) -> None:
    """Settings that cannot be are one line of explanation and exit code 2."""
    assert main(flags.split()) == 2
    printed = capsys.readouterr()
    assert hint in printed.err
    assert printed.err.count("\n") == 1
    assert "Received: " in printed.err
    assert printed.out == ""


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
