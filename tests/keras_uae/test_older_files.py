"""What an older version saved still loads, and says the same: `tests/fixtures/v0_1/make.py`."""

import json
import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from keras_uae.sharding.attack_config import build_attack
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


def as_then(attack):
    """An attack that judges what the first version did: δ₀ … δ_{T−1} in place of δ₁ … δ_T."""
    changes = {"steps": attack.steps - 1}
    if isinstance(attack, uae.PGDAttack):  # its step came of T
        changes["step_size"] = 2.5 * attack.epsilon / attack.steps
    clone = type(attack).from_config({**attack.get_config(), **changes})
    clone.model.set_weights(attack.model.get_weights())
    return clone


@pytest.mark.parametrize("name", ["minmax", "minmax_l2", "pgd", "penalty"])
def test_an_attack_in_a_model(name, expected, x):
    model = keras.saving.load_model(FOLDER / f"{name}.keras")
    assert isinstance(model.layers[1], uae.Attack)
    assert model(x).shape == x.shape
    # another processor rounds in its own way, and an attack makes more of it
    np.testing.assert_allclose(as_then(model.layers[1])(x), expected[name], atol=1e-3)


def test_the_settings_of_an_attack():
    attack = keras.saving.load_model(FOLDER / "minmax.keras").layers[1]
    assert attack.criterion == uae.Reconstruction(kappa=0.01)
    assert attack.similarity == uae.similarity.MINE()
    assert (attack.steps, attack.initial_radius, attack.step_rule) == (5, 0.2, "max")
    assert (attack.initial_multiplier, attack.units, attack.frozen_features) == (0, "range", None)
    published = keras.saving.load_model(FOLDER / "minmax_l2.keras").layers[1]
    assert published.criterion == uae.Reconstruction(squared=True)
    assert published.initial_radius == "glorot"


def test_settings_from_before_there_were_units_are_in_those_of_the_data():
    config = keras.saving.load_model(FOLDER / "minmax.keras").layers[1].get_config()
    del config["units"], config["frozen_features"], config["attacked"]
    assert uae.MinMaxAttack.from_config(config).units == "range"  # the same, in (0, 1)
    old = uae.MinMaxAttack.from_config({**config, "bounds": [0, 255], "epsilon": 2})
    assert old.units == "data"
    space = old.space((8, 8, 1))
    assert (space.low, space.high, space.unit) == (0, 255, 1)
    assert uae.MinMaxAttack(old.model, bounds=(0, 255)).space((8, 8, 1)).unit == 255


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
    again = as_then(attack).generate(x, seed=3, verbose=0)
    np.testing.assert_allclose(found.x, again.x, atol=1e-3)
    np.testing.assert_array_equal(found.success, again.success)


def test_shards_are_read_and_finished(expected, x, tmp_path):
    directory = shutil.copytree(FOLDER / "shards", tmp_path / "shards")
    shards = uae.Shards(directory)
    assert shards.states() == ["done", "missing", "done"]
    assert shards.manifest.labels is None
    model = keras.saving.load_model(FOLDER / "autoencoder.keras", compile=False)
    assert model_fingerprint(model) == shards.manifest.model

    # the run is the same, wherever the code of its parts stands by now, and whatever the defaults
    attack = build_attack(model, shards.manifest.attack)
    assert attack.initial_multiplier == 0
    source = ArraySource(x)
    manifest = plan(attack, source, batch_size=2, shard_size=4, seed=7)
    manifest = open_directory(directory, manifest, resume=True, any_environment=True)
    engine = LocalEngine(Worker(attack, source, manifest, directory))
    counts = make_missing(directory, manifest, range(3), engine, NoProgress())
    assert counts == {"kept": 2, "damaged": 0, "made": 1}
    samples = uae.Shards(directory).samples()[np.arange(len(x))]
    kept = np.r_[0:4, 8:12]
    np.testing.assert_array_equal(samples[kept], expected["shards"][kept])
    then = as_then(attack).generate(x, seed=7, batch_size=2, verbose=0)
    np.testing.assert_allclose(then.x, expected["shards"], atol=1e-3)
