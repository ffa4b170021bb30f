"""Several writers of one directory, shards of another run, and what is deleted in between."""

import dataclasses
import json
import os
import shutil
import threading

import numpy as np
import pytest

from keras_uae import MinMaxAttack, UAEs, _files
from keras_uae._errors import OtherRunError
from keras_uae.sharding import ArraySource, ManifestError, Shards, manifest
from keras_uae.sharding.generate import open_directory, plan
from keras_uae.sharding.shards import (
    remove_leftovers,
    shard_path,
    shard_state,
    sum_path,
)
from keras_uae.sharding.worker import Worker
from tests import tiny_models
from tests.keras_uae.sharding.shard_runs import (
    SHARDS,
    command,
    contents,
    invoke,
    start,
)


@pytest.fixture(scope="module")
def other(tmp_path_factory, inputs):
    """The same samples attacked with another seed."""
    out = tmp_path_factory.mktemp("other") / "uaes"
    assert invoke(*command(inputs, out, "--seed", "1")).exit_code == 0
    return out


@pytest.fixture
def copy(complete, tmp_path):
    return shutil.copytree(complete, tmp_path / "copy")


@pytest.fixture(scope="module")
def planned():
    attack = MinMaxAttack(tiny_models.dense(), steps=1, similarity="gaussian")
    return plan(attack, ArraySource(tiny_models.images(8)), batch_size=4, shard_size=4)


# Temporary files


def test_what_is_being_written_is_no_leftover(tmp_path):
    path = shard_path(tmp_path, 0)
    dead = tmp_path / f"{path.name}.0badc0de{_files.TEMPORARY}"
    dead.write_bytes(b"half")
    with _files.atomic_write(path) as file:
        file.write(b"whole")
        remove_leftovers(tmp_path, range(1))
        assert not dead.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_are_no_locks_a_leftover_is_a_day_old(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "fcntl", None)
    files = [tmp_path / f"manifest.json.{n}{_files.TEMPORARY}" for n in range(2)]
    for file in files:
        file.write_bytes(b"half")
    os.utime(files[0], (0, 0))
    remove_leftovers(tmp_path, range(0))
    assert list(tmp_path.iterdir()) == [files[1]]
    with _files.atomic_write(tmp_path / "x") as file:
        file.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"


def test_a_writer_whose_file_was_taken_for_a_leftover_takes_another(tmp_path, monkeypatch):
    lock, taken = _files._lock, []

    def late(file, wait=True):
        if not taken:  # between its creation and its lock
            taken.append(next(tmp_path.glob("*.part")))
            _files.remove_stale(taken[0])
        return lock(file, wait)

    with monkeypatch.context() as patched:
        patched.setattr(_files, "_lock", lambda file, wait=True: late(file, wait) if wait else True)
        with _files.atomic_write(tmp_path / "x") as file:
            file.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert len(taken) == 1


