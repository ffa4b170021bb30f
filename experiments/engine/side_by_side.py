"""Seeds side by side: each in a process of its own, with its share of the cores.

Nothing of a seed depends on another one, and a small model leaves a core idle. The processes train
and attack, and tell the one that has begun the job what they have found: it alone writes
metrics.json and draws the bar.
"""

import contextlib
import itertools
import multiprocessing
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, cast

import tensorflow as tf
from joblib import cpu_count

from experiments.data import Split
from experiments.engine.job import Job, Piece
from experiments.engine.progress import Progress
from experiments.engine.records import Run
from experiments.engine.work import in_order

Tell = Callable[[tuple[str, tuple[Any, ...]]], None]  # the name of a message, and what it says

# TensorFlow hangs in a process that was forked after it has begun to work
_CONTEXT = multiprocessing.get_context("spawn")


class _Told(Run):
    """The records of a run that another process keeps."""

    tell: Tell

    def __init__(self, run: Run):
        self.directory, self.versions, self.records = run.directory, run.versions, run.records

    def add(self, key: dict[str, Any], **values: Any) -> None:
        super().add(key, **values)
        self.tell(("record", (key, values)))

    def save(self) -> None:
        """The other process does."""


class _ToldBar(Progress):
    """The bar that another process draws."""

    def __init__(self, tell: Tell):
        self._tell = tell

    def advance(self, work: float, label: str) -> None:
        super().advance(work, label)
        self._tell(("advance", (work, label)))

    def skip(self, work: float) -> None:
        super().skip(work)
        self._tell(("skip", (work,)))

    def say(self, line: str) -> None:
        self._tell(("say", (line,)))


def perform(job: Job[Any], pieces: Iterable[Piece]) -> None:
    """Do what is not done yet and record what it came to, seeds side by side."""
    for of_seeds, group in itertools.groupby(pieces, lambda piece: piece.seed is not None):
        section = list(group)
        left = {piece.seed for piece in section if not piece.is_done(job.run)}
        if not of_seeds or min(len(left), job.config.processes) < 2 or not _can_be_sent(section):
            left = set()
        in_order(job, [piece for piece in section if piece.seed not in left])
        if left:
            _side_by_side(job, [each for each in section if each.seed in left])


def _can_be_sent(pieces: Sequence[Piece]) -> bool:
    """Whether another process can import what the pieces do; not if it is defined in a function."""
    try:
        pickle.dumps(pieces)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def _side_by_side(job: Job[Any], pieces: Sequence[Piece]) -> None:
    """Do pieces of several seeds, each seed in order, and `config.processes` of them at a time.

    Args:
        job: The job, whose records and bar hear of everything.
        pieces: What is to be done; functions that another process can import.

    Raises:
        Exception: What a process has raised. The others are stopped, and what they have finished
            is kept.
        ChildProcessError: A process has ended without a word.
    """
    seeds = deque(dict.fromkeys(piece.seed for piece in pieces))
    count = min(job.config.processes, len(seeds))
    run = _Told(job.run)
    given = (job.config, job.data, run, job.labels, pieces, cpu_count() // count)
    workers: dict[Connection, SpawnProcess] = {}
    try:
        with _deaf():  # an interruption is this process's to pass on
            for _ in range(count):
                here, there = _CONTEXT.Pipe()
                process = _CONTEXT.Process(target=_work, args=(there, *given))
                process.start()
                workers[here] = process
                there.close()  # so that the pipe ends with the process
        while workers:
            for pipe in cast(list[Connection], wait(list(workers))):
                try:
                    message = pipe.recv()
                except EOFError:
                    _check_ended(workers.pop(pipe))
                else:
                    _hear(job, pipe, seeds, *message)
    finally:
        _stop(job, workers)
    # as one process would have left them: means over the seeds agree to the last digit
    places = {seed: place for place, seed in enumerate(job.config.seeds)}
    job.run.records.sort(key=lambda each: places.get(each["seed"], -1))
    job.run.save()


def _hear(
    job: Job[Any], pipe: Connection, seeds: deque[int | None], name: str, content: Sequence[Any]
) -> None:
    """Do as a process says: keep a record, give it the next seed, draw the bar."""
    if name == "record":
        job.run.add(content[0], **content[1])
    elif name == "free":
        pipe.send(seeds.popleft() if seeds else None)
    elif name == "error":
        raise content[0]
    else:
        getattr(job.progress, name)(*content)


def _check_ended(process: SpawnProcess) -> None:
    process.join()
    if process.exitcode:
        raise ChildProcessError(
            f"a process of this job ended with exit code {process.exitcode}, perhaps for want of "
            f"memory: --processes 1 takes the least. What is finished is kept, and the same "
            f"command goes on."
        )


def _stop(job: Job[Any], workers: Mapping[Connection, SpawnProcess]) -> None:
    """End processes as Ctrl-C would, and keep what they have finished by then."""
    for process in workers.values():
        process.terminate()
    for pipe, process in workers.items():
        for name, content in _last_words(pipe):
            if name == "record":
                job.run.add(content[0], **content[1])
        process.join()


def _last_words(pipe: Connection) -> Iterator[tuple[str, Sequence[Any]]]:
    with contextlib.suppress(EOFError, OSError):  # perhaps in the middle of one
        while True:
            yield pipe.recv()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started meanwhile do not hear Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(
    pipe: Connection,
    config: Any,
    data: Split,
    run: _Told,
    labels: Mapping[str, str],
    pieces: Sequence[Piece],
    threads: int,
) -> None:
    """What a process does: all pieces of a seed, then those of the next one that it is given."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a KeyboardInterrupt
    tf.config.threading.set_intra_op_parallelism_threads(max(threads, 1))
    run.tell = pipe.send
    job = Job(config, data, run, _ToldBar(pipe.send), labels)
    try:
        while True:
            pipe.send(("free", ()))
            seed = pipe.recv()
            if seed is None:
                return
            in_order(job, [piece for piece in pieces if piece.seed == seed])
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        pass  # told to stop, or nobody is left to tell
    except Exception as error:
        error.add_note(traceback.format_exc())
        pipe.send(("error", (error,)))
