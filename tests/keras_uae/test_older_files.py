"""What an older version saved still loads, and says the same: `tests/fixtures/v0_1/make.py`."""

import json
import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from keras_uae.sharding.fingerprints import model_fingerprint
from keras_uae.sharding.generate import (
    LocalEngine,
    NoProgress,
    make_missing,
    open_directory,
    plan,
)
from keras_uae.sharding.sources import ArraySource
from keras_uae.sharding.worker import Worker

FOLDER = Path(__file__).parents[1] / "fixtures" / "v0_1"


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def x():
    return np.load(FOLDER / "x.npy")


@pytest.mark.parametrize("name", ["minmax", "minmax_l2", "pgd", "penalty"])
def test_an_attack_in_a_model(name, expected, x):
    model = keras.saving.load_model(FOLDER / f"{name}.keras")
    # another processor rounds in its own way, and an attack makes more of it
    np.testing.assert_allclose(model(x), expected[name], atol=1e-3)
    assert isinstance(model.layers[1], uae.Attack)


def test_the_settings_of_an_attack():
    attack = keras.saving.load_model(FOLDER / "minmax.keras").layers[1]
    assert attack.criterion == uae.Reconstruction(kappa=0.01)
    assert attack.similarity == uae.similarity.MINE()
    assert (attack.steps, attack.initial_radius, attack.step_rule) == (5, 0.2, "max")
    published = keras.saving.load_model(FOLDER / "minmax_l2.keras").layers[1]
    assert published.criterion == uae.Reconstruction(squared=True)
    assert published.initial_radius == "glorot"


def test_a_concrete_layer(expected, x):
    model = keras.saving.load_model(FOLDER / "concrete.keras")
    np.testing.assert_allclose(model(x.reshape(len(x), -1)), expected["concrete"], atol=1e-5)
    np.testing.assert_array_equal(model.layers[1].indices(), expected["concrete_indices"])
    sums = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
    assert model_fingerprint(model) == sums["concrete_fingerprint"]


def test_a_pickled_selector(expected, x):
    with open(FOLDER / "selector.pickle", "rb") as file:
        selector = pickle.load(file)
    assert type(selector) is uae.ConcreteFeatureSelector
    selected = selector.transform(x.reshape(len(x), -1))
    np.testing.assert_array_equal(selected, expected["selected"])
    restored = selector.inverse_transform(selected)
    np.testing.assert_allclose(restored, expected["restored"], atol=1e-5)


def test_examples_in_a_file(x):
    found = uae.UAEs.load(FOLDER / "uaes.npz")
    assert len(found) == len(x)
    assert found.success.dtype == bool
    assert found.trace["gap"].shape == (len(x), 5)
    assert found.measure == ""  # nobody had said
    with pytest.raises(ValueError, match="measure=''"):
        _ = found.mutual_information
    attack = keras.saving.load_model(FOLDER / "minmax.keras").layers[1]
    again = attack.generate(x, seed=3, verbose=0)
    np.testing.assert_allclose(found.x, again.x, atol=1e-3)
    np.testing.assert_array_equal(found.success, again.success)


def test_shards_are_read_and_finished(expected, x, tmp_path):
    directory = shutil.copytree(FOLDER / "shards", tmp_path / "shards")
    shards = uae.Shards(directory)
    assert shards.states() == ["done", "missing", "done"]
    assert shards.manifest.labels is None
    model = keras.saving.load_model(FOLDER / "autoencoder.keras", compile=False)
    assert model_fingerprint(model) == shards.manifest.model

    # the run is the same, wherever the code of its parts stands by now
    attack = uae.MinMaxAttack(model, steps=4, similarity="gaussian")
    source = ArraySource(x)
    manifest = plan(attack, source, batch_size=2, shard_size=4, seed=7)
    manifest = open_directory(directory, manifest, resume=True, any_environment=True)
    engine = LocalEngine(Worker(attack, source, manifest, directory))
    counts = make_missing(directory, manifest, range(3), engine, NoProgress())
    assert counts == {"kept": 2, "damaged": 0, "made": 1}
    samples = uae.Shards(directory).samples()[np.arange(len(x))]
    np.testing.assert_allclose(samples, expected["shards"], atol=1e-3)
