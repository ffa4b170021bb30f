"""Ends this process by SIGKILL at one of its calls of the system: before it, within it, after it.

As a module of `--import` it does so in workers of Ray, at a random call, see `DEADLY`.
"""

import builtins
import io
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from keras_uae import _files

WRITING = ("open", "write", "fsync", "flock", "replace", "link", "unlink", "mkdir")
CALLS = (*WRITING, "stat", "fstat", "listdir")
MOMENTS = ("before", "within", "after")  # within a write half of it is done; others have no within
DEADLY = "DEADLY_CALLS"  # in the environment: the file where a worker of Ray notes its death
_RAY_CALLS = 150  # among which it dies


class Countdown:
    """Counts the calls and kills at one of them; `at=None` counts alone."""

    def __init__(self, at: int | None, moment: str):
        self.at, self.moment, self.count, self.note = at, moment, 0, ""

    def watch(self, call: Callable) -> Callable:
        """`call`, counted."""

        def watched(*args: Any, **settings: Any) -> Any:
            due = self.due()
            self.kill(due and self.moment == "before")
            result = call(*args, **settings)
            self.kill(due)
            return result

        return watched

    def due(self) -> bool:
        """Whether this is the call."""
        self.count += 1
        return self.count - 1 == self.at

    def kill(self, due: bool) -> None:
        """End this process, with no chance to clean up."""
        if due and self.note:
            with builtins.open(self.note, "a") as file:
                file.write("x")
        if due:
            os.kill(os.getpid(), signal.SIGKILL)


def install(at: int | None, moment: str, calls: Sequence[str] = CALLS) -> Countdown:
    """Die at a call of this process, counted from here on."""
    countdown = Countdown(at, moment)

    class Written(io.FileIO):
        def write(self, data: Any) -> int:
            due = countdown.due()
            countdown.kill(due and countdown.moment == "before")
            if due and countdown.moment == "within":
                super().write(bytes(data)[: len(data) // 2])
                countdown.kill(True)
            written = super().write(data)
            countdown.kill(due)
            return written

    def opened(path: Any, mode: str = "r", **settings: Any) -> Any:
        if mode == "xb":
            return io.BufferedWriter(Written(path, "xb"))
        return builtins.open(path, mode, **settings)

    for name in calls:
        if hasattr(os, name) and name != "write":
            setattr(os, name, countdown.watch(getattr(os, name)))
    if "write" in calls:
        setattr(_files, "open", countdown.watch(opened))  # noqa: B010 (the module has no such name)
    if "flock" in calls:
        _files.fcntl.flock = countdown.watch(_files.fcntl.flock)
    return countdown


if DEADLY in os.environ and sys.argv[0].endswith("default_worker.py"):
    deaths = os.environ[DEADLY]
    draw = random.Random(os.path.getsize(deaths))  # how many have died before
    install(draw.randrange(_RAY_CALLS), draw.choice(MOMENTS), WRITING).note = deaths
