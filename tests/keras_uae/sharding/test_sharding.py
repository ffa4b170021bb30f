"""Shards: made once, killed, damaged, resumed; read, checked, joined, trained on."""

import dataclasses
import errno
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae.cli
from keras_uae import MinMaxAttack, UAEAugmentation, UAEs
from keras_uae._files import sha256_of_file
from keras_uae.sharding import ArraySource, DataReference, Shards, generate_shards
from keras_uae.sharding.attack_config import ATTACKS, build_attack, describe_attack
from keras_uae.sharding.fingerprints import intra_op_threads
from keras_uae.sharding.generate import NoProgress, make_missing
from keras_uae.sharding.models import load_model
from keras_uae.sharding.worker import Worker
from tests import tiny_models
from tests.keras_uae.sharding.shard_runs import (
    BATCH,
    COUNT,
    SHARD,
    SHARDS,
    command,
    contents,
    invoke,
    start,
    write_inputs,
)


@pytest.fixture
def copy(complete, tmp_path):
    """A copy of it to be damaged."""
    return shutil.copytree(complete, tmp_path / "copy")


def flip(path, at=1000):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_shards_hold_what_generate_finds(complete, inputs, tmp_path):
    attack = MinMaxAttack(load_model(Path(inputs[0])), steps=3, similarity="gaussian")
    found = attack.generate(tiny_models.images(COUNT), batch_size=BATCH, verbose=0)
    found.save(tmp_path / "whole.npz")
    result = invoke("merge", complete, "--out", tmp_path / "merged.npz")
    assert result.exit_code == 0
    assert (tmp_path / "merged.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert invoke("merge", complete, "--out", tmp_path / "merged.npz").exit_code == 2
    delta = (found.x - tiny_models.images(COUNT)).reshape(COUNT, -1)
    norms = Shards(complete).column("l2_norm", range(SHARDS))
    np.testing.assert_allclose(norms, np.linalg.norm(delta, axis=1), rtol=1e-5)


def test_killed_while_it_writes_a_run_goes_on_to_the_same_bytes(complete, inputs, tmp_path):
    out, left = tmp_path / "killed", []
    for writes in (2, 4, 6):  # two for the manifest, four for each shard
        process = start(command(inputs, out), writes)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        left.append(len(list(out.glob("*.sha256"))))
    assert left == [0, 1, 2]
    assert invoke(*command(inputs, out)).exit_code == 0
    assert contents(out) == contents(complete)


def test_what_is_damaged_is_made_anew(complete, copy, inputs):
    flip(copy / "shard-000001.npz")
    (copy / "shard-000002.npz").unlink()
    (copy / "shard-000003.npz.sha256").unlink()
    (copy / "shard-000004.npz.1234.part").write_bytes(b"half")
    result = invoke(*command(inputs, copy, "--json"))
    assert json.loads(result.stdout)["shards"] == {"kept": 2, "damaged": 1, "made": 3}
    assert contents(copy) == contents(complete)


def test_what_a_lost_worker_has_begun_goes_at_the_end(complete, copy):
    class Engine:
        """Whose worker dies in the middle of a file that another one makes anew."""

        def run(self, numbers, on_samples):
            (copy / "shard-000001.npz.1234.part").write_bytes(b"half")

    make_missing(copy, Shards(copy).manifest, range(SHARDS), Engine(), NoProgress())
    assert contents(copy) == contents(complete)


def test_jobs_that_share_a_directory_make_their_own_shards(complete, inputs, tmp_path):
    for part in ("3:", "0:3"):
        assert invoke(*command(inputs, tmp_path / "shared", "--shards", part)).exit_code == 0
    assert contents(tmp_path / "shared") == contents(complete)


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (["--steps", "4"], "attack.config.steps: 3 there, 4 here"),
        (["--seed", "7"], "seed: 0 there, 7 here"),
        (["--shard-size", "32"], "shard_size: 16 there, 32 here"),
        (["--divide-by", "2"], "samples 0 to 15: SHA-256"),
    ],
)
def test_another_run_is_refused_and_the_difference_shown(complete, inputs, more, difference):
    before = contents(complete)
    result = invoke(*command(inputs, complete, *more))
    assert result.exit_code == 4
    assert difference in result.stderr
    assert contents(complete) == before


