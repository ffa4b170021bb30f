"""How the tests train."""

from typing import TypeVar

import keras

Model = TypeVar("Model", bound=keras.Model)


def eager(model: Model) -> Model:
    """The compiled model, its steps not traced: for a few steps that takes the longest by far."""
    model.run_eagerly = True
    model.jit_compile = False
    return model
