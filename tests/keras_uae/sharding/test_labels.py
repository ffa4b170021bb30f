"""Labels through shards: targeted and supervised attacks of any size."""

import json

import keras
import numpy as np
import pytest

import keras_uae as uae
from keras_uae.sharding import DataReference, Manifest, Shards, generate_shards
from tests import tiny_models
from tests.keras_uae.sharding.shard_runs import contents, invoke

COUNT, CLASSES = 10, 3
TARGETED = {"criterion": "targeted_misclassification", "objective": "maximize"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier, samples and labels on disk."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("labels")
    inputs = keras.Input(tiny_models.SHAPE)
    logits = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, logits, name="classifier").save(folder / "classifier.keras")
    np.save(folder / "x.npy", tiny_models.images(COUNT))
    np.save(folder / "y.npy", labels())
    np.savez(folder / "both.npz", x=tiny_models.images(COUNT), y=labels())
    return folder


def labels():
    return np.arange(COUNT) % CLASSES


def attack(folder, **settings):
    model = keras.saving.load_model(folder / "classifier.keras")
    settings = {"similarity": "gaussian", "steps": 5, "initial_radius": 0.4, **settings}
    return uae.MinMaxAttack(model, **{**TARGETED, **settings})


def generate(folder, out, *more, data="x.npy", labels="y.npy"):
    named = (folder / labels) if labels and labels.endswith((".npy", ".npz")) else labels
    return invoke(
        *("generate", folder / "classifier.keras", folder / data, "--out", out),
        *("--similarity", "gaussian", "--steps", "5", "--shard-size", "4", "--batch-size", "2"),
        *("--criterion", "targeted_misclassification", "--objective", "maximize"),
        *(("--labels", named) if labels else ()),
        *more,
    )


def test_the_labels_decide_what_is_found(folder, tmp_path):
    chosen = attack(folder)
    x, y = tiny_models.images(COUNT), labels()
    counts = generate_shards(chosen, x, tmp_path / "uaes", y, batch_size=2, shard_size=4)
    assert counts == {"kept": 0, "damaged": 0, "made": 3}
    found = chosen.generate(x, y, batch_size=2, verbose=0)
    shards = Shards(tmp_path / "uaes")
    np.testing.assert_allclose(shards.samples()[np.arange(COUNT)], found.x, atol=1e-6)
    reached = chosen.model(found.x[found.success]).numpy().argmax(axis=1)
    assert found.success.any()
    np.testing.assert_array_equal(reached, y[found.success])
    other = chosen.generate(x, (y + 1) % CLASSES, batch_size=2, verbose=0)
    assert not np.array_equal(other.x, found.x)


def test_the_command_line_takes_them_from_a_file_or_from_the_data(folder, tmp_path):
    for out, settings in (
        ("file", {}),
        ("array", {"data": "both.npz", "labels": "y"}),
        ("archive", {"labels": "both.npz"}),
    ):
        result = generate(folder, tmp_path / out, **settings)
        assert result.exit_code == 0, result.output
    assert contents(tmp_path / "file") == contents(tmp_path / "array")
    assert contents(tmp_path / "file") == contents(tmp_path / "archive")
    chosen = attack(folder, initial_radius=0.2)
    whole = chosen.generate(tiny_models.images(COUNT), labels(), batch_size=2, verbose=0)
    samples = Shards(tmp_path / "file").samples()[np.arange(COUNT)]
    np.testing.assert_allclose(samples, whole.x, atol=1e-6)


def test_other_labels_are_another_run(folder, tmp_path):
    out = tmp_path / "uaes"
    assert generate(folder, out).exit_code == 0
    np.save(tmp_path / "other.npy", (labels() + 1) % CLASSES)
    refused = generate(folder, out, "--resume", "--labels", tmp_path / "other.npy")
    assert refused.exit_code == 4
    assert "labels 0 to 3: SHA-256" in refused.output
    verified = invoke("verify", out, "--data", folder / "x.npy", "--labels", folder / "y.npy")
    assert verified.exit_code == 0, verified.output
    changed = invoke("verify", out, "--data", folder / "x.npy", "--labels", tmp_path / "other.npy")
    assert changed.exit_code == 3
    assert "the labels of shard 2 are not those that were attacked" in changed.output


