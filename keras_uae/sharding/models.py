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

import keras
import tensorflow as tf

from keras_uae._files import file_size
from keras_uae._memory import check_fits
from keras_uae._model_layers import flat_layers

_LARGEST_CONFIG = 2**26
_MOST_EXPANSION = 100  # Keras stores without compression
_FLOAT_BYTES = 4
_SLACK = 2**20  # bytes of weights, such as seeds, that the file need not hold


def load_model(path: Path) -> keras.Model:
    """The model in a .keras file, which can neither run code nor take much more memory than it has.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, of another kind, unsafe, or needs classes that are not there.
    """
    try:
        file_size(path)
        config, weight_bytes = _checked_archive(path)
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


def _reason(error: Exception) -> str:
    """What is wrong, in one line; Keras has it somewhere in a page."""
    text = str(error).strip()
    missing = re.search(r"Could not locate (\w+) '([^']*)'", text)
    if missing:
        kind, name = missing.groups()
        return (
            f"it needs the {kind} {name!r}. Give --import MODULE, the module that registers it by "
            f"@keras.saving.register_keras_serializable(); in Python, import that first."
        )
    if "Python lambda" in text:
        return (
            "it holds a Lambda layer with code of its own, which is not run. Make a registered "
            "class or function of it and save the model anew."
        )
    inner = text.partition("Exception encountered: ")[2]  # else the first line blames the config
    return (inner or text).split("\n", 1)[0][:500] or type(error).__name__


def _sizes(config: dict[str, Any]) -> tuple[int, int]:
    """Bytes of the weights of a model, which are not made, and values that a sample becomes."""
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise ValueError(f"it holds a {type(model).__name__}")
    weights = sum(math.prod(each.shape) * tf.as_dtype(each.dtype).size for each in model.weights)
    return weights, layer_values(model)


def layer_values(model: keras.Model) -> int:
    """Values that the layers of a model return for a sample, of those that say."""
    total = 0
    for layer in flat_layers(model):
        with contextlib.suppress(AttributeError, ValueError):  # subclassed, or called twice
            outputs = keras.tree.flatten(layer.output)
            total += sum(math.prod(n or 1 for n in each.shape[1:]) for each in outputs)
    return total


def _checked_archive(path: Path) -> tuple[dict[str, Any], int]:
    """The configuration in the archive, and the bytes of weights that it has at most."""
    if path.suffix != ".keras":
        raise ValueError(
            "its name must end in .keras; keras.saving.load_model(old).save('new.keras') converts "
            "other formats that you trust"
        )
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.file_size > _MOST_EXPANSION * max(info.compress_size, 1):
                raise ValueError(f"{info.filename} in it cannot be as large as it says")
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it is damaged")
        if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
            raise ValueError("config.json in it is too large")
        config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("config.json in it holds no object")
        weights = [i.file_size for i in archive.infolist() if "weights" in i.filename]
    return {**config, "compile_config": None}, sum(weights)


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
    called = {name: 0 for name in waiting}
    progress = True
    while progress:
        progress = False
        for name, nodes in waiting.items():
            # an input layer has no nodes of its own, and one output
            while called[name] < len(nodes) and all(
                index < max(called.get(source, 0), 0 if waiting.get(source) else 1)
                for source, index in nodes[called[name]]
            ):
                called[name] += 1
                progress = True
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
