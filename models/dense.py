"""The dense autoencoder: one hidden layer."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from models.seeds import glorot_uniform
from models.shapes import check_code_units, check_input_shape


def dense_autoencoder(
    input_shape: Sequence[int],
    *,
    code_units: int | None = None,
    seed: int = 0,
    name: str = "dense_autoencoder",
) -> keras.Model:
    """Build input → Dense `code_units` sigmoid → Dense sigmoid → output of the input's shape.

    Args:
        input_shape: Shape of one sample: an image `(height, width, channels)` or a vector `(d,)`.
        code_units: Size of the code, the layer named `code`. Defaults to the paper's 128 for MNIST
            (784 values) and 256 for SVHN (3072 values), and in proportion from 8 to 256 elsewhere.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1]; `models.RECIPES["dense"]` compiles it.
    """
    owner = "dense_autoencoder"
    shape = check_input_shape(owner, input_shape)
    code_units = check_code_units(owner, code_units, shape)
    start = glorot_uniform(owner, seed)

    inputs = keras.Input(shape)
    code = layers.Dense(code_units, "sigmoid", kernel_initializer=next(start), name="code")
    decoder = layers.Dense(math.prod(shape), "sigmoid", kernel_initializer=next(start))
    outputs = decoder(code(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Reshape(shape)(outputs), name=name)
