"""Mutual information of pairs of samples, estimated the same way whoever made the pairs."""

import keras
import numpy as np
import tensorflow as tf

from keras_uae.model_layers import capture
from keras_uae.similarity import Similarity

BATCH_SIZE = 100


def mutual_information(
    model: keras.Model, mine: Similarity, x: np.ndarray, z: np.ndarray, *, draws: int = 10
) -> np.ndarray:
    """The estimate of `mine` for each pair of rows of x and z, `(n,)`, mean over `draws` networks.

    An attack keeps the iterate with the largest of its own estimates, and with it the luck of the
    shuffle with which that one was made. Here all pairs get the same shuffles, which no attack has
    seen.
    """
    values = np.zeros(len(x))
    for start in range(0, len(x), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        u, v = (_captured(model, mine, tf.constant(each[rows])) for each in (x, z))
        for seed in range(draws):
            values[rows] += _estimate(mine, x[rows], u, v, seed) / draws
    return values


def pairs(model: keras.Model, mine: Similarity, x: np.ndarray) -> int:
    """K, the number of pairs from which `mine` estimates for samples like those of x."""
    captured = _captured(model, mine, tf.constant(x[:1]))
    drawn = mine.features.draw(tf.constant(0, tf.int64), captured)
    return int(mine.features.reference(drawn, captured).shape[2])


def _captured(model: keras.Model, mine: Similarity, x: tf.Tensor) -> tf.Tensor:
    """What the estimator reads its features from."""
    with capture(mine.features.source(model)) as seen:
        model(x, training=False)
    return seen[0] if seen else x


def _estimate(
    mine: Similarity, x: np.ndarray, captured_x: tf.Tensor, captured_z: tf.Tensor, seed: int
) -> np.ndarray:
    key = tf.constant(-1 - seed, tf.int64)  # attacks take seeds from 0
    projection = mine.features.draw(key, captured_x)
    u = mine.features.reference(projection, captured_x)
    drawn = mine.draw(key, u.shape[1:], 1, u.dtype)
    state = mine.init(drawn, tf.constant(x), u)
    return mine.estimate(drawn, state, mine.features(projection, captured_z), tf.constant(0))[1]
