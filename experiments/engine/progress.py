"""One progress bar for a whole job of trainings and attacks."""

import contextlib
from collections.abc import Iterator
from typing import Any, Self

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar


class Progress:
    """How far a job is.

    Work is counted in samples: one sample in one training step or one iteration of the attack,
    which take about as long. That is good enough for the time left. A subclass shows it.
    """

    _left = 0.0  # work of the stage

    @contextlib.contextmanager
    def stage(self, label: str, work: float) -> Iterator[None]:
        """A piece of the job; when it ends, all of its work is done or skipped."""
        self._left = work
        self.advance(0, label)
        yield
        self.advance(self._left, label)

    def advance(self, work: float, label: str) -> None:
        """Count work that is done, and say where the job stands."""
        self._left -= work

    def skip(self, work: float) -> None:
        """Take work out of the job: an earlier session has done it."""
        self._left -= work

    def callback(self, label: str, samples: int) -> keras.callbacks.Callback:
        """A callback for `fit` that counts every epoch of `samples` samples."""

        def tell(epoch: int, logs: dict[str, float] | None = None) -> None:
            loss, epochs = (logs or {}).get("loss", float("nan")), callback.params["epochs"]
            self.advance(samples, f"{label} · epoch {epoch + 1}/{epochs} · loss {loss:.4f}")

        callback = keras.callbacks.LambdaCallback(on_epoch_end=tell)
        return callback

    def say(self, line: str) -> None:
        """Tell what is finished."""
        raise NotImplementedError


class JobProgress(Progress):
    """A bar, and a line for everything that is finished; nothing at all where it is `quiet`."""

    def __init__(self, total: int, console: Console, quiet: bool = False):
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet,
            expand=True,
            transient=True,
            speed_estimate_period=300,
        )
        self._task = self._bar.add_task("start", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    @property
    def fraction(self) -> float:
        """How much of the job is done."""
        task = self._bar.tasks[0]
        return task.completed / (task.total or 1)

    def advance(self, work: float, label: str) -> None:
        super().advance(work, label)
        self._bar.update(self._task, advance=work, description=label)

    def skip(self, work: float) -> None:
        super().skip(work)
        self._bar.update(self._task, total=(self._bar.tasks[0].total or 0) - work)

    def say(self, line: str) -> None:
        if not self._bar.disable:
            self._bar.console.print(line, highlight=False)
