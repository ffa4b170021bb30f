"""Do the pieces of a job that no earlier session has done, one after the other."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from experiments.engine.job import Job, Piece


def in_order(job: Job, pieces: Iterable[Piece]) -> None:
    """Do what is not done yet and record what it came to."""
    with _no_tracing_warnings():
        for piece in pieces:
            if piece.is_done(job.run):
                job.progress.skip(piece.work)
            else:
                _perform(job, piece)


def _perform(job: Job, piece: Piece) -> None:
    job.begin(piece)
    before, begin = (job.run.find(**piece.key) or {}).get("seconds", 0.0), time.perf_counter()

    def seconds() -> float:
        return before + time.perf_counter() - begin

    try:
        with job.progress.stage(job.label, piece.work):
            figures = piece.run(job) or {}
    except KeyboardInterrupt:
        if piece.recorded and piece.mark != "seconds":
            job.run.add(piece.key, **{**(job.run.find(**piece.key) or {}), "seconds": seconds()})
        raise
    if piece.recorded:
        took = seconds()
        job.run.add(piece.key, **{**figures, "seconds": figures.get("seconds", took)})
        job.progress.say(f"{job.label}: {_told(figures)}({took:.1f} s)")


def _told(figures: Mapping[str, Any]) -> str:
    """The figures that are fractions or errors, in words."""
    told = {key.replace("_", " "): value for key, value in figures.items() if key != "seconds"}
    words = [f"{key} {value:.4g}" for key, value in told.items() if isinstance(value, float)]
    return ", ".join(words) + " " * bool(words)


@contextlib.contextmanager
def _no_tracing_warnings() -> Iterator[None]:
    """TensorFlow takes it for a mistake that each of many models is traced; it breaks the bar."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
