"""The progress bar of `keras-uae generate`."""

from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from keras_uae.cli.streams import shown


class SampleProgress:
    """A bar that counts samples, with the time left."""

    def __init__(self, console: Console, quiet: bool):
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
            speed_estimate_period=300,
        )
        self._task: Any = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def begin(self, label: str, total: int) -> None:
        """A new bar in place of the one before."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(label, total=total)

    def skip(self, count: int) -> None:
        """Work that an earlier session has done: it does not count for the time left."""
        task = self._bar.tasks[-1]
        self._bar.update(self._task, total=(task.total or 0) - count)

    def advance(self, count: int) -> None:
        """Samples that are done."""
        self._bar.update(self._task, advance=count)

    def warn(self, line: str) -> None:
        """A line above the bar."""
        self._bar.console.print(shown(f"warning: {line}"), style="yellow")
