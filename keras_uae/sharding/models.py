"""Load a .keras file that may come from anywhere."""

import contextlib
import json
import math
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py  # comes with keras, which reads weights by it
import keras
import tensorflow as tf

from keras_uae._files import file_size
from keras_uae._memory import check_fits
from keras_uae._model_layers import flat_layers

_MISSING = re.compile(
    r"Could not locate (?P<kind>\w+) '(?P<name>[^']*)'"
    r"|Cannot deserialize object of type `(?P<object>[^`]*)`"
    r"|Could not interpret \w+ identifier: \{.*'class_name': '(?P<identifier>[^']*)'"
)
_WEIGHTS = "model.weights.h5"
_LARGEST_CONFIG = 2**24
_MOST_EXPANSION = 100  # of a member, and of all but the configuration together:
_MOST_TOGETHER = 1.5  # Keras stores without compression
_MOST_LAYERS = 3000  # to make one twice takes 10 ms
_MOST_OBJECTS = 8 * _MOST_LAYERS  # with initializers, policies, tensors
_MOST_ENTRIES = 50_000  # groups and arrays of the file of weights
_FLOAT_BYTES = 4
_VIEWS = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)  # of other values
_SLACK = 2**20  # bytes of weights, such as seeds, that the file need not hold


def load_model(path: Path) -> keras.Model:
    """The model in a .keras file, which can neither run code nor take much more memory than it has.

    A file may hold 3000 layers, 16 MB of configuration, and arrays of weights as large as it is
    itself, none of them compressed. What layers need is compared with what it holds before they
    are made. The libraries that read zip and HDF5 are trusted.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, of another kind, unsafe, or needs classes that are not there.
    """
    try:
        file_size(path)
        config, weight_bytes = _checked_archive(path)
        _check_objects(config)
        # Keras would look for the input of a circle of layers for ever
        _check_graphs(config)
        # What the layers ask for is known before memory is taken for it. In a thread of its own:
        # Keras notes there which variables still have no values, and would give them some at the
        # next occasion in this one, whatever memory that takes.
        with ThreadPoolExecutor(1) as thread:
            needed, values = thread.submit(_sizes, config).result()
        if needed > weight_bytes + _SLACK:
            raise ValueError(f"its layers need {needed} bytes of weights, it has {weight_bytes}")
        size = needed + _FLOAT_BYTES * values
        check_fits("keras-uae", "The model", size, "A machine with more is needed.")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # Keras and h5py raise whatever the malformed part brings about
        raise ValueError(
            f"{str(path)!r} cannot be loaded as a Keras model (.keras): {_reason(error)}"
        ) from error


