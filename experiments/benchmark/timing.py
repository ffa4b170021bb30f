"""Timing in one process: methods take turns, and are compared within a round.

A machine does not run at one speed: other work, heat and clocks change it over minutes. Methods
that take turns meet the same machine in the same round, so a ratio is taken there and the median
over the rounds reported. Where others have a part of the machine, processor seconds tell more than
those of the clock: both are taken.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import psutil

# seconds between two looks at the memory; a look takes some 20 µs
INTERVAL = 0.005


class PeakMemory:
    """Resident memory of this process, in bytes: `before` the context was opened, and its `peak`.

    A thread looks every `INTERVAL` seconds.
    """

    def __enter__(self) -> Self:
        self.before = self.peak = resident_memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        over = False
        while not over:
            over = self._done.wait(INTERVAL)
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


class Method(NamedTuple):
    """Something to time: `run` treats so many samples and returns when the result is there."""

    name: str
    samples: int
    run: Callable[[], Any]


@dataclass
class Timing:
    """What the calls of a method took, one entry a round; memory in bytes."""

    name: str
    samples: int
    warm_up_seconds: float  # of the first call, which compiles and is not counted
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    memory_before: list[int] = field(default_factory=list)
    memory_peak: list[int] = field(default_factory=list)


def round_robin(
    methods: Sequence[Method], rounds: int, tick: Callable[[int], None] = lambda index: None
) -> list[Timing]:
    """Time the methods in turns, after a warm-up call of each.

    `tick` is called before every call with the place of its method.
    """

    def call(index: int) -> tuple[float, float, PeakMemory]:
        tick(index)
        begin = time.process_time()
        _, seconds, memory = timed(methods[index].run)
        return seconds, time.process_time() - begin, memory

    timings = [
        Timing(method.name, method.samples, call(index)[0]) for index, method in enumerate(methods)
    ]
    for index in turns(len(methods), rounds):
        seconds, processor, memory = call(index)
        timings[index].seconds.append(seconds)
        timings[index].processor_seconds.append(processor)
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


def compare(timings: Iterable[Timing], reference: str) -> list[dict[str, Any]]:
    """Every repetition of every method, and its time as a multiple of `reference` in that round."""
    rows: list[dict[str, Any]] = [dict(vars(timing)) for timing in timings]
    base = next(row for row in rows if row["name"] == reference)
    for row in rows:
        row["ms_per_sample"] = [1000 * seconds / row["samples"] for seconds in row["seconds"]]
        row["ratio"] = ratios(row, base, "seconds")
        row["processor_ratio"] = ratios(row, base, "processor_seconds")
        keys = ("ms_per_sample", "ratio", "processor_ratio")
        row["summary"] = {key: quartiles(row[key]) for key in keys}
    return rows


def ratios(row: dict[str, Any], base: dict[str, Any], name: str) -> list[float]:
    """What a method takes for a sample as a multiple of what another one does, round by round."""
    share = base["samples"] / row["samples"]
    return [share * one / other for one, other in zip(row[name], base[name], strict=True)]


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Median and the two quartiles."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return {"median": median, "low": low, "high": high}
