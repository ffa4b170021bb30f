"""Similarities without an estimator: L2, cosine (Table 13) and the reconstruction loss."""

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from keras_uae._settings import register
from keras_uae._tensors import flatten, l2_norm
from keras_uae.similarity.base import Similarity
from keras_uae.similarity.features import FLAT, FeatureMap, Output, Pixels


@register
@dataclass(frozen=True, kw_only=True)
class L2(Similarity):
    """−‖u − v‖₂: minimised, it drives the features of z away from those of x.

    Args:
        features: `FeatureMap` to compare. Defaults to `Pixels()`; Table 13 of the paper uses
            `Convolution()`.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder, similarity=uae.similarity.L2())
    """

    measure: ClassVar[str] = "negative L2 distance"
    least_radius: ClassVar[float] = FLAT

    @property
    def power(self) -> int:
        return 1 if isinstance(self.features, (Pixels, Output)) else 0

    def estimate(
        self, drawn: Any, state: tf.Tensor, v: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return state, -l2_norm(state - v)


@register
@dataclass(frozen=True, kw_only=True)
class Cosine(Similarity):
    """cos(u, v), in [−1, 1]; 0 where either is all zeros.

    Args:
        features: `FeatureMap` to compare. Defaults to `Pixels()`; Table 13 of the paper uses
            `Convolution()`.

    Example:

        >>> cosine = uae.similarity.Cosine(features=uae.similarity.Convolution())
        >>> attack = uae.MinMaxAttack(autoencoder, similarity=cosine)
    """

    measure: ClassVar[str] = "cosine"
    least_radius: ClassVar[float] = FLAT

    def estimate(
        self, drawn: Any, state: tf.Tensor, v: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        product = tf.reduce_sum(flatten(state) * flatten(v), axis=1)
        return state, tf.math.divide_no_nan(product, l2_norm(state) * l2_norm(v))


@register
@dataclass(frozen=True, kw_only=True)
class ReconstructionLoss(Similarity):
    """‖x − Φ(z)‖₂. Maximised in place of the similarity, it gives the L2-UAE of section 4.4.

    Example:

        >>> attack = uae.MinMaxAttack(
        ...     autoencoder, similarity="reconstruction_loss", objective="maximize"
        ... )
    """

    measure: ClassVar[str] = "reconstruction loss"
    features: FeatureMap = Output()

    @property
    def power(self) -> int:
        return 1

    def init(self, drawn: Any, x: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        del drawn, u
        return flatten(x)[..., tf.newaxis]

    def estimate(
        self, drawn: Any, state: tf.Tensor, v: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return state, l2_norm(state - v)
