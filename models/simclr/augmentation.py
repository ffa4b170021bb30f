"""The random views of SimCLR as a Keras layer, for pipelines and for models."""

from typing import Any, Self

import keras
import tensorflow as tf

from keras_uae import ViewAugmentation
from keras_uae import _draws as draws
from keras_uae._checks import check_integer


@keras.saving.register_keras_serializable(package="keras_uae")
class RandomViews(keras.layers.Layer):
    """Replaces each image by a random view of it in training, and by itself at inference.

    Each call draws other views; a new layer of the same seed draws the same ones again. `SimCLR`
    makes its own views, by the step, so that a loaded training goes on as if never stopped: this
    layer is for what comes after it, such as the linear head, and for `tf.data`.

    Args:
        augmentation: `ViewAugmentation`. Defaults to its defaults.
        seed: Integer, fixes all views. Defaults to `0`.

    Call arguments:
        images: Tensor `(batch, height, width, channels)`.
        training: Boolean, whether to draw views. Defaults to `None`: what the model says.
    """

    def __init__(
        self, augmentation: ViewAugmentation | None = None, *, seed: int = 0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.augmentation = ViewAugmentation() if augmentation is None else augmentation
        self.seed = check_integer("RandomViews", "seed", seed, 0, 2**31 - 1)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.built = True

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training:
            return images
        key = draws.stream(tf.constant(self.seed), draws.VIEWS)
        for part in tf.unstack(tf.cast(self.seed_generator.next(), tf.int64)):
            key = tf.random.fold_in(key, part)
        return self.augmentation(images, key)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "augmentation": keras.saving.serialize_keras_object(self.augmentation),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        augmentation = keras.saving.deserialize_keras_object(config["augmentation"])
        return cls(**{**config, "augmentation": augmentation})
