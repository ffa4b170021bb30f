"""Small runs of `keras-uae generate` for the tests of shards."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from keras_uae.cli.app import app
from tests import tiny_models
from tests.keras_uae.sharding import deadly_calls

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


def start(
    arguments: list[str],
    at: int | None = None,
    moment: str = "before",
    calls: tuple[str, ...] = ("fsync",),
) -> multiprocessing.process.BaseProcess:
    """Run `keras-uae` in a process of its own, forked from one that has imported it.

    At the one numbered `at` of its `calls` of the system it is ended by SIGKILL.
    """
    return fork(_main, arguments, at, moment, calls)


def fork(function: Callable, *arguments: Any) -> multiprocessing.process.BaseProcess:
    """A call in a process that has imported the library and not used TensorFlow."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_uae.cli.app"])
    process = context.Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def _main(arguments: list[str], at: int | None, moment: str, calls: tuple[str, ...]) -> None:
    if at is not None:
        deadly_calls.install(at, moment, calls)
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
