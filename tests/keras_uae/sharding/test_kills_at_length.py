"""SIGKILL at every call of the system that a run makes: `pytest -m slow`.

The shards are those of an attack whose results are known, so that a run takes milliseconds; some
kills are of the command itself, and of workers of Ray.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_uae as uae
from keras_uae.sharding import Manifest, Shards
from keras_uae.sharding.generate import LocalEngine, NoProgress, make_missing, open_directory, plan
from keras_uae.sharding.sources import ArraySource
from keras_uae.sharding.worker import Worker
from tests import tiny_models
from tests.keras_uae.sharding import deadly_calls
from tests.keras_uae.sharding.deadly_calls import MOMENTS, WRITING
from tests.keras_uae.sharding.shard_runs import command, contents, fork, invoke, start

pytestmark = pytest.mark.slow
COMMAND_KILLS = int(os.environ.get("COMMAND_KILLS", "40"))
RAY_ROUNDS = int(os.environ.get("RAY_ROUNDS", "10"))
COMMAND_CALLS = 120
COUNT = 20


@dataclass(frozen=True)
class Recorded:
    """An attack that gives what another one has found."""

    found: uae.UAEs

    def batches(self, x, y, *, batch_size, seed, index, exact):
        for first in range(0, len(x), batch_size):
            yield self.found[index[first : first + batch_size]]


@dataclass(frozen=True)
class Job:
    """A run that any process can take up."""

    manifest: Manifest
    attack: Recorded
    x: np.ndarray

    def run(self, directory: Path) -> None:
        """Make what is missing."""
        manifest = open_directory(directory, self.manifest, resume=True)
        worker: Any = Worker(self.attack, ArraySource(self.x), manifest, directory)
        numbers = range(manifest.shards)
        make_missing(directory, manifest, numbers, LocalEngine(worker), NoProgress())


def begin(job: Job, directory: Path, at: int | None = None, moment: str = "before") -> int:
    """The run in a process of its own, killed at a call; without one its calls are counted."""
    pid = os.fork()
    if pid:
        return pid
    try:
        countdown = deadly_calls.install(at, moment)
        job.run(directory)
        directory.with_suffix(".calls").write_text(str(countdown.count))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def is_killed(pid: int) -> bool:
    """Wait for a run: whether it was killed; it may not end in another way than well."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def undisturbed(job: Job, directory: Path) -> dict[str, bytes]:
    """What is there after a run that nobody kills."""
    assert not is_killed(begin(job, directory))
    return contents(directory)


def in_a_fork(function, job, folder) -> str:
    """What a function says that forks, which a process that has used TensorFlow must not."""
    process = fork(say, function, job, folder)
    process.join()
    assert process.exitcode == 0
    return (folder / "said").read_text()


def say(function, job, folder):
    (folder / "said").write_text(function(job, folder))


@pytest.fixture(scope="module")
def job():
    attack = uae.MinMaxAttack(tiny_models.dense(), steps=2, similarity="gaussian")
    x = tiny_models.images(COUNT)
    manifest = plan(attack, ArraySource(x), batch_size=4, shard_size=8)
    return Job(manifest, Recorded(attack.generate(x, batch_size=4, verbose=0)), x)


def check_unharmed(directory, expected):
    """What is complete is right, and nothing is there that could be taken for something else."""
    if (directory / "manifest.json").exists():
        assert set(Shards(directory).states()) <= {"done", "missing"}
    for name, content in contents(directory).items() if directory.exists() else ():
        assert name.endswith(".part") or content == expected[name], name


def kill_at_every_call(job, folder):
    """At each call of a whole run, then at a random one of the run that takes it up, to the end."""
    expected = undisturbed(job, folder / "whole")
    count = int((folder / "whole.calls").read_text())
    draw, kills = random.Random(0), 0
    for moment in MOMENTS:
        for at in range(count):
            directory = folder / f"{moment}-{at}"
            killed = is_killed(begin(job, directory, at, moment))
            while killed:
                kills += 1
                check_unharmed(directory, expected)
                killed = is_killed(
                    begin(job, directory, draw.randrange(count), draw.choice(MOMENTS))
                )
            assert contents(directory) == expected
            shutil.rmtree(directory)
    return f"{kills} kills at {count} calls, before, within and after each"


def kill_one_of_two(job, folder):
    """Nothing that one job does disturbs the other, whenever it dies."""
    expected = undisturbed(job, folder / "whole")
    count = int((folder / "whole.calls").read_text())
    draw, kills, rounds = random.Random(1), 0, 500
    for number in range(rounds):
        directory = folder / str(number)
        doomed = begin(job, directory, draw.randrange(count), draw.choice(MOMENTS))
        lives = begin(job, directory)
        kills += is_killed(doomed)
        assert not is_killed(lives)
        check_unharmed(directory, expected)
        assert undisturbed(job, directory) == expected
        shutil.rmtree(directory)
    return f"{kills} kills of one of two jobs in {rounds} rounds"


@pytest.mark.parametrize("function", [kill_at_every_call, kill_one_of_two])
def test_killed_jobs(function, job, tmp_path):
    print(in_a_fork(function, job, tmp_path))


def test_the_command_killed_at_random_calls(inputs, tmp_path):
    out = tmp_path / "whole"
    assert invoke(*command(inputs, out)).exit_code == 0
    expected = contents(out)
    draw = random.Random(2)
    kills = rounds = 0
    while kills < COMMAND_KILLS:
        out, killed = tmp_path / str(rounds), True
        rounds += 1
        while killed:
            death = draw.randrange(COMMAND_CALLS), draw.choice(MOMENTS), WRITING
            process = start(command(inputs, out), *death)
            process.join(300)
            assert process.exitcode in (0, -signal.SIGKILL)
            killed = process.exitcode != 0
            kills += killed
            check_unharmed(out, expected)
        assert contents(out) == expected
    print(f"{kills} kills of the command in {rounds} runs")


def test_workers_of_ray_killed_at_random_calls(inputs, tmp_path):
    pytest.importorskip("ray")
    local = [sys.executable, "-m", "keras_uae.cli"]
    threads = ["--threads", "1"]
    subprocess.run(
        [*local, *command(inputs, tmp_path / "alone", *threads)], check=True, timeout=300
    )
    expected = contents(tmp_path / "alone")
    module = ["--import", "tests.keras_uae.sharding.deadly_calls"]
    engine = ["--engine", "ray", "--workers", "2", *threads, *module]
    deaths = tmp_path / "deaths"
    deaths.touch()
    environment = {**os.environ, deadly_calls.DEADLY: str(deaths)}
    for number in range(RAY_ROUNDS):
        out = tmp_path / f"ray-{number}"
        code = None
        while code != 0:
            arguments = [*local, *command(inputs, out, *engine)]
            code = subprocess.run(arguments, env=environment, timeout=900, check=False).returncode
            assert code in (0, 1)  # 1: a shard has lost eight workers
            check_unharmed(out, expected)
        assert contents(out) == expected
    print(f"{len(deaths.read_text())} kills of workers in {RAY_ROUNDS} runs on Ray")
