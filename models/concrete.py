"""The concrete autoencoder: an encoder that is a choice of K features."""

from collections.abc import Sequence

import keras

from keras_uae.selection.network import concrete_network
from models.shapes import check_input_shape


def concrete_autoencoder(
    input_shape: Sequence[int],
    features: int,
    *,
    decoder: str = "published",
    gradient_estimator: str = "gumbel_softmax",
    start_temperature: float = 10.0,
    min_temperature: float = 0.1,
    anneal_steps: int | None = None,
    seed: int = 0,
    name: str = "concrete_autoencoder",
) -> keras.Model:
    """Build input → `ConcreteSelect` of K features → decoder → output of the input's shape.

    Published training: Adam 1e-3, mean squared error, batches of max(n // 256, 16), 800 epochs
    with `keras_uae.AnnealTemperature()` among the callbacks, which makes `anneal_steps` needless.

    Args:
        input_shape: Shape of one sample: an image `(height, width, channels)` or a vector `(d,)`.
        features: Number of features K to select, the layer named `select`.
        decoder: "published" (the UAE paper's run): two times Dense 320, LeakyReLU 0.2, Dropout
            0.1, then a linear Dense; "cae_paper" (Balin et al.): one hidden layer of 3K/2 units.
        gradient_estimator: "gumbel_softmax" (published) or "straight_through".
        start_temperature: Temperature of the first step.
        min_temperature: Temperature of the last step; Balin et al. went down to 0.01.
        anneal_steps: Training steps from the one to the other.
        seed: Integer, fixes initial weights, noise and dropout.
        name: Name of the model.

    Returns:
        An uncompiled model. At inference it is deterministic, and sees the K features only.
    """
    shape = check_input_shape("concrete_autoencoder", input_shape)
    return concrete_network(
        shape,
        features,
        decoder=decoder,
        gradient_estimator=gradient_estimator,
        start_temperature=start_temperature,
        min_temperature=min_temperature,
        anneal_steps=anneal_steps,
        seed=seed,
        name=name,
    )
