"""Feature scattering: what it costs to carry the features of x over to those of z (Table 13).

Zhang and Wang transport the features of a batch to those of its perturbed samples, so that the
neighbours of a sample decide where it goes. Here every sample is transported on its own, with its
K feature maps for the points: its example depends on no other sample, as with all similarities.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tensorflow as tf

from keras_uae._checks import Integer, Number
from keras_uae._settings import register
from keras_uae.similarity.base import Similarity
from keras_uae.similarity.features import FLAT, Convolution, FeatureMap


@register
@dataclass(frozen=True, kw_only=True)
class FeatureScattering(Similarity):
    """−D(u, v), the optimal transport distance of the K features of x and of z.

        D(u, v) = min over T ≥ 0 of Σ_kl T_kl (1 − cos(u_k, v_l)),
        with rows and columns of T that sum to 1/K

    Its gradient in v holds the best T fixed, as that of a minimum does. Minimised, −D drives the
    features of z away from all those of x: exchanging one feature map for another is no distance.
    D is in [0, 2], a feature that is all zeros costs 0 to another such and 1/2 to any other. Of a
    single feature, as `Pixels` has it, D is the cosine distance.

    Args:
        features: `FeatureMap` that gives the K points. Defaults to `Convolution()`.
        iterations: Integer, proximal steps in which T is found, see `transport_plan`. Defaults to
            `20`.
        regularization: Float > 0, how near T stays in a step. Defaults to `0.1`.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder, similarity=uae.similarity.FeatureScattering())

    Reference:
        [Zhang and Wang, 2019](https://arxiv.org/abs/1907.10764), Section 3.
    """

    measure: ClassVar[str] = "negative transport distance"
    least_radius: ClassVar[float] = FLAT
    features: FeatureMap = Convolution()
    iterations: Annotated[int, Integer(1)] = 20
    regularization: Annotated[float, Number(1e-6)] = 0.1

    def estimate(
        self, drawn: Any, state: tf.Tensor, v: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        cost = cosine_distances(state, v)
        plan = transport_plan(
            tf.stop_gradient(cost), iterations=self.iterations, regularization=self.regularization
        )
        return state, -tf.reduce_sum(plan * cost, axis=[1, 2])


def cosine_distances(u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """1 − cos(u_k, v_l) for features `(batch, d', K)`, as `(batch, K, K)`.

    It is ½‖û_k − v̂_l‖², û and v̂ the features over their norms, 0 where the norm is.
    """
    (over_u, any_u), (over_v, any_v) = (_inverse_norms(each) for each in (u, v))
    # the norms enter on the small side of the product: features are neither scaled nor copied
    cosine = tf.matmul(u, v, transpose_a=True) * over_u[:, :, tf.newaxis] * over_v[:, tf.newaxis]
    return (any_u[:, :, tf.newaxis] + any_v[:, tf.newaxis]) / 2 - cosine


def _inverse_norms(features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """1/‖u_k‖, `(batch, K)`, 0 where u_k is all zeros; and 1 where it is not, else 0."""
    square = tf.reduce_sum(features**2, axis=1)
    nonzero = square != 0  # not "> 0": NaN has to stay NaN
    inverse = tf.where(nonzero, tf.math.rsqrt(tf.where(nonzero, square, 1.0)), 0.0)
    return inverse, tf.cast(nonzero, features.dtype)


def transport_plan(cost: tf.Tensor, *, iterations: int, regularization: float) -> tf.Tensor:
    """The plan T of least cost Σ_kl T_kl·C_kl between K points and K points of equal weights.

    Proximal point steps T ← argmin ⟨T, C⟩ + ε·KL(T ‖ last T), of which each is a single sweep of
    Sinkhorn's algorithm in logarithms (IPOT). Other than with entropic regularisation, which blurs
    T for good by ε, any ε leads to the exact T; a smaller one takes fewer, less reliable steps.

    Args:
        cost: Tensor `(batch, K, K)`.
        iterations: Integer, steps.
        regularization: Float ε, in the units of the cost.

    Returns:
        Tensor like `cost`, whose columns sum to 1/K, and its rows up to what the steps leave.

    Reference:
        [Xie et al., 2020](https://arxiv.org/abs/1802.04307).
    """
    count = tf.cast(tf.shape(cost)[2], cost.dtype)
    pull = cost / regularization

    def step(
        i: tf.Tensor, log_plan: tf.Tensor, columns: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # the weights of the columns go on from the step before, which asked for nearly the same
        log_plan -= pull
        rows = -tf.reduce_logsumexp(log_plan + columns, axis=2, keepdims=True)
        columns = -tf.reduce_logsumexp(log_plan + rows, axis=1, keepdims=True)
        return i + 1, log_plan + rows + columns, columns

    _, log_plan, _ = tf.while_loop(
        lambda i, *_: i < iterations,
        step,
        (tf.constant(0), tf.zeros_like(cost), tf.zeros_like(cost[:, :1])),
        maximum_iterations=iterations,
        parallel_iterations=1,
    )
    return tf.exp(log_plan) / count
