"""Untrained autoencoders of every kind that Keras knows, small enough to attack in milliseconds.

All but `linear` take and give images of `SHAPE`. About every second perturbation of theirs is an
example.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

SHAPE = (6, 6, 1)
MAPS = 3


def images(count: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    """Random images in [0, 1] in which both bounds occur."""
    x = np.random.default_rng(seed).uniform(-0.2, 1.2, (count, *SHAPE))
    return np.clip(x, 0, 1).astype(dtype)


def convolutional(dtype: str = "float32") -> keras.Model:
    """Functional, starts with a convolution."""
    inputs = keras.Input(SHAPE, dtype=keras.DTypePolicy(dtype).variable_dtype)
    maps = layers.Conv2D(MAPS, 3, padding="same", activation="tanh", dtype=dtype)(inputs)
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype)(maps)
    return keras.Model(inputs, outputs, name="convolutional")


def dense(dtype: str = "float32") -> keras.Model:
    """Functional, no convolution."""
    inputs = keras.Input(SHAPE, dtype=dtype)
    code = layers.Dense(5, activation="tanh", dtype=dtype)(layers.Flatten(dtype=dtype)(inputs))
    outputs = layers.Dense(36, activation="sigmoid", dtype=dtype)(code)
    return keras.Model(inputs, layers.Reshape(SHAPE, dtype=dtype)(outputs), name="dense")


def nested(dtype: str = "float32") -> keras.Model:
    """An encoder and a decoder, models themselves, in a model."""
    inputs = keras.Input(SHAPE, dtype=dtype)
    maps = layers.Conv2D(MAPS, 3, padding="same", name="deep", activation="tanh", dtype=dtype)
    code = layers.MaxPooling2D(2, dtype=dtype)(maps(inputs))
    encoder = keras.Model(inputs, code, name="encoder")
    decoder = keras.Sequential(
        [
            keras.Input(encoder.output_shape[1:], dtype=dtype),
            layers.UpSampling2D(2, dtype=dtype),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype),
        ],
        name="decoder",
    )
    return keras.Model(inputs, decoder(encoder(inputs)), name="nested")


def sequential(dtype: str = "float32") -> keras.Model:
    """Sequential, starts with a convolution."""
    return keras.Sequential(
        [
            keras.Input(SHAPE, dtype=dtype),
            layers.Conv2D(MAPS, 3, padding="same", activation="tanh", dtype=dtype),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype),
        ],
        name="sequential",
    )


def rescaled(dtype: str = "float32") -> keras.Model:
    """Takes and gives values in [0, 255]; the scaling comes before the convolution."""
    inputs = keras.Input(SHAPE, dtype=dtype)
    maps = layers.Conv2D(MAPS, 3, padding="same", activation="tanh", dtype=dtype)(
        layers.Rescaling(1 / 255, dtype=dtype)(inputs)
    )
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype)(maps)
    outputs = layers.Rescaling(255.0, dtype=dtype)(outputs)
    return keras.Model(inputs, outputs, name="rescaled")


def linear(dimension: int) -> keras.Model:
    """Φ(z) = zA on vectors, in float64, A near the identity."""
    model = keras.Sequential(
        [
            keras.Input((dimension,), dtype="float64"),
            layers.Dense(dimension, use_bias=False, dtype="float64"),
        ]
    )
    noise = np.random.default_rng(0).normal(size=(dimension, dimension))
    model.set_weights([0.9 * np.eye(dimension) + 0.1 * noise])
    return model


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    """A class with a `call` of its own; knows its shapes only once it is built."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.first = layers.Conv2D(MAPS, 3, padding="same", activation="tanh", dtype=dtype)
        self.last = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype)

    def call(self, x):
        return self.last(self.first(x))


def subclassed(dtype: str = "float32") -> keras.Model:
    """`Subclassed`, built by a call."""
    model = Subclassed(name="subclassed", dtype=dtype)
    model(tf.zeros((1, *SHAPE), dtype))
    return model


KINDS = {
    build.__name__: build
    for build in (convolutional, dense, nested, sequential, rescaled, subclassed)
}
