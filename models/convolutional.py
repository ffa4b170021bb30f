"""The convolutional autoencoder of the MNIST experiments."""

from collections.abc import Sequence

import keras
from keras import layers

from models.seeds import glorot_uniform
from models.shapes import check_input_shape


def convolutional_autoencoder(
    input_shape: Sequence[int],
    *,
    seed: int = 0,
    name: str = "convolutional_autoencoder",
) -> keras.Model:
    """Build Conv 16, pool, Conv 8, pool → Conv 8, up, Conv 16, up, Conv sigmoid; all 5×5 "same".

    Height and width need not be divisible by 4: pooling rounds up, and the surplus rows and columns
    of the output are cut off.

    Args:
        input_shape: Shape of one image, `(height, width, channels)`.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1], its code the output of the layer named `code`;
        `models.RECIPES["conv"]` compiles it.
    """
    owner = "convolutional_autoencoder"
    height, width, channels = check_input_shape(owner, input_shape, rank=3)
    start = glorot_uniform(owner, seed)

    def conv(filters: int, activation: str = "relu") -> layers.Layer:
        settings = {"padding": "same", "activation": activation}
        return layers.Conv2D(filters, 5, kernel_initializer=next(start), **settings)

    inputs = keras.Input((height, width, channels))
    features = layers.MaxPooling2D(2, padding="same")(conv(16)(inputs))
    code = layers.MaxPooling2D(2, padding="same", name="code")(conv(8)(features))
    features = layers.UpSampling2D(2)(conv(8)(code))
    features = layers.UpSampling2D(2)(conv(16)(features))
    outputs = conv(channels, "sigmoid")(features)
    surplus = (-height % 4, -width % 4)
    if any(surplus):
        outputs = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])))(outputs)
    return keras.Model(inputs, outputs, name=name)