@pytest.mark.parametrize("links", [True, False])
def test_of_two_who_do_not_overwrite_one_is_refused(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_):
            raise OSError(_files.errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "x"
    late = _files.atomic_write(path, overwrite=False)
    late.__enter__().write(b"late")
    with _files.atomic_write(path, overwrite=False) as first:
        first.write(b"first")
    with pytest.raises(FileExistsError):
        late.__exit__(None, None, None)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_examples_saved_twice_at_once_are_not_overwritten(tmp_path, monkeypatch):
    found = UAEs(*(np.zeros((2, 3)), *(np.zeros(2, bool) for _ in range(6))))
    path = tmp_path / "x.npz"
    monkeypatch.setattr(np, "savez", lambda file, **arrays: path.write_bytes(b"another's"))
    with pytest.raises(FileExistsError, match=r"`path` of UAEs\.save exists already"):
        found.save(path)
    assert path.read_bytes() == b"another's"


# Jobs that begin at once


def together(*calls):
    """The results or errors of functions that run at the same time."""
    barrier = threading.Barrier(len(calls))
    results: list = [None] * len(calls)

    def run(number):
        barrier.wait()
        try:
            results[number] = calls[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_manifest_made_by_three_jobs_at_once_is_not_lost(tmp_path, planned):
    def begin(out):
        stored = open_directory(out, planned, resume=True)
        remove_leftovers(out, range(planned.shards))
        return stored

    for number in range(40):
        out = tmp_path / str(number)
        assert together(*[lambda out=out: begin(out)] * 3) == [planned] * 3
        assert [path.name for path in out.iterdir()] == ["manifest.json"]
        assert manifest.Manifest.read(out) == planned


def test_of_two_other_runs_at_once_one_gets_the_directory(tmp_path, planned):
    runs = [planned, dataclasses.replace(planned, seed=1, run="")]
    for number in range(20):
        out = tmp_path / str(number)
        results = together(*(lambda run=run, out=out: open_directory(out, run) for run in runs))
        (refused,) = (each for each in results if isinstance(each, Exception))
        assert isinstance(refused, OtherRunError)
        assert manifest.Manifest.read(out) in results


def test_environments_that_two_jobs_note_at_once_are_both_kept(tmp_path, planned):
    planned.write(tmp_path)
    news = [{"numpy": str(number)} for number in range(4)]
    add = manifest.Manifest.add_environment
    together(*(lambda new=new: add(tmp_path, new) for new in news))
    stored = manifest.Manifest.read(tmp_path)
    assert stored.run == planned.run
    assert sorted(each["numpy"] for each in stored.environments[1:]) == ["0", "1", "2", "3"]


def test_jobs_at_once_on_the_whole_and_on_parts(complete, inputs, tmp_path):
    out = tmp_path / "out"
    alone = [each for each in command(inputs, out) if each != "--resume"]
    jobs = [[*alone, "--shards", "0:"], [*alone, "--shards", "2:4"], command(inputs, out)]
    processes = [start(job) for job in jobs]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert contents(out) == contents(complete)


# Deleted while a run goes on


@pytest.mark.parametrize("what", ["manifest", "directory", "shard", "replaced", "last"])
def test_what_is_deleted_during_the_run_is_an_error(inputs, other, tmp_path, monkeypatch, what):
    out, make = tmp_path / "out", Worker.make

    def disturbed(self, number, on_samples):
        if number == 1 and what == "manifest":
            (out / "manifest.json").unlink()
        if number == 1 and what == "directory":
            shutil.rmtree(out)
        if number == 1 and what == "shard":
            shard_path(out, 0).unlink()
        if number == 1 and what == "replaced":
            shutil.copy(other / "manifest.json", out)
        make(self, number, on_samples)
        if number == SHARDS - 1 and what == "last":
            shutil.rmtree(out)

    monkeypatch.setattr(Worker, "make", disturbed)
    result = invoke(*command(inputs, out))
    assert result.exit_code == 1
    assert "shards made" not in result.stdout
    assert "was changed during the run" in result.stderr
    assert ".part" not in result.stderr


# Shards of another run


def test_a_shard_of_another_run_is_told_and_made_anew(complete, other, copy, inputs):
    for path in (shard_path, sum_path):
        shutil.copy(path(other, 1), path(copy, 1))
    result = invoke("verify", copy, "--json")
    assert (result.exit_code, json.loads(result.stdout)["problems"]) == (
        3,
        ["shard 1 is of another run"],
    )
    assert invoke("merge", copy, "--out", copy / "x.npz").exit_code == 1
    result = invoke(*command(inputs, copy, "--json"))
    assert json.loads(result.stdout)["shards"] == {"kept": 4, "damaged": 1, "made": 1}
    assert contents(copy) == contents(complete)


def test_a_shard_in_the_place_of_another_is_told(complete, copy):
    shutil.copy(shard_path(copy, 0), shard_path(copy, 1))
    text = sum_path(copy, 0).read_text().replace("000000", "000001")
    sum_path(copy, 1).write_text(text)
    assert Shards(copy).states()[:2] == ["done", "of another run"]
    # of the sum alone, as a version before had it
    sum_path(copy, 1).write_text(text.splitlines(keepends=True)[0])
    assert Shards(copy).states()[1] == "of another run"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda arrays: arrays.update(success=arrays["success"].astype(np.float32)),
        lambda arrays: arrays.update(x=arrays["x"].astype(np.float64)),
        lambda arrays: arrays.update(x=arrays["x"][:-1]),
        lambda arrays: arrays.update(frozen=arrays["frozen"][:, None]),
        lambda arrays: arrays.update(extra=arrays["x"]),
        lambda arrays: arrays.pop("l2_norm"),
    ],
)
def test_wrong_arrays_with_a_right_sum_are_told_by_all(complete, copy, inputs, wrong):
    path, run = shard_path(copy, 2), Shards(copy).manifest
    with np.load(path) as file:
        arrays = dict(file)
    wrong(arrays)
    np.savez(path, **arrays)
    file_sum = _files.sha256_of_file(path)
    sum_path(copy, 2).write_text(f"{file_sum}  {path.name}\n# run {run.bound(2, file_sum)}\n")
    assert Shards(copy).states()[2] == "damaged"
    result = invoke(*command(inputs, copy, "--json"))
    assert json.loads(result.stdout)["shards"] == {"kept": 4, "damaged": 1, "made": 1}
    assert contents(copy) == contents(complete)


def test_sums_without_a_run_are_believed_in_directories_of_before(complete, other, copy, inputs):
    text = (copy / "manifest.json").read_text().replace("keras_uae shards 2", "keras_uae shards 1")
    (copy / "manifest.json").write_text(text)
    for number in range(SHARDS):
        first = sum_path(copy, number).read_text().splitlines(keepends=True)[0]
        sum_path(copy, number).write_text(first)
    before = contents(copy)
    assert Shards(copy).states() == ["done"] * SHARDS
    assert invoke(*command(inputs, copy)).exit_code == 0
    assert contents(copy) == before
    sum_path(copy, 0).unlink()
    assert invoke(*command(inputs, copy)).exit_code == 0
    assert sum_path(copy, 0).read_bytes() == contents(complete)[sum_path(copy, 0).name]
    for path in (shard_path, sum_path):
        shutil.copy(path(other, 1), path(copy, 1))
    assert shard_state(copy, Shards(copy).manifest, 1) == "of another run"


def test_a_sum_file_is_one_for_sha256sum(complete):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = f"cd '{complete}' && sha256sum --check --strict --quiet *.sha256"
    assert os.system(command) == 0


def test_a_manifest_damaged_is_not_another_run(copy):
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(ManifestError) as caught:
        Shards(copy)
    assert not isinstance(caught.value, OtherRunError)
