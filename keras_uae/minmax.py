"""The loop of Algorithm 1 (MinMax attack), for a batch of samples, as one graph.

With another rule for c it is the loop of the penalty-based attack (Algorithm 3).

The paper's steps are shifted by half an iteration: each iteration looks at an iterate before it
moves on, so that criterion, features and gradient all come from one forward and one backward pass
of the model. T iterations cost what T steps of projected gradient descent cost, plus the
similarity's own work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_uae import geometry
from keras_uae.geometry import all_finite
from keras_uae.loop import Best, outcome, repeat, select
from keras_uae.model_layers import capture

if TYPE_CHECKING:
    from keras_uae.similarity_attack import SimilarityAttack


class Search(NamedTuple):
    """What one iteration hands to the next, a row for each sample."""

    z: tf.Tensor  # x + δ
    multiplier: Any  # state of the rule for c
    estimator: Any  # state of the similarity, with MINE its θ
    alive: tf.Tensor  # false once a value of the sample was not finite
    best: Best
    similarity: tf.Tensor  # of the best


def minmax(
    attack: SimilarityAttack,
    x: tf.Tensor,
    index: tf.Tensor,
    seed: tf.Tensor,
    y: tf.Tensor | None = None,
    trace: bool = False,
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Run Algorithm 1 on every sample of `x`.

    Args:
        attack: The settings.
        x: Tensor `(batch, ...)`.
        index: Integers `(batch,)` that key δ₀.
        seed: Integer scalar.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.
        trace: Boolean, keep the history. Defaults to `False`.

    Returns:
        The fields of `UAEs` by name, and its trace (empty unless `trace`).
    """
    criterion, similarity, features = (
        attack.criterion,
        attack.similarity,
        attack.similarity.features,
    )
    sign = 1.0 if attack.objective == "minimize" else -1.0
    low, high = geometry.feasible_box(x, attack.epsilon, attack.bounds)

    reference, captured = _observe(attack, lambda: criterion.reference(x, y), x)
    projection = features.draw(seed, captured)
    u = features.reference(projection, captured)
    drawn = similarity.draw(seed, u.shape[1:], attack.iterations, x.dtype)
    rule = attack.multiplier_rule

    def iterate(t: tf.Tensor, now: Search) -> tuple[Search, dict[str, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(now.z)
            f, captured = _observe(attack, lambda: criterion.value(reference, x, now.z), now.z)
            violation = tf.nn.relu(f)  # f⁺, whose gradient is 0 where f ≤ 0
            v = features(projection, captured)
            estimator, value = similarity.estimate(drawn, now.estimator, v, t)
            c, multiplier, restart = rule.update(now.multiplier, violation, t)
            objective = c * violation + sign * value
        gradient = tape.gradient(
            objective, now.z, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

        alive = now.alive & tf.math.is_finite(f) & tf.math.is_finite(value) & all_finite(gradient)
        better = alive & (f <= 0) & (sign * value < sign * now.similarity)
        best, best_value = select(
            better, (Best(now.z, f, tf.fill(tf.shape(f), t + 1)), value), (now.best, now.similarity)
        )
        step = attack.step_size * geometry.step_direction(gradient, attack.step_rule)
        z = tf.clip_by_value(now.z - step, low, high)
        if restart is not None:
            z = select(tf.fill(batch, restart), start.z, z)
        following = Search(
            z=select(alive, z, now.z),
            multiplier=select(alive, multiplier, now.multiplier),
            estimator=estimator,
            alive=alive,
            best=best,
            similarity=best_value,
        )
        if not trace:
            return following, {}
        gap = geometry.stationarity_gap(now.z, gradient, violation, low, high)
        return following, {"similarity": value, "criterion": f, "multiplier": c, "gap": gap}

    batch = tf.shape(x)[:1]
    delta = geometry.initial_delta(x, index, attack.radius(x.shape[1:]), seed)
    start = Search(
        z=tf.clip_by_value(x + delta, low, high),
        multiplier=rule.start(batch, x.dtype),
        estimator=similarity.init(drawn, x, u),
        alive=tf.fill(batch, True),
        best=Best.none(x),
        similarity=tf.fill(batch, tf.constant(sign * np.inf, x.dtype)),
    )
    names = ("similarity", "criterion", "multiplier", "gap") if trace else ()
    end, history = repeat(iterate, start, attack.iterations, names, x.dtype)
    return outcome(x, end.best, end.alive, end.similarity, rule.value(end.multiplier)), history


def _observe(
    attack: SimilarityAttack, evaluate: Callable[[], Any], z: tf.Tensor
) -> tuple[Any, tf.Tensor]:
    """What `evaluate` returns, and what the similarity reads of the same pass of the model."""
    source = attack.source
    with capture(source) as seen:
        result = evaluate()
    if source is None:
        return result, z
    if not (attack.criterion.one_pass and len(seen) == 1):
        # the criterion evaluates something else than z: pass z itself as far as the source
        with capture(source) as seen:
            attack.model(z, training=False)
    return result, tf.cast(seen[0], z.dtype)
