"""Mutual information of pairs of samples, estimated the same way whoever made the pairs."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from keras_uae._model_layers import output_of
from keras_uae.similarity import Similarity
from keras_uae.similarity.base import MUTUAL_INFORMATION

BATCH_SIZE = 500


def information(
    model: keras.Model,
    mine: Similarity,
    x: np.ndarray,
    found: uae.UAEs,
    itself: np.ndarray | None = None,
) -> dict[str, Any]:
    """What MINE says of examples: the attack's own estimates, and new ones, of x itself too.

    The last ones may be given, where several attacks have the same x.
    """
    figures: dict[str, Any] = {"pairs": pairs(model, mine, x), "images": len(x)}
    rows = found.success
    if rows.any():
        again = mutual_information(model, mine, x[rows], found.x[rows])
        itself = mutual_information(model, mine, x, x) if itself is None else itself
        figures |= {"mi_again": float(again.mean()), "mi_self": float(itself[rows].mean())}
        if found.measure == MUTUAL_INFORMATION:  # not of an attack on a distance
            figures["mi"] = float(found.similarity[rows].mean())
    return figures


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
        u, v = (_captured(model, mine, each[rows]) for each in (x, z))
        for seed in range(draws):
            values[rows] += _estimate(mine, x[rows], u, v, seed) / draws
    return values


def pairs(model: keras.Model, mine: Similarity, x: np.ndarray) -> int:
    """K, the number of pairs from which `mine` estimates for samples like those of x."""
    captured = _captured(model, mine, x[:1])
    drawn = mine.features.draw(tf.constant(0, tf.int64), captured)
    return int(mine.features.reference(drawn, captured).shape[2])


def _captured(model: keras.Model, mine: Similarity, x: np.ndarray) -> tf.Tensor:
    """What the estimator reads its features from."""
    return output_of(mine.features.source(model), model, tf.constant(x), "information")


def _estimate(
    mine: Similarity, x: np.ndarray, captured_x: tf.Tensor, captured_z: tf.Tensor, seed: int
) -> np.ndarray:
    key = tf.constant(-1 - seed, tf.int64)  # attacks take seeds from 0
    projection = mine.features.draw(key, captured_x)
    u = mine.features.reference(projection, captured_x)
    drawn = mine.draw(key, u.shape[1:], 1, u.dtype)
    state = mine.init(drawn, tf.constant(x), u)
    return mine.estimate(drawn, state, mine.features(projection, captured_z), tf.constant(0))[1]
