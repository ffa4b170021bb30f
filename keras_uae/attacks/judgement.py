"""Success of a model that draws noise: judged on draws that the search has not seen."""

import keras
import numpy as np
import tensorflow as tf

from keras_uae.attacks.loop import select
from keras_uae.criteria import Criterion

JUDGING_DRAWS = 16


def judged(
    criterion: Criterion, x: tf.Tensor, found: dict[str, tf.Tensor], y: tf.Tensor | None
) -> dict[str, tf.Tensor]:
    """The fields of `UAEs` anew: an example has a mean of f below 0 by two standard errors.

    The search sees one draw of the noise, which it may fit. `criterion` becomes the mean.
    """
    with keras.StatelessScope():  # one scope: every pass draws anew
        values = [
            criterion.value(criterion.reference(x, y), x, found["x"]) for _ in range(JUDGING_DRAWS)
        ]
    draws = tf.stack(values)
    mean, deviation = tf.reduce_mean(draws, 0), tf.math.reduce_std(draws, 0)
    success = found["success"] & (mean + 2 * deviation / JUDGING_DRAWS**0.5 <= 0)
    nan = tf.fill(tf.shape(mean), tf.constant(np.nan, mean.dtype))
    return {
        **found,
        "x": select(success, found["x"], x),
        "success": success,
        "similarity": select(success, found["similarity"], nan),
        "criterion": select(success, mean, nan),
        "iteration": found["iteration"] * tf.cast(success, tf.int32),
    }
