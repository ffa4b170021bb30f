"""mutual_information: how much two samples share, by an estimator that is trained to the end.

The twenty steps that an attack trains an estimator for are enough to rank iterates, no more. Here
it is trained until its value for pairs (u_k, v_k) that it has not seen stops rising, and judged by
n pairs that decided nothing before: a value between 0 and log n, on average a lower bound.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import check_integer, check_samples, check_squares
from keras_uae._model_layers import output_of
from keras_uae.similarity.ascent import PrimalState, ascend_primal
from keras_uae.similarity.base import MUTUAL_INFORMATION, Similarity
from keras_uae.similarity.donsker_varadhan import donsker_varadhan
from keras_uae.similarity.features import BivariateSampling, FeatureMap, RandomSampling
from keras_uae.similarity.mine import MINE

_OWNER = "mutual_information"
_BLOCK = 100  # ascent steps between two looks at unseen pairs
_SHORT_BLOCK = 20  # where pairs are few, and soon known by heart
_PATIENCE = 5  # looks without a rise before training ends
_LONGEST = 60  # looks
_DRAWN, _UNSEEN = 1024, 8192  # pairs to train on and to look at, where they are drawn
_FOLDS = 4  # parts of the pairs, where there are no others: one to look at, one to be judged by
_SHIFTS = 8  # of the v_k against the u_k, for pairs that do not belong together

Pairs = tuple[tf.Tensor, tf.Tensor]  # u and v, (batch, d', K)


def measured(
    similarity: Similarity, model: keras.Model | None, x: Any, z: Any, *, seed: int, batch_size: int
) -> np.ndarray:
    """What `mutual_information` returns, for an object."""
    owner = _OWNER
    if similarity.measure != MUTUAL_INFORMATION:
        raise ValueError(
            f"`similarity` of {owner} must estimate mutual information. "
            f"Received: similarity={similarity!r}, which is a {similarity.measure}."
        )
    reads_input = type(similarity.features).source is FeatureMap.source
    if model is None and not reads_input:
        raise ValueError(
            f"`model` of {owner} must be given where {similarity.features!r} are compared. "
            "Received: model=None."
        )
    pair = (
        check_samples(owner, each, bounds=(-math.inf, math.inf), name=name)
        for name, each in (("x", x), ("z", z))
    )
    x, z = pair
    if x.shape != z.shape:
        raise ValueError(
            f"`z` of {owner} must have the shape of `x`, {x.shape}. Received: z of shape {z.shape}."
        )
    for name, each in (("x", x), ("z", z)) if model is None else ():
        most = max(float(each.max()), -float(each.min()))
        if most:  # zeros share nothing
            check_squares(name, most, most, math.prod(x.shape[1:]), keras.config.floatx())
    seed = check_integer(owner, "seed", seed, 0, 2**31 - 1)
    size = check_integer(owner, "batch_size", batch_size, 1)
    values = []
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        batch = [tf.constant(np.asarray(each[rows]), keras.config.floatx()) for each in (x, z)]
        values.append(_measure_batch(similarity, model, batch, seed))
    return np.concatenate(values)


def _measure_batch(
    similarity: Similarity, model: keras.Model | None, batch: list[tf.Tensor], seed: int
) -> np.ndarray:
    source = None if model is None else similarity.features.source(model, batch[0][:2])
    captured = [each if model is None else output_of(source, model, each, _OWNER) for each in batch]
    if not isinstance(similarity, MINE):  # a closed form: nothing is trained
        (u, v), zero = _pairs(similarity.features, captured, seed), tf.constant(0)
        drawn = similarity.draw(tf.constant(seed, tf.int64), u.shape[1:], 1, u.dtype)
        return similarity.estimate(drawn, similarity.init(drawn, batch[0], u), v, zero)[1].numpy()
    features = similarity.features
    values = [_trained(similarity, split, seed) for split in _splits(features, captured, seed)]
    # the d' coordinates of a projection are independent, with one law: d' times the same
    copies = features.dimension if isinstance(features, RandomSampling) else 1
    return copies * np.mean(values, axis=0)


def _pairs(features: FeatureMap, captured: list[tf.Tensor], seed: int) -> Pairs:
    drawn = features.draw(tf.constant(seed, tf.int64), captured[0])
    v = features(drawn, captured[1])
    u = features.reference(drawn, captured[0])
    return tf.broadcast_to(u, tf.shape(v)), v


class _Split(NamedTuple):
    """Pairs to train on, a set for each look; to look at; and to be judged by."""

    training: Callable[[int], Pairs]
    unseen: Pairs
    judges: Pairs
    block: int


def _splits(features: FeatureMap, captured: list[tf.Tensor], seed: int) -> Iterator[_Split]:
    if isinstance(features, RandomSampling):  # as many pairs as one likes, of one coordinate

        def draw(number: int, samples: int) -> Pairs:
            law = BivariateSampling(samples=samples, dimension=1)
            key = np.random.default_rng((seed, number)).integers(2**31)
            return _pairs(law, captured, int(key))

        sets = draw(0, _UNSEEN), draw(1, _UNSEEN)
        yield _Split(lambda look: draw(2 + look, _DRAWN), *sets, _BLOCK)
        return
    u, v = _pairs(features, captured, seed)
    count = u.shape[2]
    if count < 2 * _FOLDS:
        raise ValueError(
            f"`similarity` of mutual_information must have {2 * _FOLDS} pairs (u_k, v_k) or more "
            f"to train on; 'gaussian' needs none. Received: {features!r} with {count}."
        )
    parts = np.array_split(np.random.default_rng(seed).permutation(count), _FOLDS)
    for _ in parts:
        rest = np.sort(np.concatenate(parts[2:]))
        known, unseen, judges = (
            (tf.gather(u, rows, axis=2), tf.gather(v, rows, axis=2)) for rows in (rest, *parts[:2])
        )
        yield _Split(lambda look, known=known: known, unseen, judges, _SHORT_BLOCK)  # type: ignore[misc]
        parts = [*parts[1:], parts[0]]


def _trained(mine: MINE, split: _Split, seed: int) -> np.ndarray:
    """The value for the judges of the θ of each sample with the greatest one for unseen pairs."""
    mine = dataclasses.replace(mine, form="primal", warm_start=True, steps=split.block)
    u, v = split.training(0)
    drawn = mine.draw(tf.constant(seed, tf.int64), u.shape[1:], _LONGEST, u.dtype)
    *_, orders, report = drawn
    initial = mine.init(drawn, u, u)
    if not isinstance(initial, PrimalState):
        raise TypeError("the primal form is asked for above")
    state = best = initial
    top = tf.fill(tf.shape(u)[:1], tf.constant(0, u.dtype))  # an untrained network says 0
    since = tf.zeros_like(top, tf.int32)
    for look in range(_LONGEST):
        if look:
            u, v = split.training(look)
        state = ascend_primal(
            state._replace(u=u), v, orders[look], report, mine.learning_rate
        ).state
        value = _value(state, split.unseen)
        # each sample ends by itself, so that its value does not depend on the others
        rises = (since < _PATIENCE) & (value > top)
        best = PrimalState(*(_select(rises, *pair) for pair in zip(state, best, strict=True)))
        top, since = tf.where(rises, value, top), tf.where(rises, 0, since + 1)
        if tf.reduce_all(since >= _PATIENCE):
            break
    # information is not negative, whatever a few judges say
    return np.maximum(_value(best, split.judges), 0)


def _select(rows: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.reshape(rows, [-1, *[1] * (new.shape.rank - 1)]), new, old)


@tf.function(autograph=False)
def _value(state: PrimalState, pairs: Pairs) -> tf.Tensor:
    """I(θ) for n pairs, each u_k being set against other v_k by shifts, and against its own.

    Among all n² pairs those that belong together are one in n. With them the value is log n at
    most, however large T, and on average no greater than the information (it is below InfoNCE).
    Without, a network that tells a few pairs apart says as much as T is large.
    """
    u, v = pairs
    pre_x = state.scale * tf.matmul(state.w_x, u) + state.b
    pre_y = state.scale * tf.matmul(state.w_y, v)

    def statistic(shift: int) -> tf.Tensor:
        hidden = tf.nn.relu(pre_x + tf.roll(pre_y, shift, axis=2))
        return tf.reduce_sum(hidden * state.w[:, :, tf.newaxis], axis=1)

    count = u.shape[2]
    shifts = min(_SHIFTS, count - 1)
    own = statistic(0)
    others = tf.concat([statistic(1 + each) for each in range(shifts)], axis=1)
    # log weights, whose exp is 1 on average: 1/n for the own ones, the rest for the others
    on_own = math.log((shifts + 1) / count)
    on_others = math.log((shifts + 1) / shifts * (1 - 1 / count))
    return donsker_varadhan(own, tf.concat([own + on_own, others + on_others], axis=1))
