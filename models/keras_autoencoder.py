"""The convolutional autoencoder of the CIFAR-10 and SVHN experiments: Keras_Autoencoder's no. 1."""

from collections.abc import Sequence

import keras
from keras import layers

from models.seeds import glorot_uniform
from models.shapes import check_input_shape


def deep_convolutional_autoencoder(
    input_shape: Sequence[int],
    *,
    seed: int = 0,
    name: str = "deep_convolutional_autoencoder",
) -> keras.Model:
    """Build blocks of 64, 32, 16 filters, each with a pool → blocks of 16, 32, 64, each with an up.

    A block is a convolution, batch normalisation and a ReLU; the output is one with a sigmoid; all
    are 3×3 "same". Height and width need not be divisible by 8: pooling rounds up, and the surplus
    rows and columns of the output are cut off.

    Args:
        input_shape: Shape of one image, `(height, width, channels)`.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1], its code the output of the layer named `code`. It
        was published with Adam, binary cross-entropy, batches of 32 and early stopping.
    """
    owner = "deep_convolutional_autoencoder"
    height, width, channels = check_input_shape(owner, input_shape, rank=3)
    start = glorot_uniform(owner, seed)

    def block(inputs: keras.KerasTensor, filters: int, activation: str) -> keras.KerasTensor:
        features = layers.Conv2D(filters, 3, padding="same", kernel_initializer=next(start))(inputs)
        return layers.Activation(activation)(layers.BatchNormalization()(features))

    inputs = features = keras.Input((height, width, channels))
    for filters, pool in ((64, None), (32, None), (16, "code")):
        features = block(features, filters, "relu")
        features = layers.MaxPooling2D(2, padding="same", name=pool)(features)
    for filters in (16, 32, 64):
        features = layers.UpSampling2D(2)(block(features, filters, "relu"))
    outputs = block(features, channels, "sigmoid")
    surplus = (-height % 8, -width % 8)
    if any(surplus):
        outputs = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])))(outputs)
    return keras.Model(inputs, outputs, name=name)
