"""Thousands of malformed files for everything that reads files: `pytest -m slow`.

A file is named by its number, `FILES` how many there are for each reader. None may bring about
another error than the reader promises, 10 s of the processor, or 512 MB.
"""

import contextlib
import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from scipy.io import savemat

import keras_uae as uae
from experiments import reconstruction
from experiments.data import sets
from experiments.data.matlab import read_matlab
from experiments.data.text_tables import read_table
from experiments.report.runs import find
from keras_uae._arrays import open_arrays
from keras_uae._files import sha256_of_file
from keras_uae.cli.inspection import figures
from keras_uae.sharding import DataReference, Shards
from keras_uae.sharding.attack_config import build_attack, describe_attack
from keras_uae.sharding.models import load_model
from keras_uae.sharding.shards import shard_path, sum_path
from tests import tiny_models
from tests.experiments.data.test_tabular import compress
from tests.malformed import is_whole, mutated, mutated_archive, mutated_json, search

pytestmark = pytest.mark.slow
FILES = int(os.environ.get("FILES", "1200"))
COUNT = 20


def saved(write, *args, **settings) -> bytes:
    """What a function writes into a file that it is given."""
    file = io.BytesIO()
    write(file, *args, **settings)
    return file.getvalue()


def write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def write_shards(directory: Path) -> None:
    attack = uae.MinMaxAttack(tiny_models.dense(), steps=2, similarity="gaussian")
    x = tiny_models.images(COUNT)
    uae.generate_shards(attack, x, directory, batch_size=4, shard_size=8)


def manifests(folder):
    write_shards(folder / "uaes")
    path = folder / "uaes" / "manifest.json"
    content = json.loads(path.read_text())

    def attempt(rng):
        write_text(path, mutated_json(rng, content))
        shards = Shards(path.parent)
        shards.states()
        figures(shards)

    return attempt, (ValueError,)


def shards(folder):
    """Whoever is not told of a change gets the bytes that were written."""
    write_shards(folder / "uaes")
    right = Shards(folder / "uaes").samples()[np.arange(COUNT)]
    path, beside = (each(folder / "uaes", 1) for each in (shard_path, sum_path))
    content, line = path.read_bytes(), beside.read_bytes()

    def attempt(rng):
        path.write_bytes(content)
        beside.write_bytes(line)
        forged = False
        if rng.random() < 0.2:
            beside.write_bytes(mutated(rng, line))
        else:
            path.write_bytes(mutated_archive(rng, content))
            forged = rng.random() < 0.5
        opened = Shards(folder / "uaes")
        if forged:
            file_sum = sha256_of_file(path)
            bound = opened.manifest.bound(1, file_sum)
            beside.write_text(f"{file_sum}  {path.name}\n# run {bound}\n")
        figures(opened)
        with contextlib.suppress(ValueError, FileNotFoundError):
            opened.column("success", [1])
        found = opened.samples()[np.arange(COUNT)]
        if not forged:
            np.testing.assert_array_equal(found, right)

    return attempt, (ValueError,)


def arrays(folder):
    x = np.arange(60, dtype=np.float32).reshape(10, 6)
    names = {"x": x, "success": x > 3, "names": np.array(["a", "b"])}
    files = {
        "x.npy": [saved(np.save, x), saved(np.save, np.asfortranarray(x))],
        "x.npz": [saved(np.savez, **names), saved(np.savez_compressed, **names)],
    }

    def attempt(rng):
        name = rng.choice(list(files))
        content, change = rng.choice(files[name]), mutated if name == "x.npy" else mutated_archive
        (folder / name).write_bytes(change(rng, content))
        with contextlib.suppress(ValueError):
            for array in open_arrays(folder / name, lambda each: each != "names").values():
                array.read()
                array.rows(range(len(array)))
        source = DataReference(str(folder / name)).open()
        source.read(0, len(source))

    return attempt, (ValueError,)


def uaes(folder):
    x = tiny_models.images(4)
    attack = uae.MinMaxAttack(tiny_models.dense(), steps=2, similarity="gaussian")
    path = attack.generate(x, trace=True, verbose=0).save(folder / "uaes.npz")
    content = path.read_bytes()

    def attempt(rng):
        path.write_bytes(mutated_archive(rng, content))
        uae.UAEs.load(path)

    return attempt, (ValueError,)


def records(folder):
    x = tiny_models.images(2)
    path = folder / "x.tfrecord"
    kinds = {
        "png": lambda each: tf.io.encode_png((each * 255).astype(np.uint8)).numpy(),
        "jpeg": lambda each: tf.io.encode_jpeg((each * 255).astype(np.uint8)).numpy(),
        "tensor": lambda each: tf.io.serialize_tensor(each).numpy(),
        "raw": lambda each: each.tobytes(),
    }

    def record(rng, kind, each):
        value = kinds[kind](each)
        if rng.random() < 0.3:  # within a record that is right
            value = mutated(rng, value)
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if rng.random() < 0.2:
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=each.ravel()))
        content = tf.train.Features(feature={"x": feature})
        return tf.train.Example(features=content).SerializeToString()

    def attempt(rng):
        kind = rng.choice(list(kinds))
        with tf.io.TFRecordWriter(str(path)) as writer:
            for each in x:
                writer.write(record(rng, kind, each))
        content = path.read_bytes()
        packed = rng.random() < 0.3
        if packed and rng.random() < 0.5:
            content = gzip.compress(mutated(rng, content), mtime=0)
        else:
            content = mutated(rng, gzip.compress(content, mtime=0) if packed else content)
        path.write_bytes(content)
        source = DataReference(str(path)).open(tiny_models.SHAPE)
        source.read(0, len(source))

    return attempt, (ValueError,)


