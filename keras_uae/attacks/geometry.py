"""The pure functions of one attack step: where δ starts, how far it goes, where it must stay.

And how near it is to where it would stay by itself.
"""

import numpy as np
import tensorflow as tf

from keras_uae._draws import per_sample_uniform
from keras_uae._tensors import expand, flatten
from keras_uae.attacks.data_space import UNIT_INTERVAL, DataSpace

STEP_RULES = ("decaying", "max", "raw", "sign")


def feasible_box(x: tf.Tensor, epsilon: float, space: DataSpace) -> tuple[tf.Tensor, tf.Tensor]:
    """Lowest and highest z = x + δ with |δ| ≤ ε inside the data space (steps 5 and 6)."""
    radius = epsilon * space.unit
    low, high = tf.maximum(x - radius, space.low), tf.minimum(x + radius, space.high)
    if space.free is not None:
        low, high = (tf.where(space.free, each, x) for each in (low, high))
    return low, high


def glorot_radius(shape: tuple[int, ...]) -> float:
    """Half width of a Glorot-uniform draw for a variable of `shape`; 0.086 for 28×28×1."""
    field = 1
    for size in shape[:-2]:
        field *= size
    fans = shape[-1] + (shape[-2] if len(shape) > 1 else shape[-1])
    return (6.0 / (field * fans)) ** 0.5


def initial_delta(
    x: tf.Tensor,
    index: tf.Tensor,
    radius: float,
    seed: tf.Tensor,
    space: DataSpace = UNIT_INTERVAL,
) -> tf.Tensor:
    """δ₀: uniform in ±radius, drawn for each sample from (seed, its index) alone."""
    if radius == 0:
        return tf.zeros_like(x)
    return in_units(per_sample_uniform(index, x.shape[1:], radius, seed, x.dtype), space)


def in_units(values: tf.Tensor, space: DataSpace) -> tf.Tensor:
    """What is measured in units of the range, in those of the data; a gradient the other way."""
    if np.ndim(space.unit) == 0 and space.unit == 1:
        return values
    return values * tf.constant(space.unit, values.dtype)


def step_direction(gradient: tf.Tensor, rule: str) -> tf.Tensor:
    """The gradient as it is ("raw"), its sign ("sign"), or else over its largest entry."""
    if rule == "raw":
        return gradient
    if rule == "sign":
        return tf.sign(gradient)
    largest = tf.reduce_max(tf.abs(flatten(gradient)), axis=1)
    # 1/largest by hand: a sample with gradient 0 stays where it is
    return gradient * expand(tf.math.divide_no_nan(tf.ones_like(largest), largest), gradient)


def step_length(size: float, rule: str, t: tf.Tensor, steps: int, dtype: tf.DType) -> tf.Tensor:
    """α of step t, counted from 0, of `steps`: `size`, or falling evenly with `size` as its mean.

    Steps of one length end by going to and fro about f = 0. From c₀ = 100 those that fall find an
    example of 95 % of the rows of a table in place of 93 %, and of 85 % of the series of an LSTM
    that hardly sees them in place of 82 %, as far from x; c₀ = 1000 makes both 99 %.
    """
    if rule != "decaying":
        return tf.constant(size, dtype)
    return 2 * size / (steps + 1) * tf.cast(steps - t, dtype)


def stationarity_gap(
    z: tf.Tensor,
    gradient: tf.Tensor,
    violation: tf.Tensor,
    low: tf.Tensor,
    high: tf.Tensor,
    space: DataSpace = UNIT_INTERVAL,
) -> tf.Tensor:
    """‖L(δ, c)‖ of Theorem 1, `(batch,)`: the proximal gradients of both players.

    L = (δ − P[δ − ∇_δ F], c − P[c + ∇_c F]) with F = c·f⁺ + I, in units of the range. F is linear
    in c, whose bound is as large as one likes, so that the second part is −f⁺. Zero where no player
    gains by a step.

    Args:
        z: Tensor `(batch, ...)`, x + δ.
        gradient: Tensor like `z`, ∇_δ F in units of the range.
        violation: Tensor `(batch,)`, f⁺.
        low, high: Tensors like `z`, the lowest and highest z that is allowed.
        space: The units. Defaults to those of (0, 1).
    """
    moved = z - tf.clip_by_value(z - in_units(gradient, space), low, high)
    square = tf.math.divide_no_nan(moved, in_units(tf.ones_like(moved), space)) ** 2
    return tf.sqrt(tf.reduce_sum(flatten(square), axis=1) + violation**2)