def test_another_model_or_other_data_are_refused(complete, inputs, tmp_path):
    keras.utils.set_random_seed(1)
    model, data = write_inputs(tmp_path)
    result = invoke(*command((model, inputs[1]), complete))
    assert result.exit_code == 4
    assert "model.weights" in result.stderr
    x = np.load(data)
    x[20] = 0
    np.save(data, x)
    result = invoke(*command((inputs[0], data), complete))
    assert result.exit_code == 4
    assert "samples 16 to 31" in result.stderr
    assert "samples 0 to 15" not in result.stderr


def test_a_directory_is_not_taken_by_accident(complete, inputs, tmp_path):
    arguments = [each for each in command(inputs, complete) if each != "--resume"]
    result = invoke(*arguments)
    assert result.exit_code == 4
    assert "--resume" in result.stderr
    (tmp_path / "letter.txt").write_text("dear")
    result = invoke(*command(inputs, tmp_path))
    assert result.exit_code == 4
    assert "letter.txt" in result.stderr


def test_other_versions_are_refused_unless_agreed_to(complete, copy, inputs):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["environments"][0]["numpy"] = "1.0"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = invoke(*command(inputs, copy))
    assert result.exit_code == 4
    assert "numpy: '1.0' there" in result.stderr
    assert invoke(*command(inputs, copy, "--any-environment")).exit_code == 0
    recorded = [each["numpy"] for each in Shards(copy).manifest.environments]
    assert recorded == ["1.0", np.__version__]


def test_what_an_earlier_version_did_not_note_has_not_changed(copy):
    manifest = Shards(copy).manifest
    noted = manifest.environments[0]
    assert manifest.environment_differences(noted) == []
    other = {**noted, "onednn": not noted["onednn"]}
    (change,) = manifest.environment_differences(other)
    assert change.startswith("onednn: ")
    earlier = {name: each for name, each in noted.items() if name != "onednn"}
    manifest = dataclasses.replace(manifest, environments=(earlier,))
    assert manifest.environment_differences(other) == []


def test_a_full_disk_is_an_error_of_its_own_and_can_be_resumed(
    complete, inputs, tmp_path, monkeypatch
):
    out, sync, calls = tmp_path / "full", os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "no space")
        sync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        result = invoke(*command(inputs, out))
    assert result.exit_code == 5
    assert "bytes left" in result.stderr
    assert "--resume" in result.stderr
    assert not list(out.glob("*.part"))
    assert invoke(*command(inputs, out)).exit_code == 0
    assert contents(out) == contents(complete)


def test_an_interruption_keeps_what_is_complete(inputs, tmp_path, monkeypatch):
    make = Worker.make

    def interrupted(self, number, on_samples):
        if number == 1:
            raise KeyboardInterrupt
        make(self, number, on_samples)

    monkeypatch.setattr(Worker, "make", interrupted)
    result = invoke(*command(inputs, tmp_path / "out"))
    assert result.exit_code == 130
    assert "--resume" in result.stderr
    assert Shards(tmp_path / "out").states() == ["done"] + ["missing"] * (SHARDS - 1)


def test_data_that_change_during_the_run_are_noticed(tmp_path):
    class Changing(ArraySource):
        reads = 0

        def read(self, start, stop):
            self.reads += 1
            return super().read(start, stop) * (0.5 if self.reads > 3 else 1)

    attack = MinMaxAttack(tiny_models.dense(), steps=1, similarity="gaussian")
    source = Changing(tiny_models.images(8))
    with pytest.raises(ValueError, match="The data have changed since the run began"):
        generate_shards(attack, source, tmp_path / "out", batch_size=4, shard_size=4)


