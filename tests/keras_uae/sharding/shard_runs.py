"""Small runs of `keras-uae generate` for the tests of shards."""

import itertools
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from keras_uae.cli.app import app
from tests import tiny_models

COUNT, SHARD, BATCH = 70, 16, 8
SHARDS = 5
SETTINGS = ["--steps", "3", "--similarity", "gaussian", "--shard-size", "16", "--batch-size", "8"]


def write_inputs(folder: Path) -> tuple[str, str]:
    """A model and data on disk."""
    model, data = folder / "model.keras", folder / "x.npy"
    tiny_models.dense().save(model)
    np.save(data, tiny_models.images(COUNT))
    return str(model), str(data)


def command(inputs: tuple[str, str], out: Path, *more: str) -> list[str]:
    """Arguments of a run that goes on with what is there."""
    return ["generate", *inputs, "--out", str(out), "--resume", *SETTINGS, *more]


def invoke(*arguments: str):
    """Run `keras-uae` in this process."""
    return CliRunner().invoke(app, [str(each) for each in arguments])


def contents(directory: Path) -> dict[str, bytes]:
    """Every file in a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def start(arguments: list[str], writes: int | None = None) -> multiprocessing.process.BaseProcess:
    """Run `keras-uae` in a process of its own, forked from one that has imported it.

    After so many `writes` to the disk, in the middle of the next one, it is ended by SIGKILL.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_uae.cli.app"])
    process = context.Process(target=_main, args=(arguments, writes), daemon=True)
    process.start()
    return process


def _main(arguments: list[str], writes: int | None) -> None:
    fsync, countdown = os.fsync, itertools.count()

    def fsync_or_die(handle: int) -> None:
        if next(countdown) == writes:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)

    os.fsync = fsync_or_die  # type: ignore[assignment]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    app(arguments)


def kill_when(process: multiprocessing.process.BaseProcess, ready, limit: float = 120) -> bool:
    """SIGKILL as soon as `ready()`; false if the process was quicker."""
    assert process.pid is not None
    end = time.monotonic() + limit
    while process.is_alive() and time.monotonic() < end:
        if ready():
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    process.join(limit)
    return process.exitcode == -signal.SIGKILL
