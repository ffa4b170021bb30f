"""The sparse autoencoder: the dense one, made to keep most of its code near zero."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from models.penalties import KLPenalty, L1Penalty
from models.seeds import glorot_uniform
from models.shapes import check_code_units, check_input_shape

_SVHN_VALUES = 32 * 32 * 3


def sparse_autoencoder(
    input_shape: Sequence[int],
    *,
    code_units: int | None = None,
    kl_weight: float | None = None,
    seed: int = 0,
    name: str = "sparse_autoencoder",
) -> keras.Model:
    """Build the layers of `dense_autoencoder` with sparsity penalties that act in training only.

    The loss gains 1e-7 · Σ|a| of both layers, averaged over samples, and
    `kl_weight` · mean KL(0.1 ‖ mean code activation over the batch).

    Args:
        input_shape: Shape of one sample: an image `(height, width, channels)` or a vector `(d,)`.
        code_units: Size of the code, the layer named `code`. Defaults to the paper's 128 for MNIST
            (784 values) and 256 for SVHN (3072 values), and in proportion from 8 to 256 elsewhere.
        kl_weight: Weight of the divergence. Defaults to the published 1 for 3072 values (SVHN) and
            3 for all else.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1]; `models.RECIPES["sparse"]` compiles it.
    """
    owner = "sparse_autoencoder"
    shape = check_input_shape(owner, input_shape)
    size = math.prod(shape)
    code_units = check_code_units(owner, code_units, shape)
    if kl_weight is None:
        kl_weight = 1.0 if size == _SVHN_VALUES else 3.0
    start = glorot_uniform(owner, seed)

    inputs = keras.Input(shape)
    code = layers.Dense(code_units, "sigmoid", kernel_initializer=next(start), name="code")
    decoder = layers.Dense(size, "sigmoid", kernel_initializer=next(start))
    sparse_code = KLPenalty(0.1, kl_weight)(L1Penalty(1e-7)(code(layers.Flatten()(inputs))))
    outputs = L1Penalty(1e-7)(decoder(sparse_code))
    return keras.Model(inputs, layers.Reshape(shape)(outputs), name=name)
