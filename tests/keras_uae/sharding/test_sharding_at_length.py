"""What takes minutes: many kills, workers of Ray, a disk that is full. `pytest -m slow`."""

import os
import random
import signal
import subprocess
import sys
import time

import keras
import psutil
import pytest

from tests.keras_uae.sharding.shard_runs import (
    SHARDS,
    command,
    contents,
    invoke,
    kill_when,
    start,
    write_inputs,
)

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "60"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    keras.utils.set_random_seed(0)
    return write_inputs(tmp_path_factory.mktemp("inputs"))


def uninterrupted(inputs, out, *more):
    assert invoke(*command(inputs, out, *more)).exit_code == 0
    return contents(out)


def test_killed_at_random_moments(inputs, tmp_path):
    expected = uninterrupted(inputs, tmp_path / "whole")
    draw = random.Random(0)
    for number in range(2):  # the first one waits for the imports, too
        begun = time.monotonic()
        start(command(inputs, tmp_path / f"timed-{number}")).join(120)
        seconds = time.monotonic() - begun
    kills = rounds = 0
    while kills < KILLS:
        out = tmp_path / f"killed-{rounds}"
        rounds += 1
        done = False
        while not done:
            end = time.monotonic() + draw.uniform(0.1, 1) * seconds
            killed = kill_when(start(command(inputs, out)), lambda end=end: time.monotonic() > end)
            kills += killed
            done = not killed
        assert contents(out) == expected
    print(f"{kills} kills in {rounds} runs of {SHARDS} shards, all to the same bytes")


def test_a_worker_of_ray_that_is_killed(inputs, tmp_path):
    pytest.importorskip("ray")
    threads = "2" if len(os.sched_getaffinity(0)) > 3 else "1"
    local = [sys.executable, "-m", "keras_uae.cli"]
    alone = tmp_path / "alone"
    subprocess.run([*local, *command(inputs, alone, "--threads", threads)], check=True, timeout=300)
    expected = contents(alone)
    out = tmp_path / "ray"
    engine = ["--engine", "ray", "--workers", "2", "--threads", threads]
    run = subprocess.Popen([*local, *command(inputs, out, *engine)])
    killed = 0
    end = time.monotonic() + 300
    while run.poll() is None and time.monotonic() < end:
        if not killed and list(out.glob("*.npz")):
            children = psutil.Process(run.pid).children(recursive=True)
            workers = [each for each in children if "ShardActor" in " ".join(each.cmdline())]
            if workers:
                workers[0].send_signal(signal.SIGKILL)
                killed += 1
        time.sleep(0.02)
    assert run.wait(60) == 0
    assert killed == 1
    assert contents(out) == expected


def test_a_disk_that_is_full(inputs, tmp_path):
    """A file system of 64 kB, where there is the right to mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs to be root")
    try:
        blocker = small / "blocker"
        blocker.write_bytes(bytes(40_000))
        out = small / "out"
        result = invoke(*command(inputs, out))
        assert result.exit_code == 5, result.stderr
        assert not list(out.glob("*.part"))
        blocker.unlink()
        assert invoke(*command(inputs, out)).exit_code == 0
        assert contents(out) == uninterrupted(inputs, tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(small)], check=True)
