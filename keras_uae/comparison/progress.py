"""How far a comparison is, and how long the rest takes."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_uae.comparison.arms import ORIGINAL, Row
from keras_uae.comparison.protocol import Protocol


class Progress:
    """The plan, then a bar with the time left, lines off a terminal; nothing at all in silence."""

    _UNIT = 1000  # samples of a training step that the bar counts as one
    _INTERVAL = 30.0  # seconds between two lines

    def __init__(self, shown: bool):
        self._shown, self._bar, self._done, self._total = shown, None, 0.0, 0.0
        self._begin = self._said = 0.0

    def plan(
        self,
        protocol: Protocol,
        left: Sequence[tuple[int, Row]],
        seeds: Sequence[int],
        model: str,
        out: Any,
    ) -> None:
        """Say what will be done and how long that takes."""
        self._total = sum(protocol.work(row) for _, row in left)
        if not self._shown:
            return
        originals = sum(row is ORIGINAL for _, row in left)
        attacks = sum(row.attacks and not row.noise for _, row in left)
        seconds = protocol.seconds([row for _, row in left])
        took = "" if seconds is None else f"; about {_clock(seconds)}"
        kept = "" if out is None else f"; kept in {os.fspath(out)!r}"
        print(
            f"compare: {len(left)} trainings of {model!r} ({originals} on the originals alone), "
            f"{len(protocol.rows)} rows × {len(seeds)} seeds, "
            f"{attacks} attack{'s' * (attacks != 1)} on "
            f"{len(protocol.data.x)} samples{took}{kept}."
        )
        for metric in protocol.metrics:
            print(f"compare: {metric.name}, {metric.better} is better.")
        self._begin = self._said = time.monotonic()
        # Keras draws its bar into files, too, with all that moves a cursor
        if sys.stdout.isatty() or "ipykernel" in sys.modules:
            target = max(round(self._total / self._UNIT), 1)
            self._bar = keras.utils.Progbar(target, unit_name="1000 samples", interval=0.2)

    def advance(self, work: float) -> None:
        """Count work that is done."""
        self._done += work
        if self._bar is not None:
            # the last one is `end`'s: Keras closes the bar there
            done = min(int(self._done / self._UNIT), self._bar.target - 1)
            self._bar.update(done, finalize=False)
            return
        now = time.monotonic()
        if self._shown and now - self._said >= self._INTERVAL:
            self._said = now
            part = min(self._done / self._total, 1.0)  # an attack may have to be done again
            left = _clock((now - self._begin) * (1 / part - 1))
            print(f"compare: {part:.0%}, about {left} left.", flush=True)

    def end(self) -> None:
        """All is done."""
        if self._bar is not None:
            self._bar.update(self._bar.target, finalize=True)


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