def models(folder):
    path = folder / "model.keras"
    contents = []
    for build in (tiny_models.nested, tiny_models.dense):
        build().save(path)
        contents.append(path.read_bytes())

    def attempt(rng):
        content = rng.choice(contents)
        if rng.random() < 0.5 and not is_whole(rng):
            content = with_config(content, lambda config: mutated_json(rng, config))
        else:
            content = mutated_archive(rng, content)
        path.write_bytes(content)
        load_model(path)
        keras.backend.clear_session()

    return attempt, (ValueError,)


def with_config(content, change):
    """A .keras file whose configuration is another text."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            value = old.read(name)
            if name == "config.json":
                value = change(json.loads(value)).encode("utf-8", "surrogateescape")
            new.writestr(name, value)
    return file.getvalue()


def attacks(folder):
    """What --config holds."""
    model = tiny_models.dense()
    made = [
        uae.MinMaxAttack(model),
        uae.MinMaxAttack(model, similarity="random"),
        uae.PGDAttack(model),
    ]
    descriptions = [describe_attack(each) for each in made]

    def attempt(rng):
        build_attack(model, json.loads(mutated_json(rng, rng.choice(descriptions))))

    return attempt, (ValueError,)


def tables(folder):
    draw = np.random.default_rng(0)
    numbers = saved(np.savetxt, draw.uniform(size=(9, 5)), fmt="%.4f", delimiter=", ")
    lines = [["MouseID", *sets.PROTEINS, "class"]]
    lines += [
        [f"{n}", *draw.uniform(size=77).round(3).astype(str), name]
        for n, name in enumerate(sets.MICE)
    ]
    mice = "".join(",".join(line) + "\n" for line in lines).encode()
    path = folder / "table"

    def attempt(rng):
        kind = rng.choice(["mice", "numbers", "packed"])
        content = mice if kind == "mice" else numbers
        for old, new in ((b",", b";"), (b"\n", b"\r\n"), (b"0.1", b"?"), (b", ", b"\t")):
            content = content.replace(old, new) if rng.random() < 0.2 else content
        if kind == "packed":
            content = compress(content)
        path.write_bytes(mutated(rng, content))
        if kind == "mice":
            sets.read_mice([path])
        else:
            read_table(path, 5)

    return attempt, (ValueError, OSError)


def matlab(folder):
    x, y = np.random.default_rng(0).uniform(size=(12, 5)), np.arange(12)[:, None] + 1
    path = folder / "x.mat"
    contents = []
    for make in (np.asarray, scipy.sparse.csc_array):
        for settings in ({}, {"do_compression": True}, {"format": "4"}):
            savemat(path, {"X": make(x), "Y": make(y.astype(float))}, **settings)
            contents.append(path.read_bytes())

    def attempt(rng):
        path.write_bytes(mutated(rng, rng.choice(contents)))
        read_matlab(path, 5)

    return attempt, (ValueError, OSError)


def runs(folder):
    """Files of an experiment's run."""
    config = reconstruction.Config.for_preset("smoke", attack_size=9, output=folder / "run")
    run = reconstruction.EXPERIMENT.open(config)
    for piece in reconstruction.pieces(config):
        if piece.recorded:
            errors = {"test_error": 0.5, "averaged_error": 0.4, "train_error": 0.3}
            more = {"asr": 0.5, "l2": 0.1, "frozen": 0, "samples": 5, "steps": 5, "seconds": 1.5}
            run.add(piece.key, **errors, **more)
    contents = {
        name: json.loads((folder / "run" / name).read_text())
        for name in ("config.json", "metrics.json")
    }

    def attempt(rng):
        for name, content in contents.items():
            write_text(folder / "run" / name, json.dumps(content))
        name = rng.choice(list(contents))
        write_text(folder / "run" / name, mutated_json(rng, contents[name]))
        find(folder)  # names what is damaged
        opened = reconstruction.EXPERIMENT.open(config)
        reconstruction.EXPERIMENT.tables(config, opened.summary)
        reconstruction.EXPERIMENT.verdicts(config, opened.summary)
        opened.save()

    return attempt, (ValueError,)


def faulty(folder):
    """What the search must find: an error of its own kind, memory, no end, and no process."""

    def attempt(rng):
        number = -1 if is_whole(rng) else int(rng.random() * 4)
        if number == 0:
            raise KeyError("x")
        if number == 1:
            np.ones(2**30, np.uint8)
        while number == 2:
            pass
        if number == 3:
            os.abort()

    return attempt, (ValueError,)


def test_the_search_finds_faults(tmp_path):
    faults = search(faulty, 8, tmp_path)
    assert {fault.number for fault in faults} == set(range(8))
    text = " ".join(fault.what for fault in faults)
    for what in ("KeyError", "MB", "more than 10 s", "ended the process (-6)"):
        assert what in text


READERS = (manifests, shards, arrays, uaes, records, models, attacks, tables, matlab, runs)
SLOW = {matlab: 10}  # a process for each file: so many times fewer


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_malformed_files(reader, tmp_path):
    count = FILES // SLOW.get(reader, 1)
    faults = search(reader, count, tmp_path)
    text = "\n\n".join(f"{reader.__name__} {number}: {what}" for number, what in faults[:20])
    print(f"{count} malformed files for {reader.__name__}, {len(faults)} faults")
    assert not faults, text