def test_a_wrong_shape_is_that_of_all_samples(tmp_path):
    attack = MinMaxAttack(tiny_models.dense(), similarity="gaussian")
    source = ArraySource(tiny_models.images(8)[:, 1:])
    with pytest.raises(ValueError, match=r"`x` of generate .*Received: x of shape \(8, 5, 6, 1\)"):
        generate_shards(attack, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--epsilon", "-1"], 2, "`epsilon` of MinMaxAttack"),
        (["--preset", "papr"], 2, "Did you mean 'paper'"),
        (["--engine", "slurm"], 2, "must be local or ray"),
        (["--shards", "one"], 2, "must be like 0:100"),
        (["--shard-size", "17"], 2, "must be a multiple of batch_size=8, such as 16"),
        (["--bounds", "0", "0.5"], 1, "must lie inside bounds.*in samples 0 to 15"),
        (["--feature"], 2, ""),
    ],
)
def test_what_is_wrong_is_said_and_has_an_exit_code(inputs, tmp_path, more, code, message):
    result = invoke(*command(inputs, tmp_path / "out", *more))
    assert result.exit_code == code
    assert re.search(message, result.stderr, flags=re.DOTALL)
    assert not (tmp_path / "out").exists()


def test_inspection(complete, inputs, tmp_path):
    png = tmp_path / "grid.png"
    result = invoke("inspect", complete, "--png", png, "--data", inputs[1], "--json")
    values = json.loads(result.stdout)
    assert values["samples"] == COUNT
    assert values["shards_present"] == SHARDS
    success = Shards(complete).column("success", range(SHARDS))
    assert values["success_rate"] == success.mean()
    assert sum(values["similarity"]["histogram"]["counts"]) == success.sum()
    height, width, _ = tf.io.decode_png(png.read_bytes()).shape
    assert width == values["pictures"] * height / 2  # the originals above them
    kept = png.read_bytes()
    again = "inspect", complete, "--png", png  # without the originals it is another picture
    assert invoke(*again).exit_code == 2
    assert png.read_bytes() == kept
    assert invoke(*again, "--overwrite").exit_code == 0
    assert png.read_bytes() != kept
    assert "success rate" in invoke("inspect", complete).stdout


@pytest.mark.parametrize(
    ("name", "measure"), [("gaussian", "mutual information"), ("l2", "negative L2 distance")]
)
def test_inspection_names_what_was_minimised(inputs, tmp_path, name, measure):
    assert invoke(*command(inputs, tmp_path / "out", "--similarity", name)).exit_code == 0
    assert json.loads(invoke("inspect", tmp_path / "out", "--json").stdout)["measure"] == measure
    lines = [line.strip() for line in invoke("inspect", tmp_path / "out").stdout.splitlines()]
    assert measure in lines
    assert any(line.startswith(f"{measure}  ") for line in lines)


def test_an_attack_can_be_repeated_from_a_manifest(complete, inputs, tmp_path):
    attack = json.loads(invoke("inspect", complete, "--json").stdout)["attack"]
    (tmp_path / "attack.json").write_text(json.dumps(attack))
    options = ["--config", tmp_path / "attack.json", "--shard-size", SHARD, "--batch-size", BATCH]
    result = invoke("generate", *inputs, "--out", tmp_path / "again", *options)
    assert result.exit_code == 0
    assert contents(tmp_path / "again") == contents(complete)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_made_again_from_its_description(name):
    model = tiny_models.convolutional()
    attack = ATTACKS[name](model, steps=3, epsilon=0.25, bounds=(0, 255))
    description = json.loads(json.dumps(describe_attack(attack)))
    again = build_attack(model, description)
    assert type(again) is type(attack)
    assert describe_attack(again) == description
    assert (again.steps, again.epsilon, again.bounds) == (3, 0.25, (0, 255))


def test_verification(complete, copy, inputs, tmp_path):
    known = ["--model", inputs[0], "--data", inputs[1]]
    assert invoke("verify", complete, *known).exit_code == 0
    flip(copy / "shard-000001.npz")
    (copy / "shard-000002.npz").unlink()
    shutil.copy(copy / "shard-000003.npz", copy / "shard-000004.npz")
    x = np.load(inputs[1])
    np.save(tmp_path / "other.npy", x[::-1])
    result = invoke("verify", copy, "--data", tmp_path / "other.npy", "--json")
    assert result.exit_code == 3
    problems = json.loads(result.stdout)["problems"]
    assert problems[:3] == ["shard 1 is damaged", "shard 2 is missing", "shard 4 is damaged"]
    assert len(problems) == 3 + SHARDS
    assert invoke("merge", copy, "--out", tmp_path / "x.npz").exit_code == 1
    assert invoke("merge", copy, complete, "--out", tmp_path / "x.npz").exit_code == 0
    assert len(UAEs.load(tmp_path / "x.npz")) == COUNT


