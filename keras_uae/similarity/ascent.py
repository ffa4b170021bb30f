"""Training the statistics network of MINE: gradient ascent by hand, in two equal forms.

* primal: the weights W_x, W_y themselves, K·d'·H multiplications a step and side;
* dual: gradient ascent moves W_y only inside the span of the v_k (W_y ← W_y + ηG_yVᵀ), so the
  pre-activations W_yV are all one needs: W_yV ← W_yV + ηG_y(VᵀV), K·K·H multiplications.
  For 16 feature maps of 28×28 that is 49 times less. u never moves, so W_x is never formed.

The inner loop consists of twenty small operations a step on arrays that fit the caches. XLA fuses
them and takes a third of the time (16 feature maps, two cores); it runs a call on one core, so
the batch is cut into parts: one a core, or more where a part would not fit the core's own cache.
Whatever needs all d' coordinates of v but no loop stays outside, where matrices are multiplied on
all cores. Every factor 1/s enters on the small side of a product: v is never scaled nor copied.
"""

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from keras_uae.similarity.donsker_varadhan import Shuffle, objective_gradients
from keras_uae.similarity.gradients import WithGradient, by_hand

# Bytes that a part of the batch may take: about a core's own cache.
_CACHE = 2**21
_FEW = 16  # pairs, up to which the batch goes last
_SOME = 128  # pairs, up to which a product shuffles them sooner than a gather


class PrimalState(NamedTuple):
    """θ weight by weight, and the u it is trained on."""

    u: tf.Tensor  # (1 or batch, d', K): 1 if all samples share it
    scale: tf.Tensor  # (batch, 1, 1): 1/s
    w_x: tf.Tensor  # (batch, H, d')
    w_y: tf.Tensor  # (batch, H, d')
    b: tf.Tensor  # (batch, H, 1)
    w: tf.Tensor  # (batch, H)


class DualState(NamedTuple):
    """θ with W_x and b known by their pre-activations alone."""

    gram_x: tf.Tensor  # (batch, K, K): UᵀU/s² + 1, the 1 being the bias' own input
    scale: tf.Tensor  # (batch, 1, 1): 1/s
    pre_x: tf.Tensor  # (batch, H, K): W_xU/s + b
    w_y: tf.Tensor  # (1 or batch, H, d'): 1 while all samples share θ₀
    w: tf.Tensor  # (batch, H)


class Estimate(NamedTuple):
    """θ after an ascent, and what it says, `(batch,)`, whose gradient in v holds θ fixed."""

    state: Any
    value: tf.Tensor


def ascend_primal(
    state: PrimalState, v: tf.Tensor, orders: tf.Tensor, report: tf.Tensor, eta: float
) -> Estimate:
    """One gradient step for each shuffle in `orders`, on the weights; the form for K > d'."""
    batched = (*state, tf.stop_gradient(v))
    w_x, w_y, b, w, value, on_pre_y = _in_parts(_train_primal, batched, (orders, report, eta))
    value = _differentiable(v, value, state.scale, w_y, on_pre_y)
    return Estimate(state._replace(w_x=w_x, w_y=w_y, b=b, w=w), value)


