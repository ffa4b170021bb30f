"""The selector of the package `concrete-autoencoder`, which is written for Keras 2."""

import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from experiments.benchmark.timing import Ticks

PACKAGES = ("tf_keras", "concrete_autoencoder")
_PARTS = ("backend", "layers", "callbacks", "initializers", "optimizers")


class Fitted(NamedTuple):
    """What a fit of the package gives: its Keras 2 model, the features, seconds by epoch."""

    model: Any
    indices: np.ndarray
    epochs: list[float]


def missing() -> str:
    """Which packages are not installed, in words; empty if none."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""


def fit(x: np.ndarray, features: int, *, epochs: int, seed: int) -> Fitted:
    """Fit the package's selector with the published decoder, once, in silence.

    Its defaults are the published settings; a further try, for which it would double the epochs,
    is not allowed.
    """
    package, keras2 = _load()
    layers = keras2.layers
    keras2.utils.set_random_seed(seed)
    ticks = Ticks()

    def decoder(code: Any) -> Any:
        for _ in range(2):
            code = layers.Dropout(0.1)(layers.LeakyReLU(0.2)(layers.Dense(320)(code)))
        return layers.Dense(x.shape[1])(code)

    selector = package.ConcreteAutoencoderFeatureSelector(
        K=features, output_function=decoder, num_epochs=epochs, tryout_limit=1
    )
    # its callback prints at the start of every epoch and does nothing else
    events: dict[str, Any] = {"on_epoch_begin": ticks, "on_train_end": ticks}
    with (
        mock.patch.multiple(package.StopperCallback, **events),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),  # of how it uses Keras
    ):
        selector.fit(x, x)
        keras2.backend.set_learning_phase(0)  # it leaves 1 behind, for all models
    return Fitted(selector.model, np.asarray(selector.get_indices()), ticks.seconds)


def _load() -> tuple[Any, Any]:
    """The package and the Keras 2 that it works with."""
    keras2 = importlib.import_module("tf_keras")
    with _renamed(keras2):
        return importlib.import_module("concrete_autoencoder"), keras2


@contextlib.contextmanager
def _renamed(keras2: ModuleType) -> Iterator[None]:
    """`import keras` means Keras 2 in here."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_keras(name)}
    sys.modules["keras"] = keras2
    for part in _PARTS:
        sys.modules[f"keras.{part}"] = importlib.import_module(f"tf_keras.{part}")
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_keras(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _is_keras(name: str) -> bool:
    return name.partition(".")[0] == "keras"
