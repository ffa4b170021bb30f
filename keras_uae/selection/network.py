"""The network of the concrete autoencoder."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_uae._checks import check_choice, check_integer, check_number
from keras_uae.selection.layer import ConcreteSelect

DECODERS = ("published", "cae_paper")


def concrete_network(
    input_shape: Sequence[int],
    features: int,
    *,
    outputs: int | None = None,
    decoder: str = "published",
    dropout: float = 0.1,
    seed: int = 0,
    name: str = "concrete_autoencoder",
    **settings: Any,
) -> keras.Model:
    """Build input → flatten → `ConcreteSelect` → decoder → output of the input's shape.

    The selection is the layer `select`; the decoder, which ends in a linear Dense, is the nested
    model `decoder`.

    Args:
        input_shape: Shape of one sample: a vector `(d,)` or an image.
        features: Integer K, number of features to select.
        outputs: Integer, values to predict in place of the input. Defaults to `None`: an
            autoencoder.
        decoder: "published", two times Dense 320, LeakyReLU 0.2, Dropout, as in the experiments of
            Hsu et al.; "cae_paper", one time with 3K/2 units, as in those of Balin et al. Defaults
            to `"published"`.
        dropout: Float in [0, 1), rate of Dropout in the decoder. Defaults to `0.1`, as published;
            with many samples 0 restores better.
        seed: Integer ≥ 0 of initial weights, noise and dropout. Defaults to `0`.
        name: Name of the model. Defaults to `"concrete_autoencoder"`.
        **settings: Passed on to `ConcreteSelect`.

    Returns:
        An uncompiled `keras.Model`; published training: Adam, mean squared error.

    Raises:
        ValueError: A setting is not as above.

    Example:

        >>> model = uae.concrete_network((8, 8, 1), 16)
        >>> model.compile(keras.optimizers.Adam(1e-3), "mse")
        >>> model.fit(x, x, batch_size=16, epochs=800, callbacks=[uae.AnnealTemperature()])
        >>> model.get_layer("select").indices()

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346).
    """
    owner = "concrete_network"
    check_choice(owner, "decoder", decoder, DECODERS)
    dropout = check_number(owner, "dropout", dropout, 0, np.nextafter(1, 0))
    generator = np.random.default_rng(check_integer(owner, "seed", seed, 0))

    def next_seed() -> int:
        return int(generator.integers(2**31))

    def dense(units: int) -> keras.Layer:
        return layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(next_seed()))

    inputs = keras.Input(tuple(input_shape))
    select = ConcreteSelect(features, name="select", seed=next_seed(), **settings)
    selected = select(layers.Flatten()(inputs))

    hidden = (320, 320) if decoder == "published" else (max(1, select.features * 3 // 2),)
    code = keras.Input((select.features,))
    x = code
    for units in hidden:
        x = layers.LeakyReLU(negative_slope=0.2)(dense(units)(x))
        x = layers.Dropout(dropout, seed=next_seed())(x)
    x = dense(math.prod(input_shape) if outputs is None else outputs)(x)
    result = keras.Model(code, x, name="decoder")(selected)
    if outputs is None:
        result = layers.Reshape(tuple(input_shape))(result)
    return keras.Model(inputs, result, name=name)
