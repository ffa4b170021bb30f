"""PGDAttack: projected gradient descent on the criterion alone, the baseline of Algorithm 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import keras
import tensorflow as tf

from keras_uae._checks import By, Number, OrNone, Seed, check_boolean
from keras_uae._settings import register
from keras_uae._tensors import all_finite
from keras_uae.attacks import geometry
from keras_uae.attacks.base import AnyCriterion, Attack, Attacked, Epsilon, Found, Steps
from keras_uae.attacks.data_space import Bounds, Frozen, Units
from keras_uae.attacks.loop import Best, extended, outcome, repeat, select


class Descent(NamedTuple):
    """What one iteration hands to the next, a row for each sample."""

    z: tf.Tensor  # x + δ
    alive: tf.Tensor  # false once a value of the sample was not finite
    best: Best


def pgd(
    attack: PGDAttack,
    x: tf.Tensor,
    index: tf.Tensor,
    seed: tf.Tensor,
    y: tf.Tensor | None = None,
    trace: bool = False,
) -> Found:
    """Descend on the criterion for every sample of `x`; arguments and results as of `minmax`.

    Like there, each iteration looks at an iterate before it moves on: one pass of the model gives
    the criterion and its gradient.
    """
    alpha = 2.5 * attack.epsilon / attack.steps if attack.step_size is None else attack.step_size
    space = attack.space(x.shape[1:])
    low, high = geometry.feasible_box(x, attack.epsilon, space)
    reference = attack.evaluate(lambda: attack.f_reference(x, y))

    def look(z: tf.Tensor) -> tf.Tensor:
        return attack.evaluate(lambda: attack.f(reference, x, z))

    def judge(t: tf.Tensor, now: Descent, f: tf.Tensor, alive: tf.Tensor) -> Best:
        better = alive & (f < now.best.criterion) & (t > 0)  # δ₀ is no example
        return select(better, Best(now.z, f, tf.fill(tf.shape(f), t)), now.best)

    def iterate(t: tf.Tensor, now: Descent) -> tuple[Descent, dict[str, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(now.z)
            f = look(now.z)
        gradient = tape.gradient(f, now.z, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        alive = now.alive & tf.math.is_finite(f) & all_finite(gradient)
        step = geometry.in_units(alpha * tf.sign(gradient), space)
        z = tf.clip_by_value(now.z - step, low, high)
        following = Descent(select(alive, z, now.z), alive, judge(t, now, f, alive))
        return following, {"criterion": f}

    radius = attack.epsilon if attack.random_start else 0.0
    delta = geometry.initial_delta(x, index, radius, seed, space)
    start = Descent(
        z=tf.clip_by_value(x + delta, low, high),
        alive=tf.fill(tf.shape(x)[:1], True),
        best=Best.none(x),
    )
    names = ("criterion",) if trace else ()
    end, history = repeat(iterate, start, attack.steps, names, x.dtype)

    # δ_T is looked at, too, and moves no further
    f = look(end.z)
    alive = end.alive & tf.math.is_finite(f)
    best = judge(tf.constant(attack.steps), end, f, alive)
    found = outcome(x, best, alive, attack.margin)
    return found, extended(history, {"criterion": f}) if trace else {}


@register
class PGDAttack(Attack):
    """Finds inputs near x that the model handles better than x (projected gradient descent).

    For every sample of its own it solves

        min over δ of  f_x(x + δ)
        with |δ| ≤ ε and x + δ inside the data space

    by z ← clip(z − α·sign(∇f_x(z))), and returns the iterate z = x + δ with the least f_x, which is
    an example if f_x(z) ≤ 0 and z ≠ x. It goes on after the first one. T steps take T forward and
    T backward passes of the model, and hardly anything else. No labels are used.

    Args:
        model: Built `keras.Model` under attack, or any callable of Keras layers, such as
            `lambda x: decoder(encoder(x))`.
        criterion: Attack criterion f_x, or any callable `f(x, z) -> (batch,)`. Defaults to
            `None`: `Reconstruction()`, for which the model must be an autoencoder.
        epsilon: Float ε ≥ 0, largest |δ| of any value, see `units`. Defaults to `0.3`.
        steps: Integer T ≥ 1, iterations. Defaults to `40`.
        step_size: Float α ≥ 0, by how much a step changes each value. Defaults to `None`:
            2.5·ε/T, with which any point of the ball can be reached from any other.
        bounds, units, frozen_features, attacked: As of `MinMaxAttack`.
        random_start: Boolean, δ₀ is uniform in ±ε; otherwise 0. Defaults to `True`.
        seed: Integer, used when the layer is called. Defaults to `0`.

    Call arguments:
        x: Tensor `(batch, ...)` inside `bounds`.
        index: Integers `(batch,)`, the place of each sample in its data set, which keys δ₀.
            Defaults to `None`: its place in the batch.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.

    Returns:
        Tensor like `x`: the examples, and the original where none was found. No gradient flows
        through it. `generate` returns the rest as well; `similarity` and `multiplier`, which this
        attack has none of, are NaN there.

    Example:

        >>> attack = uae.PGDAttack(autoencoder, epsilon=0.1)
        >>> found = attack.generate(x_train, seed=0)
        >>> found.x.shape, found.success_rate

    Reference:
        [Madry et al., 2018](https://arxiv.org/abs/1706.06083).
    """

    step_size: float | None
    random_start: bool

    def __init__(
        self,
        model: keras.Model | Callable[..., Any],
        *,
        criterion: AnyCriterion = None,
        epsilon: Epsilon = 0.3,
        steps: Steps = 40,
        step_size: Annotated[float | None, OrNone(Number(0))] = None,
        bounds: Bounds = (0.0, 1.0),
        units: Units = "range",
        frozen_features: Frozen = None,
        attacked: Attacked = None,
        random_start: Annotated[bool, By(check_boolean)] = True,
        seed: Seed = 0,
        **kwargs: Any,
    ):
        super().__init__(model, locals(), **kwargs)

    run = pgd
