"""What the loops of all attacks share: the iterations, the best iterate, the outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_uae._tensors import flatten


class Best(NamedTuple):
    """The best iterate so far of every sample; iteration 0 stands for none."""

    z: tf.Tensor
    criterion: tf.Tensor
    iteration: tf.Tensor

    @classmethod
    def none(cls, x: tf.Tensor) -> Best:
        """What there is before the first iteration."""
        batch = tf.shape(x)[:1]
        return cls(x, tf.fill(batch, tf.constant(np.inf, x.dtype)), tf.zeros(batch, tf.int32))


def select(rows: tf.Tensor, new: Any, old: Any) -> Any:
    """Nest of tensors `(batch, ...)`: the samples `rows` of `new`, the others of `old`."""
    # Select copies row by row; tf.where, which broadcasts, takes four times as long
    return tf.nest.map_structure(lambda x, y: tf.raw_ops.Select(condition=rows, x=x, y=y), new, old)


def repeat(
    iterate: Callable[[tf.Tensor, Any], tuple[Any, dict[str, tf.Tensor]]],
    start: Any,
    steps: int,
    names: tuple[str, ...],
    dtype: tf.DType,
) -> tuple[Any, dict[str, tf.Tensor]]:
    """`iterate(t, state)`, t from 0, as one loop of a graph.

    Each iteration gives the next state and, for every one of `names`, values `(batch,)`, which
    come back as `(batch, steps)`.
    """

    # An iteration is a function that is not inlined, so that its graph has no cycle. In that of
    # the whole loop it is left to chance in which order TensorFlow looks for operations that
    # oneDNN can do, and by that whether it finds the gradient of max pooling: without it, PGD on
    # a convolutional autoencoder takes a sixth longer.
    iterate = tf.function(iterate, autograph=False, experimental_attributes={"_noinline": True})

    def body(t: tf.Tensor, now: Any, history: Any) -> tuple[tf.Tensor, Any, Any]:
        following, row = iterate(t, now)
        return t + 1, following, {name: history[name].write(t, row[name]) for name in names}

    _, end, history = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), start, {name: tf.TensorArray(dtype, steps) for name in names}),
        parallel_iterations=1,
    )
    return end, {name: tf.transpose(history[name].stack()) for name in names}


def extended(history: dict[str, tf.Tensor], row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`history` with one more iterate, of which `row` tells."""
    return {
        name: tf.concat([values, row[name][:, tf.newaxis]], axis=1)
        for name, values in history.items()
    }


def outcome(
    x: tf.Tensor,
    best: Best,
    alive: tf.Tensor,
    margin: tf.Tensor | None = None,
    similarity: tf.Tensor | None = None,
    multiplier: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """The fields of `UAEs`; an example that equals its original is none.

    One that lacks some of the `margin` that was asked for is one all the same.
    """
    moved = tf.reduce_any(flatten(best.z) != flatten(x), axis=1)
    success = (best.criterion <= (0 if margin is None else margin)) & moved
    nan = no_value(success, x.dtype)
    fields = {
        "x": best.z,
        "similarity": nan if similarity is None else similarity,
        "criterion": best.criterion,
        "multiplier": nan if multiplier is None else multiplier,
        "iteration": best.iteration,
        "frozen": ~alive,
    }
    return where_found(success, x, fields)


def where_found(
    success: tf.Tensor, x: tf.Tensor, fields: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The fields of `UAEs`, where `success` is false with the original, NaN and iteration 0."""
    nan = no_value(success, x.dtype)
    return {
        **fields,
        "x": select(success, fields["x"], x),
        "success": success,
        "similarity": select(success, fields["similarity"], nan),
        "criterion": select(success, fields["criterion"], nan),
        "iteration": fields["iteration"] * tf.cast(success, tf.int32),
    }


def no_value(like: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """NaN for every sample."""
    return tf.fill(tf.shape(like), tf.constant(np.nan, dtype))
