"""Models from strangers: what a .keras file says it holds is compared with what it holds, first."""

import io
import json
import time
import tracemalloc
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_uae.sharding import models
from keras_uae.sharding.models import load_model
from tests import tiny_models
from tests.keras_uae.sharding.test_untrusted_files import archive_of, members

WEIGHTS = "model.weights.h5"
LARGE = (20_000, 20_000)  # 1.6 GB


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The members of a file of a model that was trained."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model = tiny_models.dense()
    x = tiny_models.images(4)
    model.compile("adam", "mse")
    model.fit(x, x, verbose=0)
    model.save(path)
    return members(path)


@pytest.fixture
def refused(tmp_path):
    """Refuses a file, soon and with little memory, and says why."""

    def check(message, write=None, content=None):
        path = tmp_path / "model.keras"
        if write is None:
            archive_of(path, content)
        else:
            write(path)
        tracemalloc.start()
        begun = time.monotonic()
        with pytest.raises(ValueError, match=f"cannot be loaded as a Keras model.*{message}"):
            load_model(path)
        assert time.monotonic() - begun < 10
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**27

    return check


def test_what_keras_writes_is_taken(tmp_path, saved):
    x = tiny_models.images(4)
    model = load_model(archive_of(tmp_path / "model.keras", saved))
    assert model(x).shape == x.shape
    for name in ("convolutional", "nested", "sequential"):
        model = getattr(tiny_models, name)()
        model.save(tmp_path / "model.keras")
        np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(x), model(x))


def spoiled(saved, change):
    """The file with weights that `change`, which is given the first array and its group, spoils."""
    file = io.BytesIO(saved[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        group = weights["layers/dense/vars"]
        del group["0"]
        change(group)
    return {**saved, WEIGHTS: file.getvalue()}


def declared(group):
    group.create_dataset("0", LARGE, np.float32)


def compressed(group):
    group.create_dataset("0", (36, 5), np.float32, chunks=(36, 5), compression="gzip")
    group["0"][:] = 0


def chunked(group):
    group.create_dataset("0", LARGE, np.float32, chunks=(1000, 1000))


def external(group):
    group.create_dataset("0", (36, 5), np.float32, external=[("/dev/zero", 0, 720)])


def virtual(group):
    layout = h5py.VirtualLayout((36, 5), np.float32)
    layout[:] = h5py.VirtualSource("/dev/null", "x", (36, 5))
    group.create_virtual_dataset("0", layout)


def linked(group):
    group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def elsewhere(group):
    group["0"] = h5py.ExternalLink("/etc/passwd", "/x")


def text(group):
    group["0"] = ["a" * 10] * 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (declared, "is smaller than its shape"),
        (chunked, "is smaller than its shape"),
        (compressed, "is compressed or somewhere else"),
        (external, "is compressed or somewhere else"),
        (virtual, "is compressed or somewhere else"),
        (linked, "is somewhere else"),
        (elsewhere, "is somewhere else"),
        (text, "holds no numbers"),
    ],
)
def test_weights_that_are_not_in_the_file(saved, refused, change, message):
    refused(message, content=spoiled(saved, change))


def test_a_circle_of_groups_is_walked_once(tmp_path, saved):
    file = io.BytesIO(saved[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        weights["layers/again"] = weights["/"]
    path = archive_of(tmp_path / "model.keras", {**saved, WEIGHTS: file.getvalue()})
    assert load_model(path).name == "dense"


def test_more_entries_than_any_model_has(saved, refused, monkeypatch):
    monkeypatch.setattr(models, "_MOST_ENTRIES", 5)
    refused("more than 5 entries", content=saved)


def wide(saved, units=10**8):
    """A configuration that asks for gigabytes."""
    config = saved["config.json"].decode().replace('"units": 5,', f'"units": {units},')
    config = config.replace("[null, 5]", f"[null, {units}]")
    return {**saved, "config.json": config.encode()}


@pytest.mark.parametrize("name", ["more.weights.h5", "weights", "assets/weights.bin"])
def test_only_the_weights_vouch_for_weights(saved, refused, name):
    zeros = bytes(2**24)

    def write(path):
        archive_of(path, wide(saved, 10**5))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, zeros)

    refused("cannot be as large as it says", write)
    refused("bytes of weights", content={**wide(saved, 10**5), name: zeros})


def test_what_expands_together_is_refused(saved, refused):
    random = np.random.default_rng(0).bytes(2**15)

    def write(path):
        archive_of(path, saved)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for number in range(3):  # each less than a hundred times as large
                archive.writestr(f"assets/{number}", random + bytes(2**21))

    refused("takes more than 1.5 times its size", write)


def test_compressed_weights_are_refused(saved, refused):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in saved.items():
                archive.writestr(name, value)

    refused(f"{WEIGHTS} in it is compressed", write)


@pytest.mark.parametrize("text", ["[]," * 2**23, "[" * 2**23, '{"a":' * 2**22], ids=lambda t: t[:5])
def test_a_page_of_brackets_is_refused(saved, refused, text):
    refused("config.json in it|recursion", content={**saved, "config.json": f"[{text}[]]"})


def chain(count, reverse=False):
    """The configuration of a model of so many layers."""
    layers = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, 4], "name": "l0"},
            "registered_name": None,
            "name": "l0",
            "inbound_nodes": [],
        }
    ]
    for number in range(1, count):
        tensor = {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": [None, 4],
                "dtype": "float32",
                "keras_history": [f"l{number - 1}", 0, 0],
            },
        }
        layers.append(
            {
                "module": "keras.layers",
                "class_name": "ReLU",
                "config": {"name": f"l{number}"},
                "registered_name": None,
                "name": f"l{number}",
                "inbound_nodes": [{"args": [tensor], "kwargs": {}}],
            }
        )
    config = {
        "name": "chain",
        "layers": layers[::-1] if reverse else layers,
        "input_layers": [["l0", 0, 0]],
        "output_layers": [[f"l{count - 1}", 0, 0]],
    }
    return {
        "module": "keras",
        "class_name": "Functional",
        "config": config,
        "registered_name": None,
    }


def test_fifteen_thousand_layers_are_refused_at_once(saved, refused):
    refused("15000 layers", content={**saved, "config.json": json.dumps(chain(15_000))})


@pytest.mark.parametrize("reverse", [False, True])
def test_layers_in_any_order_are_looked_at_in_time(reverse):
    begun = time.monotonic()
    models._check_graphs(chain(3000, reverse))
    assert time.monotonic() - begun < 5
    text = json.dumps(chain(3000, reverse)).replace('["l1500", 0, 0]', '["l1600", 0, 0]')
    stuck = json.loads(text)
    with pytest.raises(ValueError, match="are nowhere"):
        models._check_graphs(stuck)


def test_objects_that_are_no_layers_are_counted(saved, refused):
    cells = [{"class_name": "LSTMCell", "config": {"units": 1}} for _ in range(30_000)]
    config = json.loads(saved["config.json"])
    config["config"]["cells"] = cells
    refused("of 300.. objects", content={**saved, "config.json": json.dumps(config)})


def test_a_model_without_weights_is_taken(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.ReLU()(inputs)).save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").count_params() == 0