@by_hand
def _differentiable(
    v: tf.Tensor, value: tf.Tensor, scale: tf.Tensor, w_y: tf.Tensor, on_pre_y: tf.Tensor
) -> WithGradient:
    """`value`, computed already; its gradient in v is that to the pre-activations through W_y."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        on_v = upstream[:, tf.newaxis, tf.newaxis] * scale * on_pre_y
        return tf.matmul(w_y, on_v, transpose_a=True), None, None, None, None

    return tf.identity(value), gradient


@tf.function(jit_compile=True, autograph=False)
def _train_primal(
    u: tf.Tensor,
    scale: tf.Tensor,
    w_x: tf.Tensor,
    w_y: tf.Tensor,
    b: tf.Tensor,
    w: tf.Tensor,
    v: tf.Tensor,
    orders: tf.Tensor,
    report: tf.Tensor,
    eta: float,
) -> tuple[tf.Tensor, ...]:
    """W_x, W_y, b and w after the steps, I(θ), and its gradient to W_yV/s."""

    def forward(w_x: tf.Tensor, w_y: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return scale * _product(w_x, u) + b, scale * tf.matmul(w_y, v)

    def step(order: tf.Tensor, theta: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        w_x, w_y, b, w = theta
        on = objective_gradients(*forward(w_x, w_y, b), w, _taken(order, 2))
        return (
            w_x + eta * scale * _product(on.pre_x, u, transpose_b=True),
            w_y + eta * scale * tf.matmul(on.pre_y, v, transpose_b=True),
            b + eta * tf.reduce_sum(on.pre_x, axis=2, keepdims=True),
            w + eta * on.w,
        )

    w_x, w_y, b, w = _for_each(orders, step, (w_x, w_y, b, w[:, :, tf.newaxis]))
    final = objective_gradients(*forward(w_x, w_y, b), w, _taken(report, 2))
    return w_x, w_y, b, tf.squeeze(w, 2), final.value, final.pre_y


def _product(rows: tf.Tensor, samples: tf.Tensor, transpose_b: bool = False) -> tf.Tensor:
    """`tf.matmul`; with samples that the whole batch shares, one product of two large matrices."""
    if samples.shape[0] != 1:
        return tf.matmul(rows, samples, transpose_b=transpose_b)
    flat = tf.matmul(tf.reshape(rows, [-1, rows.shape[2]]), samples[0], transpose_b=transpose_b)
    return tf.reshape(flat, [-1, rows.shape[1], flat.shape[1]])


def ascend_dual(
    state: DualState, v: tf.Tensor, orders: tf.Tensor, report: tf.Tensor, eta: float
) -> Estimate:
    """The same steps on the pre-activations, by way of the Gram matrices of u and v."""
    fixed = tf.stop_gradient(v)
    gram_y = tf.matmul(fixed, fixed, transpose_a=True)
    raw_pre_y = tf.matmul(state.w_y, fixed)
    batched = (state.gram_x, gram_y, state.scale, state.pre_x, raw_pre_y, state.w)
    pre_x, learned, w, value, on_pre_y = _in_parts(_train_dual, batched, (orders, report, eta))
    w_y = state.w_y + tf.matmul(learned, fixed, transpose_b=True)
    value = _differentiable(v, value, state.scale, w_y, on_pre_y)
    return Estimate(state._replace(pre_x=pre_x, w_y=w_y, w=w), value)


@tf.function(jit_compile=True, autograph=False)
def _train_dual(
    gram_x: tf.Tensor,
    gram_y: tf.Tensor,
    scale: tf.Tensor,
    pre_x: tf.Tensor,
    raw_pre_y: tf.Tensor,
    w: tf.Tensor,
    orders: tf.Tensor,
    report: tf.Tensor,
    eta: float,
) -> tuple[tf.Tensor, ...]:
    """W_xU/s + b, `learned`, w after the steps; I(θ), and its gradient to W_yV/s.

    The weights are W_y = w_y + learned·Vᵀ by then.
    """
    gram_y = scale**2 * gram_y
    start = (pre_x, scale * raw_pre_y, tf.zeros_like(pre_x), w[:, :, tf.newaxis])
    few = pre_x.shape[2] <= _FEW
    if few:
        gram_x, gram_y = (_batch_last(each) for each in (gram_x, gram_y))
        start = tuple(map(_batch_last, start))
    product, pairs = (_summed, 0) if few else (tf.matmul, 2)

    def step(order: tf.Tensor, now: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        pre_x, pre_y, learned, w = now
        on = objective_gradients(pre_x, pre_y, w, _shuffle(order, pairs), pairs)
        return (
            pre_x + eta * product(on.pre_x, gram_x),
            pre_y + eta * product(on.pre_y, gram_y),
            learned + eta * on.pre_y,
            w + eta * on.w,
        )

    pre_x, pre_y, learned, w = _for_each(orders, step, start)
    final = objective_gradients(pre_x, pre_y, w, _shuffle(report, pairs), pairs)
    on_pre_y = final.pre_y
    if few:
        pre_x, learned, w, on_pre_y = map(_batch_first, (pre_x, learned, w, on_pre_y))
    return pre_x, scale * learned, tf.squeeze(w, 2), final.value, on_pre_y


def _batch_last(x: tf.Tensor) -> tf.Tensor:
    """`(batch, H, K)` to `(K, H, batch)`, where one operation does many samples."""
    return tf.transpose(x, [2, 1, 0])


_batch_first = _batch_last  # the way back is the same


def _summed(rows: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    """The product of `(K, H, batch)` and `(K, K, batch)`, each a matrix a sample.

    As a sum of K products it becomes one loop over the samples; a reduction takes eight times as
    long, and products of matrices this small, one after the other, twice.
    """
    return tf.add_n([rows[j, tf.newaxis] * gram[:, j, tf.newaxis] for j in range(rows.shape[0])])


def _shuffle(order: tf.Tensor, pairs: int) -> Shuffle:
    """Shuffles the pairs of arrays by the faster of two ways."""
    # a GPU may round what it multiplies
    product = pairs and order.shape[0] <= _SOME and not tf.config.list_physical_devices("GPU")
    return _multiplied(order) if product else _taken(order, pairs)


def _taken(order: tf.Tensor, pairs: int) -> Shuffle:
    back = tf.math.invert_permutation(order)
    return Shuffle(
        lambda x: tf.gather(x, order, axis=pairs), lambda x: tf.gather(x, back, axis=pairs)
    )


def _multiplied(order: tf.Tensor) -> Shuffle:
    """By products with a matrix of 0 and 1: XLA gathers along the last axis number by number."""

    def times(x: tf.Tensor, transpose_b: bool) -> tf.Tensor:
        matrix = tf.one_hot(order, order.shape[0], axis=0, dtype=x.dtype)
        return tf.reshape(
            tf.matmul(tf.reshape(x, [-1, x.shape[2]]), matrix, transpose_b=transpose_b), tf.shape(x)
        )

    return Shuffle(lambda x: times(x, False), lambda x: times(x, True))


def _in_parts(
    train: Callable[..., tuple[tf.Tensor, ...]],
    batched: tuple[tf.Tensor, ...],
    shared: tuple[Any, ...],
) -> list[tf.Tensor]:
    """`train` on parts of the batch, which run side by side."""
    sizes = _part_sizes(batched)
    if len(sizes) < 2:
        return list(train(*batched, *shared))
    # a single row is one that all samples share
    split = [[x] * len(sizes) if x.shape[0] == 1 else tf.split(x, sizes) for x in batched]
    done = [train(*part, *shared) for part in zip(*split, strict=True)]
    return [tf.concat(each, 0) for each in zip(*done, strict=True)]


def _part_sizes(batched: tuple[tf.Tensor, ...]) -> list[int]:
    """The fewest parts that occupy all cores, each in its own cache; equal ones if that is near.

    XLA compiles a part anew for every size.
    """
    batches = [each.shape[0] for each in batched]
    if None in batches:  # while a pipeline is traced, where no size is known
        return []
    size = sum(each.shape.num_elements() * each.dtype.size for each in batched)
    batch = max(batches)
    wanted = min(math.ceil(max(os.cpu_count() or 1, size / _CACHE)), batch)
    parts = next((n for n in range(wanted, 2 * wanted + 1) if batch % n == 0), wanted)
    return [batch // parts + (number < batch % parts) for number in range(parts)]


def _for_each(
    orders: tf.Tensor,
    step: Callable[[tf.Tensor, tuple[tf.Tensor, ...]], tuple[tf.Tensor, ...]],
    start: tuple[tf.Tensor, ...],
) -> tuple[tf.Tensor, ...]:
    """`step` for every row of `orders` in turn, as a loop of the graph."""
    count = orders.shape[0]
    return tf.while_loop(
        lambda i, *_: i < count,
        lambda i, *now: (i + 1, *step(orders[i], now)),
        (tf.constant(0), *start),
        maximum_iterations=count,
        parallel_iterations=1,
    )[1:]
