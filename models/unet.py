"""The U-Net of Keras_Autoencoder, its no. 3."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from models.seeds import glorot_uniform
from models.shapes import check_input_shape

_FILTERS = (32, 64, 128, 256, 512)


def unet_autoencoder(
    input_shape: Sequence[int],
    *,
    seed: int = 0,
    name: str = "unet_autoencoder",
) -> keras.Model:
    """Build levels of 32, 64, 128, 256 and 512 filters, with a pool between → the same way up.

    A level is two convolutions with ReLU. On the way up a transposed convolution doubles the size,
    and what the level had on the way down is put beside its result. All are 3×3 "same"; the output
    is one more with a sigmoid. Height and width need not be divisible by 16: pooling rounds up, and
    the surplus rows and columns are cut off after each doubling.

    Args:
        input_shape: Shape of one image, `(height, width, channels)`.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1], its bottom the output of the layer named `code`;
        `models.RECIPES["unet"]` compiles it.
    """
    owner = "unet_autoencoder"
    shape = check_input_shape(owner, input_shape, rank=3)
    start = glorot_uniform(owner, seed)

    def conv(filters: int, activation: str, name: str | None = None) -> layers.Layer:
        settings = {"padding": "same", "activation": activation, "name": name}
        return layers.Conv2D(filters, 3, kernel_initializer=next(start), **settings)

    def level(
        features: keras.KerasTensor, filters: int, name: str | None = None
    ) -> keras.KerasTensor:
        for each in (None, name):
            features = conv(filters, "relu", each)(features)
        return features

    def up(features: Any, skip: Any) -> Any:
        doubling = layers.Conv2DTranspose(skip.shape[-1], 2, 2, kernel_initializer=next(start))
        doubled = doubling(features)
        rows, columns = (doubled.shape[axis] - skip.shape[axis] for axis in (1, 2))
        if rows or columns:
            doubled = layers.Cropping2D(((0, rows), (0, columns)))(doubled)
        return layers.Concatenate()([doubled, skip])

    inputs = features = keras.Input(shape)
    skips = []
    for filters in _FILTERS[:-1]:
        skips.append(level(features, filters))
        features = layers.MaxPooling2D(2, padding="same")(skips[-1])
    features = level(features, _FILTERS[-1], "code")
    for skip in reversed(skips):
        features = level(up(features, skip), skip.shape[-1])
    return keras.Model(inputs, conv(shape[-1], "sigmoid")(features), name=name)