# Data


def example(value):
    if isinstance(value, bytes):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    else:
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=value.ravel()))
    features = tf.train.Features(feature={"x": feature})
    return tf.train.Example(features=features).SerializeToString()


def write_data(kind, path, x):
    """Write `x` in one of the formats that the command reads; returns the name of the data."""
    if kind == "npy":
        np.save(path / "x.npy", x)
        return str(path / "x.npy")
    if kind == "fortran":
        np.save(path / "x.npy", np.asfortranarray(x))
        return str(path / "x.npy")
    if kind in ("npz", "compressed", "with names"):
        others = {"names": np.array(["a"] * len(x))} if kind == "with names" else {"y": x[:, 0]}
        (np.savez if kind == "npz" else np.savez_compressed)(path / "x.npz", **others, x=x)
        return str(path / "x.npz")
    encode = {
        "images": lambda each: tf.io.encode_png(each.astype(np.uint8)).numpy(),
        "tensors": lambda each: tf.io.serialize_tensor(each).numpy(),
        "raw": lambda each: each.tobytes(),
        "numbers": lambda each: each,
    }[kind]
    for number, part in enumerate(np.array_split(x, 2)):
        with tf.io.TFRecordWriter(str(path / f"x-{number}.tfrecord")) as writer:
            for each in part:
                writer.write(example(encode(each)))
    return str(path / "x-*.tfrecord")


KINDS = ["npy", "fortran", "npz", "compressed", "with names", "images", "tensors", "raw", "numbers"]


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_read_from_any_format_and_in_any_order(tmp_path, kind):
    x = np.random.default_rng(0).integers(0, 256, (10, *tiny_models.SHAPE)).astype(np.float32)
    source = DataReference(write_data(kind, tmp_path, x), divide_by=255).open(tiny_models.SHAPE)
    assert source.shape == x.shape
    for first, last in ((0, 3), (3, 10), (5, 6), (0, 10)):
        expected = x[first:last] / np.float32(255)
        np.testing.assert_array_equal(source.read(first, last), expected)


def test_data_that_are_not_there_or_ambiguous(tmp_path):
    with pytest.raises(FileNotFoundError):
        DataReference(str(tmp_path / "no.npy")).open()
    with pytest.raises(FileNotFoundError, match=r"it must be a.*np\.save"):
        DataReference(str(tmp_path)).open()
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 3)), b=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"the feature that is asked for.*'a', 'b'"):
        DataReference(str(tmp_path / "x.npz")).open()
    assert len(DataReference(str(tmp_path / "x.npz"), feature="b").open()) == 2


def test_a_tfds_name_without_tfds_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match="pip install tensorflow-datasets"):
        DataReference("mnist").open()


# Training


