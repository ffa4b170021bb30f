"""The numbers of a seed are those of Philox, as they were when it was asked for by name."""

import numpy as np
import pytest
import tensorflow as tf

from keras_uae import _draws as draws

PHILOX = {"alg": "philox"}
SEEDS = [0, 7, -3, 2**40]


def stream(seed, purpose):
    return tf.random.fold_in(tf.constant([seed, 0], tf.int64), purpose, **PHILOX)


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_draws(seed):
    wanted = tf.random.stateless_normal((3, 5), stream(seed, draws.NETWORK), **PHILOX)
    drawn = draws.normal(draws.stream(seed, draws.NETWORK), (3, 5), tf.float32)
    np.testing.assert_array_equal(drawn, wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_start_of_every_sample(seed):
    key, index = stream(seed, draws.DELTA), [0, 5, 2**33]
    drawn = draws.per_sample_uniform(
        tf.constant(index, tf.int64), tf.TensorShape((2, 3)), 0.2, seed, tf.float32
    )
    for row, i in zip(drawn, index, strict=True):
        own = tf.random.fold_in(key, tf.constant(i, tf.int64), **PHILOX)
        wanted = tf.random.stateless_uniform((2, 3), own, -0.2, 0.2, **PHILOX)
        np.testing.assert_array_equal(row, wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffles(seed):
    key = stream(seed, draws.SHUFFLE)
    keys = tf.random.stateless_uniform((4, 6), key, **PHILOX)
    drawn = draws.permutations(draws.stream(seed, draws.SHUFFLE), (4,), 6)
    np.testing.assert_array_equal(drawn, np.argsort(keys, axis=-1, kind="stable"))
