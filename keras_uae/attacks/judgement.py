"""Success of a model that draws noise: judged on draws that the search has not seen."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_uae._tensors import l2_norm
from keras_uae.attacks.loop import where_found
from keras_uae.criteria import Criterion
from keras_uae.results import UAEs

SEARCH_DRAWS = 8  # over which the search takes the mean of f
JUDGING_DRAWS = 16
ROUNDS = 4  # of a search, each with the margin that the one before has lacked
_OVERSHOOT = 2  # of the margin and what was lacking
_APART = 7919  # steps of a generator between two draws


def bound(draws: list[tf.Tensor]) -> tf.Tensor:
    """Mean of draws `(batch,)` of f plus two standard errors of a mean over the judging ones.

    It is below 0 of an example. The search descends on it, too, by which 40 % of the examples of a
    VAE that samples hold on fresh draws in place of 20 %.
    """
    mean = tf.reduce_mean(draws, axis=0)
    # a norm whose gradient is finite where nothing varies
    deviation = l2_norm(tf.stack([each - mean for each in draws], axis=1)) / len(draws) ** 0.5
    return mean + 2 * deviation / JUDGING_DRAWS**0.5


def judged(
    criterion: Criterion,
    generators: Sequence[keras.Variable],
    x: tf.Tensor,
    found: dict[str, tf.Tensor],
    y: tf.Tensor | None,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """The fields of `UAEs` anew: an example has a mean of f below 0 by two standard errors.

    The search sees some draws of the noise, which it may fit. Each draw is the same for x and for
    the example, as far as its generator is Keras' own. `criterion` becomes the mean.

    Returns:
        The fields, and by how much f is too large for an example, `(batch,)`.
    """

    def fresh(draw: tf.Tensor) -> tf.Tensor:
        states = [(each, each + tf.cast(draw * _APART, each.dtype)) for each in generators]
        with keras.StatelessScope(states):
            reference = criterion.reference(x, y)
        with keras.StatelessScope(states):
            return tf.cast(criterion.value(reference, x, found["x"]), x.dtype)

    # a loop, so that the passes of a large model are traced once; one at a time, for the memory
    numbers, signature = tf.range(1, JUDGING_DRAWS + 1), tf.TensorSpec(x.shape[:1], x.dtype)
    draws = tf.unstack(
        tf.map_fn(fresh, numbers, fn_output_signature=signature, parallel_iterations=1)
    )
    lacking = bound(draws)
    success = found["success"] & (lacking <= 0)
    fields = where_found(success, x, {**found, "criterion": tf.reduce_mean(draws, axis=0)})
    return fields, tf.where(found["success"], tf.maximum(lacking, 0), 0)


def searched(
    search: Callable[[np.ndarray, np.ndarray], tuple[UAEs, np.ndarray]], rows: np.ndarray, size: int
) -> UAEs:
    """Search with more and more margin, f + margin ≤ 0, until the examples hold on fresh draws.

    Where no iterate has the margin, the one with the least f is judged. What fails is searched for
    again, gathered from several batches, since one takes as long for a few samples as for many.

    Args:
        search: Function of some rows and the margin of each, which gives what it finds for them,
            and by how much f is too large on fresh draws (see `judged`).
        rows: Places of the samples.
        size: The most of them that a search takes.
    """
    margin, lacking = np.zeros((2, len(rows)))
    best: dict[str, np.ndarray] = {}
    left, measure = np.arange(len(rows)), ""
    for _ in range(ROUNDS):
        for start in range(0, len(left), size):
            part = left[start : start + size]
            found, lacking[part] = search(rows[part], margin[part])
            measure = found.measure
            for name, values in found.arrays().items():
                shape = len(rows), *values.shape[1:]
                best.setdefault(name, np.empty(shape, values.dtype))[part] = values
        left = np.flatnonzero(lacking)
        margin[left] = _OVERSHOOT * (margin + lacking)[left]
    return UAEs.from_arrays(best, measure)
