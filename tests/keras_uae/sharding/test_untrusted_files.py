"""Files from anywhere: malformed ones give our error, never a crash, a hang or much memory."""

import contextlib
import io
import json
import os
import resource
import signal
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_uae import UAEs
from keras_uae._arrays import open_arrays
from keras_uae.sharding import DataReference, Manifest, ManifestError, Shards
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
    for wrong in ([], {}, {"class_name": "MinMaxAttack", "config": 3}):
        with pytest.raises(ValueError, match="keys class_name and config"):
            build_attack(model, wrong)


# The fuzzing: thousands of malformed files. Run by `pytest -m slow tests/test_untrusted_files.py`.

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS = 20


class Limited:
    """A time limit, and a limit on how much more memory the process may take than it has."""

    def __enter__(self):
        signal.signal(signal.SIGALRM, self._late)
        signal.alarm(SECONDS)

    def __exit__(self, *error):
        signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if peak > 4 * 2**20:
            pytest.fail(f"took {peak / 2**20:.1f} GB")

    def _late(self, *_):
        pytest.fail(f"took more than {SECONDS} seconds")


def mutated(draw, content: bytes) -> bytes:
    """`content` with a few bytes changed, cut out or put in."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "end", "number"]))
        if kind == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=16))
        elif kind == "end":
            del data[at:]
        else:
            size = draw(st.sampled_from([2, 4, 8]))
            value = draw(st.sampled_from([0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1]))
            data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(data)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**12, -1, "../x", SHA, [], {}]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def replaced(draw, value):
    """A JSON value with one part of it replaced by another value, or removed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 9)):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: replaced(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        if not draw(st.integers(0, 9)):
            return value[:at] + value[at + 1 :]
        return [*value[:at], replaced(draw, value[at]), *value[at + 1 :]]
    return draw(JSON)


@pytest.mark.slow
@FUZZ
@given(st.data())
def test_malformed_manifests(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    if data.draw(st.booleans()):
        content = json.dumps(replaced(data.draw, MANIFEST)).encode()
    else:
        content = mutated(data.draw, json.dumps(MANIFEST).encode())
    (folder / "manifest.json").write_bytes(content)
    with Limited(), contextlib.suppress(ManifestError):
        Shards(folder).states()


@pytest.mark.slow
@FUZZ
@given(st.data())
def test_malformed_arrays(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    values = np.arange(60, dtype=np.float32).reshape(10, 6)
    file = io.BytesIO()
    kind = data.draw(st.sampled_from(["npy", "npz", "compressed"]))
    if kind == "npy":
        np.save(file, values)
    else:
        write = np.savez if kind == "npz" else np.savez_compressed
        write(file, **dict.fromkeys(("x", "success"), values))
    content = mutated(data.draw, file.getvalue())
    path = folder / ("fuzz.npy" if kind == "npy" else "fuzz.npz")
    path.write_bytes(content)
    with Limited():
        with contextlib.suppress(ValueError):
            for array in open_arrays(path).values():
                array.read()
                array.rows(range(len(array)))
        with contextlib.suppress(ValueError):
            UAEs.load(path)


@pytest.mark.slow
@FUZZ
@given(st.data())
def test_malformed_records(tmp_path_factory, data):
    path = str(tmp_path_factory.getbasetemp() / "fuzz.tfrecord")
    x = tiny_models.images(2)
    kind = data.draw(st.sampled_from(["png", "jpeg", "tensor", "raw", "floats"]))
    whole = data.draw(st.booleans())  # or only the image or tensor within

    def spoil(content):
        return content if whole else mutated(data.draw, content)

    feature = {
        "png": lambda e: bytes_of(spoil(tf.io.encode_png((e * 255).astype(np.uint8)).numpy())),
        "jpeg": lambda e: bytes_of(spoil(tf.io.encode_jpeg((e * 255).astype(np.uint8)).numpy())),
        "tensor": lambda e: bytes_of(spoil(tf.io.serialize_tensor(e).numpy())),
        "raw": lambda e: bytes_of(spoil(e.tobytes())),
        "floats": lambda e: tf.train.Feature(float_list=tf.train.FloatList(value=e.ravel())),
    }[kind]
    with tf.io.TFRecordWriter(path) as writer:
        for each in x:
            example = tf.train.Example(
                features=tf.train.Features(feature={"x": feature(each)})
            ).SerializeToString()
            writer.write(example)
    if whole:
        with open(path, "rb") as file:
            content = mutated(data.draw, file.read())
        with open(path, "wb") as out:
            out.write(content)
    with Limited(), contextlib.suppress(ValueError):
        source = DataReference(path).open(tiny_models.SHAPE)
        source.read(0, len(source))


def bytes_of(content):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))


@pytest.mark.slow
@FUZZ
@given(st.data())
def test_malformed_models(tmp_path_factory, model_file, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.keras"
    kind = data.draw(st.sampled_from(["config", "text", "weights", "archive"]))
    content = members(model_file)
    if kind == "config":
        config = json.loads(content["config.json"])
        content["config.json"] = json.dumps(replaced(data.draw, config)).encode()
    elif kind == "text":
        content["config.json"] = mutated(data.draw, content["config.json"])
    elif kind == "weights":  # with sums that are right
        content["model.weights.h5"] = mutated(data.draw, content["model.weights.h5"])
    archive_of(path, content)
    if kind == "archive":
        path.write_bytes(mutated(data.draw, path.read_bytes()))
    with Limited(), contextlib.suppress(ValueError):
        load_model(path)
    keras.backend.clear_session()