def load_compiled(path: Path) -> keras.Model:
    """The model in a .keras file, compiled as it was saved; the state of its optimizer is not read.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As of `load_model`; or it was not compiled, or with what Keras does not know.
    """
    model = load_model(path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json")).get("compile_config")
    if not config:
        raise ValueError(
            f"{str(path)!r} holds a model that was saved without being compiled: "
            "model.compile(optimizer, loss), then save it."
        )
    try:
        model.compile_from_config(config)
    except Exception as error:  # Keras raises whatever the malformed part brings about
        raise ValueError(f"{str(path)!r} cannot be compiled as it was: {_reason(error)}") from error
    return model


def _reason(error: Exception) -> str:
    """What is wrong, in one line; Keras has it somewhere in a page."""
    text = str(error).strip()
    if missing := _MISSING.search(text):
        kind, *names = missing.groups()
        name = next(filter(None, names))
        return (
            f"it needs the {kind or 'class'} {name!r}. Give --import MODULE, the module that "
            f"registers it by @keras.saving.register_keras_serializable(); in Python, import that "
            f"first."
        )
    if "Python lambda" in text:
        return (
            "it holds a Lambda layer with code of its own, which is not run. Make a registered "
            "class or function of it and save the model anew."
        )
    # the innermost: the first line blames the config
    inner = text.rpartition("Exception encountered: ")[2]
    return inner.split("\n", 1)[0][:500] or type(error).__name__


def _sizes(config: dict[str, Any]) -> tuple[int, int]:
    """Bytes of the weights of a model, which are not made, and values that a sample becomes."""
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise ValueError(f"it holds a {type(model).__name__}")
    weights = sum(math.prod(each.shape) * tf.as_dtype(each.dtype).size for each in model.weights)
    return weights, layer_values(model)


def layer_values(model: keras.Model) -> int:
    """Values that the layers of a model return for a sample, of those that say how many.

    They are there at once where gradients are taken. 0 where they are in the memory of a GPU.
    """
    total = 0
    for layer in [] if tf.config.list_physical_devices("GPU") else flat_layers(model):
        with contextlib.suppress(AttributeError, ValueError):  # subclassed, or called twice
            outputs = [] if isinstance(layer, _VIEWS) else keras.tree.flatten(layer.output)
            total += sum(math.prod(n or 1 for n in each.shape[1:]) for each in outputs)
    return total


def _checked_archive(path: Path) -> tuple[dict[str, Any], int]:
    """The configuration in the archive, and the bytes of weights that it has at most."""
    if path.suffix != ".keras":
        raise ValueError(
            "its name must end in .keras; keras.saving.load_model(old, compile=False)"
            ".save('new.keras') converts other formats that you trust"
        )
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if len(infos) < len(archive.infolist()):
            raise ValueError("members of it have equal names")
        for info in infos.values():
            if info.file_size > _MOST_EXPANSION * max(info.compress_size, 1):
                raise ValueError(f"{info.filename} in it cannot be as large as it says")
        if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
            raise ValueError("config.json in it is too large")
        together = sum(info.file_size for name, info in infos.items() if name != "config.json")
        if together > _MOST_TOGETHER * file_size(path) + _SLACK:
            raise ValueError("what it holds takes more than 1.5 times its size")
        if _WEIGHTS in infos and infos[_WEIGHTS].compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{_WEIGHTS} in it is compressed, which Keras does not do")
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it is damaged")
        config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("config.json in it holds no object")
        held = _array_bytes(archive, infos[_WEIGHTS].file_size) if _WEIGHTS in infos else 0
    return {**config, "compile_config": None}, held


def _array_bytes(archive: zipfile.ZipFile, size: int) -> int:
    """Bytes of the arrays of weights, which the file of `size` bytes must hold as they are."""
    total, seen = 0, set()
    with archive.open(_WEIGHTS) as member, h5py.File(member, "r") as file:
        groups = [file["/"]]
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{name!r} in its weights is somewhere else")
                entry = group[name]
                address = h5py.h5o.get_info(entry.id).addr
                if address not in seen:
                    seen.add(address)
                    if isinstance(entry, h5py.Group):
                        groups.append(entry)
                    else:
                        total += _stored_bytes(name, entry)
                if len(seen) > _MOST_ENTRIES:
                    raise ValueError(f"its weights have more than {_MOST_ENTRIES} entries")
    if total > size:
        raise ValueError(f"its weights say that they take {total} bytes, of {size}")
    return total


def _stored_bytes(name: str, entry: Any) -> int:
    """Bytes of an array that the file holds in full, without a filter that could make more."""
    if not isinstance(entry, h5py.Dataset) or entry.dtype.kind not in "biufcV":
        raise ValueError(f"{name!r} in its weights holds no numbers")
    if entry.is_virtual or entry.external or entry.id.get_create_plist().get_nfilters():
        raise ValueError(f"{name!r} in its weights is compressed or somewhere else")
    if entry.nbytes > entry.id.get_storage_size():
        raise ValueError(f"{name!r} in its weights is smaller than its shape {entry.shape}")
    return int(entry.nbytes)


def _check_objects(config: dict[str, Any]) -> None:
    """Raise ValueError if there are more layers and other objects than any network has."""
    objects = layers = 0
    values: list[Any] = [config]
    while values:
        value = values.pop()
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value.values()
            objects += "class_name" in value
            inside = value.get("layers")
            layers += len(inside) if isinstance(inside, list) else 0
    if layers > _MOST_LAYERS or objects > _MOST_OBJECTS:
        raise ValueError(
            f"it has {layers} layers of {objects} objects, at most {_MOST_LAYERS} of "
            f"{_MOST_OBJECTS} are taken"
        )


def _check_graphs(value: Any) -> None:
    """Raise ValueError if the layers of a functional model wait for one another."""
    if isinstance(value, list):
        for item in value:
            _check_graphs(item)
    elif isinstance(value, dict):
        layers = value.get("layers")
        if isinstance(layers, list):
            _check_order([each for each in layers if isinstance(each, dict)])
        for item in value.values():
            _check_graphs(item)


def _check_order(layers: list[dict[str, Any]]) -> None:
    waiting: dict[str, list[set[tuple[str, int]]]] = {}
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        if isinstance(nodes, list):
            waiting[str(layer.get("name"))] = [set(_inputs(node)) for node in nodes]
    after: dict[str, set[str]] = {}  # the layers that take what a layer returns
    for name, nodes in waiting.items():
        for source in {source for node in nodes for source, _ in node}:
            after.setdefault(source, set()).add(name)
    called = {name: 0 for name in waiting}
    due = dict.fromkeys(waiting)
    while due:
        name = next(iter(due))
        del due[name]
        nodes, before = waiting[name], called[name]
        # an input layer has no nodes of its own, and one output
        while called[name] < len(nodes) and all(
            index < max(called.get(source, 0), 0 if waiting.get(source) else 1)
            for source, index in nodes[called[name]]
        ):
            called[name] += 1
        if called[name] > before:
            due.update(dict.fromkeys(after.get(name, ())))
    stuck = [name for name, nodes in waiting.items() if called[name] < len(nodes)]
    if stuck:
        raise ValueError(f"the inputs of its layers {', '.join(stuck[:3])} are nowhere")


def _inputs(node: Any) -> Iterator[tuple[str, int]]:
    """Layer and call of every tensor that a node takes."""
    if isinstance(node, dict):
        history = node.get("keras_history")
        if isinstance(history, list) and len(history) == 3:
            yield str(history[0]), history[1] if isinstance(history[1], int) else 0
        for item in node.values():
            yield from _inputs(item)
    elif isinstance(node, list):
        for item in node:
            yield from _inputs(item)
