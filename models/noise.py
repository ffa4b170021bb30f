"""The noise of the published denoising autoencoder."""

from typing import Any

import keras
import tensorflow as tf

from keras_uae import _draws as draws
from keras_uae._checks import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_uae")
class ClippedNoise(keras.layers.Layer):
    """Add Gaussian noise to values in [0, 1], in training only, and cut off what leaves [0, 1].

    The noise is a function of `seed` and of how often it was drawn, which is a weight and so is
    saved: unlike with `keras.layers.GaussianNoise`, a training that is loaded goes on as if it had
    never stopped.

    Args:
        stddev: Number ≥ 0, standard deviation of the noise. Defaults to `0.1`.
        seed: Integer, fixes the noise. Defaults to `0`.
    """

    def __init__(self, stddev: float = 0.1, *, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.stddev = check_number("ClippedNoise", "stddev", stddev, 0)
        self.seed = check_integer("ClippedNoise", "seed", seed, 0, 2**31 - 1)

    def build(self, input_shape: Any) -> None:
        self.drawn = self.add_weight((), "zeros", "int64", trainable=False, name="drawn")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs
        key = draws.stream(self.seed * 2**32 + self.drawn, draws.NOISE)
        self.drawn.assign_add(1)
        noise = draws.normal(key, tf.shape(inputs), inputs.dtype)
        return tf.clip_by_value(inputs + self.stddev * noise, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
