"""Files from anywhere: malformed ones give our error, never a crash, a hang or much memory."""

import io
import json
import os
import zipfile

import keras
import numpy as np
import pytest

from keras_uae import UAEs
from keras_uae._arrays import open_arrays
from keras_uae.sharding import Manifest, ManifestError, Shards
from keras_uae.sharding.attack_config import build_attack
from keras_uae.sharding.models import load_model
from tests import tiny_models

SHA = "0" * 64
MANIFEST = {
    "format": "keras_uae shards 1",
    "attack": {"class_name": "MinMaxAttack", "config": {}},
    "seed": 0,
    "batch_size": 2,
    "shard_size": 4,
    "count": 10,
    "sample_shape": [6, 6, 1],
    "dtype": "float32",
    "model": {"weights": SHA, "architecture": SHA},
    "inputs": [SHA] * 3,
    "environments": [{}],
}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    tiny_models.nested().save(path)
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)
    return path


def npy(array, **changed):
    """The bytes of a .npy file whose header says something else."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": array.shape, **changed}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"count": 0},
        {"count": True},
        {"count": 2**60},
        {"shard_size": 5},
        {"sample_shape": [6, -6]},
        {"sample_shape": 3},
        {"dtype": "object"},
        {"model": {"weights": SHA}},
        {"model": [SHA, SHA]},
        {"inputs": [SHA] * 2},
        {"inputs": ["../../etc/passwd"] * 3},
        {"attack": []},
        {"environments": {}},
        {"shards": ["/etc/passwd"]},
    ],
    ids=str,
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path, change):
    (tmp_path / "manifest.json").write_text(json.dumps({**MANIFEST, **change}))
    with pytest.raises(ManifestError, match="no manifest of shards"):
        Manifest.read(tmp_path)


def test_the_manifest_of_these_tests_is_valid(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    assert Manifest.read(tmp_path).as_json() == MANIFEST


@pytest.mark.parametrize("text", ["", "[", "[" * 10**5, "\udcff", "1" * 10**5], ids=lambda t: t[:3])
def test_a_manifest_that_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ManifestError, match="no manifest of shards"):
        Manifest.read(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    for name in ("manifest.json", "x.npy", "model.keras"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(ManifestError, match="no plain file"):
        Shards(tmp_path)
    with pytest.raises(ValueError, match="no plain file"):
        open_arrays(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="no plain file"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": (2**40,)},
        {"shape": (2**70,)},
        {"shape": (-3,)},
        {"descr": "|O"},
        {"descr": [("a", "<f4")]},
        {"shape": (0,)},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_a_header_that_lies_is_refused_before_memory_is_taken(tmp_path, changed, kind):
    content = npy(np.zeros(3, np.float32), **changed)
    path = tmp_path / ("x.npy" if kind == "npy" else "x.npz")
    if kind == "npy":
        path.write_bytes(content)
    else:
        method = zipfile.ZIP_DEFLATED if kind == "compressed" else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("x.npy", content)
    with pytest.raises(ValueError, match="cannot be read"):
        open_arrays(path)
    with pytest.raises(ValueError, match="must be a complete file"):
        UAEs.load(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_an_empty_file_is_called_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"cannot be read: it is empty"):
        open_arrays(tmp_path / name)


def test_a_file_cut_short_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((10, 1000)))
    array = open_arrays(path)[""]
    os.truncate(path, 4000)
    with pytest.raises(ValueError, match="ends too early"):
        array.read()


def test_a_model_may_not_bring_code(tmp_path):
    path = tmp_path / "model.keras"
    with_code = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    with_code.save(path)
    with pytest.raises(ValueError, match=r"cannot be loaded as a Keras model.*[Ll]ambda"):
        load_model(path)


def test_a_model_may_not_ask_for_more_weights_than_it_has(tmp_path, model_file):
    """Terabytes of weights: only the configuration asks for them."""
    content = members(model_file)
    config = json.loads(content["config.json"])
    text = json.dumps(config).replace('"filters": 3', '"filters": 300000000')
    text = text.replace("[null, 6, 6, 3]", "[null, 6, 6, 300000000]")
    text = text.replace("[null, 3, 3, 3]", "[null, 3, 3, 300000000]")
    archive_of(tmp_path / "model.keras", {**content, "config.json": text})
    with pytest.raises(ValueError, match="bytes of weights"):
        load_model(tmp_path / "model.keras")


def test_layers_that_wait_for_each_other_are_refused(tmp_path, model_file):
    content = members(model_file)
    config = json.loads(content["config.json"])
    encoder = next(each for each in config["config"]["layers"] if each["name"] == "encoder")
    text = json.dumps(encoder["inbound_nodes"]).replace('"input_layer', '"no_layer')
    first = config["config"]["input_layers"]
    text = text.replace(json.dumps(first[0] if isinstance(first[0], str) else first), '"decoder"')
    encoder["inbound_nodes"] = json.loads(text.replace("no_layer", "decoder_"))
    for node in encoder["inbound_nodes"]:
        node["args"][0]["config"]["keras_history"][0] = "decoder"
    archive_of(tmp_path / "model.keras", {**content, "config.json": json.dumps(config)})
    with pytest.raises(ValueError, match="nowhere"):
        load_model(tmp_path / "model.keras")


def test_other_formats_of_models_are_refused(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"must end in \.keras"):
        load_model(tmp_path / "model.h5")


def test_an_attack_from_a_file_makes_objects_of_this_package_only():
    model = tiny_models.dense()
    bad = {"class_name": "Dense", "module": "keras.layers", "config": {}, "registered_name": None}
    for settings_ in ({"similarity": bad}, {"criterion": {**bad, "registered_name": "os>system"}}):
        with pytest.raises(ValueError, match="objects of keras_uae only"):
            build_attack(model, {"class_name": "MinMaxAttack", "config": settings_})
    huge = {"bounds": [0, 10**400]}  # JSON knows no largest number
    with pytest.raises(ValueError, match="`bounds` of MinMaxAttack"):
        build_attack(model, {"class_name": "MinMaxAttack", "config": huge})
    for wrong in ([], {}, {"class_name": "MinMaxAttack", "config": 3}):
        with pytest.raises(ValueError, match="keys class_name and config"):
            build_attack(model, wrong)
