"""The convolutional autoencoders of Keras_Autoencoder with batch normalisation: no. 1 and no. 2.

The first is the one of the CIFAR-10 and SVHN experiments. No. 3 is in `models.unet`.
"""

from collections.abc import Sequence

import keras
from keras import layers

from keras_uae._checks import check_number
from models.noise import ClippedNoise
from models.seeds import drawn_seeds, glorot_uniform
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
        An uncompiled model on values in [0, 1], its code the output of the layer named `code`;
        `models.RECIPES["deep"]` compiles it.
    """
    return _autoencoder("deep_convolutional_autoencoder", input_shape, (64, 32, 16), seed, name)


def denoising_autoencoder(
    input_shape: Sequence[int],
    *,
    noise: float = 0.1,
    seed: int = 0,
    name: str = "denoising_autoencoder",
) -> keras.Model:
    """Build `deep_convolutional_autoencoder` with two blocks of 32 filters, and noise before them.

    The noise acts in training only, and anew in every step: `fit(x, x)` learns to restore x from
    x + `noise` · N(0, 1), clipped to [0, 1]. (It was published with noise drawn once for all
    epochs.)

    Args:
        input_shape: Shape of one image, `(height, width, channels)`.
        noise: Number ≥ 0, standard deviation of the noise. Defaults to the published 0.1.
        seed: Integer, fixes the initial weights, and the noise.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1], its code the output of the layer named `code`;
        `models.RECIPES["denoising"]` compiles it.
    """
    return _autoencoder("denoising_autoencoder", input_shape, (32, 32), seed, name, noise)


def _autoencoder(
    owner: str,
    input_shape: Sequence[int],
    encoder: tuple[int, ...],
    seed: int,
    name: str,
    noise: float | None = None,
) -> keras.Model:
    """Blocks of so many filters with a pool after each, and the same with an up, in reverse."""
    height, width, channels = check_input_shape(owner, input_shape, rank=3)
    start = glorot_uniform(owner, seed)

    def block(inputs: keras.KerasTensor, filters: int, activation: str) -> keras.KerasTensor:
        features = layers.Conv2D(filters, 3, padding="same", kernel_initializer=next(start))(inputs)
        return layers.Activation(activation)(layers.BatchNormalization()(features))

    inputs = features = keras.Input((height, width, channels))
    if noise is not None:
        noise = check_number(owner, "noise", noise, 0)
        features = ClippedNoise(noise, seed=next(drawn_seeds(owner, seed)))(features)
    pools = [*[None] * (len(encoder) - 1), "code"]
    for filters, pool in zip(encoder, pools, strict=True):
        features = block(features, filters, "relu")
        features = layers.MaxPooling2D(2, padding="same", name=pool)(features)
    for filters in reversed(encoder):
        features = layers.UpSampling2D(2)(block(features, filters, "relu"))
    outputs = block(features, channels, "sigmoid")
    surplus = (-height % 2 ** len(encoder), -width % 2 ** len(encoder))
    if any(surplus):
        outputs = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])))(outputs)
    return keras.Model(inputs, outputs, name=name)
