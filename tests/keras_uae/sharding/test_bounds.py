"""Bounds and settings of an attack through shards: read off all of the data, and another run's."""

import json

import keras
import numpy as np
import pytest

import keras_uae as uae
from tests.keras_uae.sharding.shard_runs import contents, invoke

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dense autoencoder of a table whose columns have ranges of their own."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("bounds")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Dense(4)])
    model.save(folder / "restore[b].keras")
    np.save(folder / "x.npy", table())
    return folder


def table():
    return (np.random.default_rng(0).uniform(size=(COUNT, 4)) * [1, 10, 100, 1000]).astype("f")


def generate(folder, out, *more):
    return invoke(
        *("generate", folder / "restore[b].keras", folder / "x.npy", "--out", out),
        *("--shard-size", "4", "--batch-size", "2", "--steps", "3", *more),
    )


@pytest.mark.parametrize("how", ["data", "features"])
def test_they_are_those_of_all_shards(folder, tmp_path, how):
    result = generate(folder, tmp_path / "uaes", "--bounds-of", how)
    assert result.exit_code == 0, result.output
    assert "similarity: Gaussian" in result.output
    x, shards = table(), uae.Shards(tmp_path / "uaes")
    low, high = shards.manifest.attack["config"]["bounds"]
    axis = None if how == "data" else 0
    np.testing.assert_allclose(low, x.min(axis))
    np.testing.assert_allclose(high, x.max(axis))
    attack = uae.MinMaxAttack(
        keras.saving.load_model(folder / "restore[b].keras"), bounds=how, steps=3
    )
    found = attack.generate(x, batch_size=2, verbose=0)
    np.testing.assert_allclose(shards.samples()[np.arange(COUNT)], found.x, rtol=1e-5)
    # and it goes on
    (tmp_path / "uaes" / shard_names(tmp_path / "uaes")[1]).unlink()
    again = generate(folder, tmp_path / "uaes", "--bounds-of", how, "--resume")
    assert "1 shards made" in again.output, again.output


def shard_names(directory):
    return sorted(name for name in contents(directory) if name.endswith(".npz"))


def test_the_attack_of_another_run_is_taken_from_its_manifest(folder, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    more = ("--bounds", "0", "1000", "--epsilon", "0.5")
    assert generate(folder, first, *more).exit_code == 0
    # one of before there were units, whose settings were in those of the data
    manifest = json.loads((first / "manifest.json").read_text(encoding="utf-8"))
    for name in ("units", "frozen_features", "attacked"):
        del manifest["attack"]["config"][name]
    (first / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = generate(folder, second, "--config", first / "manifest.json")
    assert result.exit_code == 0, result.output
    config = uae.Shards(second).manifest.attack["config"]
    assert (config["units"], config["epsilon"], config["bounds"]) == ("data", 0.5, [0, 1000])
    assert np.abs(uae.Shards(second).samples()[np.arange(COUNT)] - table()).max() <= 0.5001


def test_a_callable_has_no_weights_to_recognise(folder, tmp_path):
    model = keras.saving.load_model(folder / "restore[b].keras")
    attack = uae.MinMaxAttack(lambda x: model(x), bounds="data")
    with pytest.raises(ValueError, match=r"keras.Model\(inputs, outputs\)"):
        uae.generate_shards(attack, table(), tmp_path / "uaes")
