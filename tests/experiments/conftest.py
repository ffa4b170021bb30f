"""What makes the small runs of the experiments quick: nothing is traced for a few steps."""

from typing import Any

import keras
import pytest
import tensorflow as tf

from experiments.engine import config
from keras_uae.attacks import base, loop


@pytest.fixture(autouse=True, scope="session")
def one_process():
    """Seeds one after the other: what is patched here is not in other processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "cpu_count", lambda: 1)
        yield


class Untraced:
    """TensorFlow whose `tf.function` gives back the function that it is given."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    @staticmethod
    def function(function, **options):
        del options
        return function


@pytest.fixture(scope="module")
def nothing_is_traced():
    """Of a few steps on a few samples the graph takes the longest, and there are dozens of them.

    That attacks and trainings are right as graphs is tested beside each of them.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in (base, loop):
            patch.setattr(module, "tf", Untraced())
        patch.setattr(keras.Model, "run_eagerly", property(lambda _: True, lambda *_: None))
        yield
