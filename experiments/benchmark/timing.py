"""Timing in one process: methods take turns, and are compared within a round.

A machine does not run at one speed: other work, heat and clocks change it over minutes. Methods
that take turns meet the same machine in the same round, so a ratio is taken there and the median
over the rounds reported.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import psutil

# seconds between two looks at the memory; a look takes some 20 µs
INTERVAL = 0.005


class PeakMemory:
    """Highest resident memory of this process, in bytes, while the context is open.

    Attributes:
        before: Resident memory when it opened.
        peak: The highest that a thread saw, looking every `INTERVAL` seconds.
    """

    before: int
    peak: int

    def __enter__(self) -> Self:
        self.before = self.peak = resident_memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, resident_memory())


class Ticks:
    """A callback of anything that notes when it was called."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._times.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Between two calls."""
        return np.diff(self._times).tolist()


def resident_memory() -> int:
    """Resident memory of this process, in bytes."""
    return _PROCESS.memory_info().rss


_PROCESS = psutil.Process()


@dataclass(frozen=True)
class Method:
    """Something to time.

    Attributes:
        name: How the table calls it.
        samples: Samples that one call treats.
        run: Function that does it and returns when the result is there.
    """

    name: str
    samples: int
    run: Callable[[], Any]


@dataclass
class Timing:
    """What the calls of a method took, one entry a round; memory in bytes."""

    warm_up_seconds: float  # of the first call, which compiles and is not counted
    seconds: list[float] = field(default_factory=list)
    memory_before: list[int] = field(default_factory=list)
    memory_peak: list[int] = field(default_factory=list)


def round_robin(
    methods: Sequence[Method], rounds: int, tick: Callable[[int], None] = lambda index: None
) -> list[Timing]:
    """Time the methods in turns, after a warm-up call of each.

    `tick` is called before every call with the place of its method.
    """
    timings = []
    for index, method in enumerate(methods):
        tick(index)
        timings.append(Timing(timed(method.run)[1]))
    for index in turns(len(methods), rounds):
        tick(index)
        _, seconds, memory = timed(methods[index].run)
        timings[index].seconds.append(seconds)
        timings[index].memory_before.append(memory.before)
        timings[index].memory_peak.append(memory.peak)
    return timings


def turns(count: int, rounds: int) -> Iterator[int]:
    """Each of `count` once a round, each round starting one further on: none has a fixed place."""
    for number in range(rounds):
        yield from ((number + place) % count for place in range(count))


def timed(run: Callable[[], Any]) -> tuple[Any, float, PeakMemory]:
    """What one call returns, its seconds and its memory."""
    with PeakMemory() as memory:
        begin = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - begin
    return result, seconds, memory


def compare(
    methods: Sequence[Method], timings: Sequence[Timing], reference: str
) -> list[dict[str, Any]]:
    """Every repetition of every method, and its time as a multiple of `reference` in that round."""
    names = [method.name for method in methods]
    base = _ms_per_sample(methods[names.index(reference)], timings[names.index(reference)])
    rows = []
    for method, timing in zip(methods, timings, strict=True):
        ms = _ms_per_sample(method, timing)
        ratio = [one / other for one, other in zip(ms, base, strict=True)]
        rows.append(
            {
                **{"name": method.name, "samples": method.samples, **vars(timing)},
                **{"ms_per_sample": ms, "ratio": ratio},
                "summary": {"ms_per_sample": quartiles(ms), "ratio": quartiles(ratio)},
            }
        )
    return rows


def _ms_per_sample(method: Method, timing: Timing) -> list[float]:
    return [1000 * seconds / method.samples for seconds in timing.seconds]


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Median and the two quartiles."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return {"median": median, "low": low, "high": high}