def test_labels_that_nothing_is_compared_with_are_not_verified(folder, tmp_path):
    out, plain, data = tmp_path / "uaes", tmp_path / "plain", ("--data", folder / "x.npy")
    assert generate(folder, out).exit_code == 0
    assert invoke("verify", out, "--labels", folder / "y.npy").exit_code == 2
    np.save(tmp_path / "more.npy", np.append(labels(), 0))
    more = invoke("verify", out, *data, "--labels", tmp_path / "more.npy")
    assert more.exit_code == 3
    assert f"there are {COUNT + 1} labels, of {COUNT} samples" in more.output
    without = attack(folder, criterion="misclassification")
    generate_shards(without, tiny_models.images(COUNT), plain)
    assert invoke("verify", plain, *data).exit_code == 0
    assert invoke("verify", plain, *data, "--labels", folder / "y.npy").exit_code == 3


def test_no_labels_are_another_run(folder, tmp_path):
    x, out = tiny_models.images(COUNT), tmp_path / "uaes"
    settings = {"batch_size": 2, "shard_size": 4}
    leaving = attack(folder, criterion="misclassification")
    generate_shards(leaving, x, out, **settings)
    assert "labels" not in json.loads((out / "manifest.json").read_text())
    with pytest.raises(ValueError, match="without labels there, with here"):
        generate_shards(leaving, x, out, labels(), resume=True, **settings)


def test_labels_that_nobody_uses_are_refused_in_a_line(tmp_path):
    plain, y = uae.MinMaxAttack(tiny_models.dense()), np.arange(COUNT).repeat(100)
    with pytest.raises(ValueError, match="Reconstruction uses no labels") as refusal:
        generate_shards(plain, tiny_models.images(len(y)), tmp_path / "uaes", y)
    assert "\n" not in str(refusal.value)


def test_a_manifest_with_labels_is_read_again(folder, tmp_path):
    generate_shards(attack(folder), tiny_models.images(COUNT), tmp_path / "uaes", labels())
    manifest = Manifest.read(tmp_path / "uaes")
    assert len(manifest.labels) == manifest.shards
    content = manifest.as_json()
    assert Manifest.from_json(content) == manifest
    for bad in (["0" * 64] * 7, "labels", ["no sum"] * manifest.shards):
        with pytest.raises(ValueError, match="labels must"):
            Manifest.from_json({**content, "labels": bad})


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (labels()[:4], "`labels` of generate must have one label a sample, 10"),
        (labels() + 1, r"`y` of generate must be in \[0, 2\]"),
        (None, "must hold the class that each sample is to reach"),
    ],
)
def test_bad_labels_are_named(folder, tmp_path, y, message):
    with pytest.raises(ValueError, match=message):
        generate_shards(attack(folder), tiny_models.images(COUNT), tmp_path / "uaes", y)
    assert not (tmp_path / "uaes").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"y": np.ones((COUNT, 2), int)}, r"must be one integer a sample: save y\.argmax.*shape"),
        ({"y": np.ones(COUNT)}, "must be one integer a sample.*dtype float64"),
        ({"a": np.ones(COUNT, int), "b": np.ones(COUNT, int)}, "must have the feature"),
    ],
)
def test_bad_files_of_labels_are_named(folder, tmp_path, content, message):
    np.savez(tmp_path / "bad.npz", **content)
    reference = DataReference(str(folder / "x.npy"))
    with pytest.raises(ValueError, match=message):
        reference.open_labels(str(tmp_path / "bad.npz"))
