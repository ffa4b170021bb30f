"""What the attack minimises or maximises: mutual information, or a plain distance."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import check_choice
from keras_uae._model_layers import example
from keras_uae.similarity.base import Similarity
from keras_uae.similarity.distances import L2, Cosine, ReconstructionLoss
from keras_uae.similarity.donsker_varadhan import donsker_varadhan
from keras_uae.similarity.features import (
    BivariateSampling,
    Convolution,
    FeatureMap,
    Output,
    Pixels,
    RandomSampling,
    first_convolution,
    too_small,
)
from keras_uae.similarity.gaussian import Gaussian, gaussian_mutual_information
from keras_uae.similarity.measurement import measured
from keras_uae.similarity.mine import MINE
from keras_uae.similarity.transport import FeatureScattering

__all__ = [
    "L2",
    "MINE",
    "SIMILARITIES",
    "BivariateSampling",
    "Convolution",
    "Cosine",
    "FeatureMap",
    "FeatureScattering",
    "Gaussian",
    "Output",
    "Pixels",
    "RandomSampling",
    "ReconstructionLoss",
    "Similarity",
    "donsker_varadhan",
    "gaussian_mutual_information",
    "get",
    "mutual_information",
    "names",
]

SIMILARITIES: dict[str, Callable[[FeatureMap], Similarity]] = {
    "conv": lambda maps: MINE(features=Convolution()),
    "random": lambda maps: MINE(features=RandomSampling()),
    "bivariate": lambda maps: MINE(features=BivariateSampling()),
    "gaussian": lambda maps: Gaussian(),
    "l2": lambda maps: L2(features=maps),
    "cosine": lambda maps: Cosine(features=maps),
    "feature_scattering": lambda maps: FeatureScattering(features=maps),
    "reconstruction_loss": lambda maps: ReconstructionLoss(),
}
"""Similarities by name: functions of `maps`, the feature maps of the model's first convolution
where it starts with one, otherwise the input itself. A name added here is known everywhere at once.
"""


def names() -> list[str]:
    """What `get` knows by name.

    Example:

        >>> uae.similarity.names()  # ["auto", "conv", ...]
    """
    return ["auto", *SIMILARITIES]


def get(
    similarity: Any,
    model: keras.Model,
    owner: str = "MinMaxAttack",
    x: tf.Tensor | None = None,
) -> Similarity:
    """The similarity that a name stands for with this model; an object is returned as it is.

    Args:
        similarity: A `Similarity`, or "auto" ("conv" where the first layer with a kernel that sees
            the input is a convolution with several feature maps, otherwise "gaussian"), "conv" and
            "random" (MINE on feature maps or random projections, the rule of section 3.1),
            "bivariate" ("random" by its exact law, faster), "gaussian" (the closed form of
            "random"), "l2", "cosine" and "feature_scattering" (Table 13: on feature maps where
            there are any, otherwise on the input), "reconstruction_loss" (L2-UAE), or a name that
            was added to `SIMILARITIES`.
        model: The attacked model.
        owner: Whose setting it is, for messages. Defaults to `"MinMaxAttack"`.
        x: Batch of samples. Defaults to `None`: zeros of the shape that the model takes.

    Example:

        >>> uae.similarity.get("auto", autoencoder)  # MINE on the feature maps of its convolution
    """
    if isinstance(similarity, Similarity):
        return similarity
    _check_name(owner, similarity)
    x = example(model) if x is None else x
    layer = first_convolution(model, x)
    if similarity == "auto":
        similarity = "gaussian" if layer is None or too_small(layer, model, x) else "conv"
    return SIMILARITIES[similarity](Pixels() if layer is None else Convolution())


def _check_name(owner: str, similarity: Any) -> None:
    if not isinstance(similarity, str):
        raise ValueError(
            f"`similarity` of {owner} must be a Similarity, such as uae.similarity.MINE(), or the "
            f"name of one. Received: similarity={similarity!r}."
        )
    check_choice(owner, "similarity", similarity, names())


def mutual_information(
    x: Any,
    z: Any,
    model: keras.Model | None = None,
    similarity: Any = "gaussian",
    *,
    seed: int = 0,
    batch_size: int = 64,
) -> np.ndarray:
    """Per-sample mutual information of x and z in nats, whoever made them.

    The same for examples of an attack, noise, or two photographs. MINE is trained until its
    value for pairs that it has not seen stops rising, and is then judged by others: a lower bound
    by the objective of section 2.2, of which no more than the logarithm of their number can be
    known. (Within an attack it makes 20 steps, which rank iterates and measure little.)

    Args:
        x, z: Arrays `(n, ...)`, row for row.
        model: Built `keras.Model` whose feature maps are compared. Defaults to `None`: `x` and `z`
            themselves are.
        similarity: A name or an object that estimates mutual information: "gaussian", exact up to
            log(1000) = 6.9, of one coordinate of a random projection; "random" and "bivariate", the
            same by MINE, of all d' = 128 coordinates, which are independent; "conv", MINE on the
            feature maps of the first convolution. Of those there are few, one quarter ends the
            training and another judges, in turn, so that K maps give log(K/4) at most, and fewer
            than 16 hardly anything: compare with the values of x and itself. Defaults to
            `"gaussian"`.
        seed: Integer ≥ 0, fixes projections, initial networks and shuffles. Defaults to `0`.
        batch_size: Integer, pairs of samples measured at once. Defaults to `64`.

    Returns:
        Array `(n,)`, 0 or more.

    Raises:
        ValueError: The shapes differ, a value is not finite, `similarity` is none of mutual
            information, or has too few pairs.

    Example:

        >>> shared = uae.mutual_information(x, found.x)
        >>> shared[found.success].mean()

    Reference:
        [Belghazi et al., 2018](https://arxiv.org/abs/1801.04062).
    """
    if not isinstance(similarity, Similarity):
        _check_name("mutual_information", similarity)
        if model is not None:
            similarity = get(similarity, model, "mutual_information")
        else:  # "auto" asks for a model, as "conv" does
            name = "conv" if similarity == "auto" else similarity
            similarity = SIMILARITIES[name](Pixels())
    return measured(similarity, model, x, z, seed=seed, batch_size=batch_size)
