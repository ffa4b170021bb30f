"""The settings of a comparison, as they are kept with its figures."""

import inspect
import json
import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_uae.comparison.arms import Adversarial, Augmented, Row, called
from keras_uae.comparison.fresh import steps_of
from keras_uae.comparison.identity import digest
from keras_uae.comparison.metrics import Metric
from keras_uae.comparison.protocol import Data, Training
from keras_uae.comparison.run import RATE


def settings_of(
    model: keras.Model,
    data: Data,
    training: Training,
    rows: dict[str, Row],
    metrics: Sequence[Metric],
    bounds: Any,
) -> dict[str, Any]:
    """What the figures depend on, as far as it can be written down."""
    optimizer = getattr(model, "optimizer", None)
    return {
        "model": {
            "class": type(model).__name__,
            "layers": [type(layer).__name__ for layer in model.layers],
            "weights": [list(weight.shape) for weight in model.weights],
            "optimizer": None if optimizer is None else _plain(optimizer),
            "loss": _plain(getattr(model, "loss", None)),
        },
        "data": {
            name: None if value is None else digest(value) for name, value in vars(data).items()
        },
        "samples": len(data.x),
        "test_samples": len(data.x_test),
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "budget": training.budget,
        "target": training.target,
        "fit": None if training.fit is None else called(training.fit),
        "bounds": _plain(bounds),
        "metrics": [{"name": each.name, "better": each.better} for each in metrics],
        "rows": {name: _described(row) for name, row in rows.items()},
    }


def rate_of(given: keras.Model | None) -> dict[str, float]:
    """The rate that a trained model is left with, if somebody has set it, so perhaps a callback."""
    optimizer = getattr(given, "optimizer", None)
    if optimizer is None or not steps_of(optimizer):
        return {}
    rate = optimizer.get_config().get("learning_rate")
    default = inspect.signature(type(optimizer)).parameters.get("learning_rate")
    own = isinstance(rate, float) and (default is None or np.float32(default.default) != rate)
    return {RATE: rate} if own else {}


def _described(row: Row) -> dict[str, Any]:
    arm: dict[str, Any] = {}
    if isinstance(row.arm, Adversarial):
        arm = {"attack": called(row.arm.make_attack), "settings": _plain(row.arm.settings)}
    elif isinstance(row.arm, Augmented):
        # a layer that is made once more is counted on: gaussian_noise_1
        arm = {"function": re.sub(r"_\d+$", "", called(row.arm.function))}
    of = "" if row.arm is None else row.arm.name
    return {
        "label": row.label,
        "of": of,
        "noise": row.noise,
        "controls": list(row.controls),
        **arm,
    }


def _plain(value: Any) -> Any:
    """A setting for JSON, the same in every process: what has no form of its own by its name."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if key != "name"}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return digest(value)
    if inspect.isfunction(value):
        return called(value)
    config = getattr(value, "get_config", None)
    if config is not None:
        return {"class": type(value).__name__, **_plain(config())}
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return type(value).__name__
