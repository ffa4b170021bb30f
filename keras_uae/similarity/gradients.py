"""Gradients written by hand."""

from collections.abc import Callable

import tensorflow as tf

# a value, and the function from the gradient on it to those on the arguments
WithGradient = tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]


def by_hand(function: Callable[..., WithGradient]) -> Callable[..., tf.Tensor]:
    """`tf.custom_gradient` of a function of tensors that uses nothing but its arguments.

    In a graph TensorFlow registers the gradient of every call anew and for ever, and the gradient
    holds the graph: each attack that was made and dropped left its graphs behind, 3-9 MB. As a
    graph of its own the function is registered once a shape, whoever calls it.
    """
    return tf.function(tf.custom_gradient(function), autograph=False)