def test_shards_are_streamed_into_training(complete):
    x = tiny_models.images(COUNT)
    found = np.concatenate([Shards(complete).open(n)["x"].read() for n in range(SHARDS)])
    for target in ("self", "clean"):
        streamed = UAEAugmentation.from_shards(complete, x, target=target, batch_size=32)
        whole = UAEAugmentation(x, found, target=target, batch_size=32)
        assert streamed.num_batches == whole.num_batches
        for batch in range(whole.num_batches):
            for one, other in zip(streamed[batch], whole[batch], strict=True):
                np.testing.assert_array_equal(one, other)
    model = tiny_models.dense()
    model.compile("sgd", "mse")
    alone = UAEAugmentation.from_shards(complete, batch_size=32)
    history = model.fit(alone, epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert sum(len(alone[batch][0]) for batch in range(alone.num_batches)) == COUNT


def test_training_refuses_other_originals_and_missing_shards(complete, copy):
    x = tiny_models.images(COUNT)
    with pytest.raises(ValueError, match="must be the samples that were attacked"):
        UAEAugmentation.from_shards(complete, x[::-1])
    with pytest.raises(ValueError, match="must be given for clean targets"):
        UAEAugmentation.from_shards(complete, target="clean")
    (copy / "shard-000002.npz").unlink()
    with pytest.raises(ValueError, match="shard 2 of 5 is missing"):
        UAEAugmentation.from_shards(copy, x)


def test_rows_of_all_shards_are_those_of_an_array(complete):
    shards = Shards(complete)
    samples, every = shards.samples(), range(SHARDS)
    whole = np.concatenate([shards.open(number)["x"].read() for number in every])
    mask = np.arange(COUNT) % 3 == 1
    for rows in (mask, 3, -1, [-1, -COUNT, 2], slice(5, None, 7), np.array([[0, 9], [9, 1]])):
        np.testing.assert_array_equal(samples[rows], whole[rows])
    np.testing.assert_array_equal(np.asarray(samples), whole)
    first = shards.open(0)["x"]
    np.testing.assert_array_equal(first.rows(mask[:SHARD]), whole[:SHARD][mask[:SHARD]])
    for wrong in ([COUNT], [0.0], mask[:-1]):
        with pytest.raises(IndexError):
            samples[wrong]


@pytest.mark.parametrize("place", ["x", "success"])
def test_damaged_shards_are_neither_trained_on_nor_shown(copy, place):
    """One bit of a value, which no length and no header tells."""
    array = Shards(copy).open(3)[place]
    with array._reading() as (_, begin), open(array.path, "r+b") as file:
        file.seek(begin)
        byte = file.read(1)[0]
        file.seek(begin)
        file.write(bytes([byte ^ 1]))
    for use in (UAEAugmentation.from_shards, lambda directory: Shards(directory).samples()):
        with pytest.raises(ValueError, match="shard 3 of 5 is damaged; `keras-uae generate --res"):
            use(copy)
    values = json.loads(invoke("inspect", copy, "--json").stdout)
    assert values["shards_unreadable"] == [3] or place == "x"  # which `inspect` does not show
    assert invoke("verify", copy).exit_code == 3
    if place == "success":
        with pytest.raises(ValueError, match="CRC"):
            Shards(copy).column("success", [3])


def test_values_that_are_not_finite_are_noticed_when_they_are_read(copy):
    path, run = copy / "shard-000000.npz", Shards(copy).manifest
    with np.load(path) as file:
        arrays = {name: file[name].copy() for name in file.files}
    arrays["x"][:] = np.nan
    np.savez(path, **arrays)
    file_sum = sha256_of_file(path)
    bound = f"# run {run.bound(0, file_sum)}"
    path.with_name(f"{path.name}.sha256").write_text(f"{file_sum}  {path.name}\n{bound}\n")
    data = UAEAugmentation.from_shards(copy, batch_size=COUNT)
    with pytest.raises(ValueError, match="must be finite"):
        data[0]


def test_shards_without_a_sum_or_of_another_run_are_not_shown(copy):
    (copy / "shard-000000.npz.sha256").unlink()
    text = (copy / "shard-000001.npz.sha256").read_text()
    (copy / "shard-000001.npz.sha256").write_text(text.replace("# run ", "# run 0")[:-2] + "\n")
    values = json.loads(invoke("inspect", copy, "--json").stdout)
    assert (values["shards_present"], values["shards_unreadable"]) == (3, [1])


# The command


def test_the_command_says_which_extra_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match=r"pip install 'keras-uae\[cli\]'"):
        keras_uae.cli.main()


def test_ray_is_asked_for_where_it_is_missing(inputs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    threads = str(intra_op_threads())  # that TensorFlow works with already
    more = ("--engine", "ray", "--threads", threads)
    result = invoke(*command(inputs, tmp_path / "out", *more))
    assert result.exit_code == 1
    assert "pip install 'keras-uae[ray]'" in result.stderr


def test_help_names_exit_codes_and_examples():
    text = " ".join(invoke("generate", "--help").stdout.split())
    assert "130 interrupted" in text
    assert "keras-uae generate autoencoder.keras x_train.npy --out uaes" in text
