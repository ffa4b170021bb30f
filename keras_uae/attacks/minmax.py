"""MinMaxAttack and the loop of Algorithm 1, for a batch of samples, as one graph.

The paper's steps are shifted by half an iteration: each iteration looks at an iterate before it
moves on, so that criterion, features and gradient all come from one forward and one backward pass
of the model. T iterations cost what T steps of projected gradient descent cost, plus the
similarity's own work.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import Number, Seed, check_choice
from keras_uae._settings import register
from keras_uae._tensors import all_finite
from keras_uae.attacks import geometry
from keras_uae.attacks.base import AnyCriterion, Attacked, Epsilon, Found, Steps
from keras_uae.attacks.data_space import Bounds, Frozen, Units
from keras_uae.attacks.loop import Best, extended, outcome, repeat, select
from keras_uae.attacks.multiplier import GradientAscent
from keras_uae.attacks.presets import PRESETS
from keras_uae.attacks.similarity_attack import (
    InitialRadius,
    Objective,
    SimilarityAttack,
    StepRule,
    StepSize,
)


class Search(NamedTuple):
    """What one iteration hands to the next, a row for each sample."""

    z: tf.Tensor  # x + δ
    multiplier: Any  # state of the rule for c
    estimator: Any  # state of the similarity, with MINE its θ
    alive: tf.Tensor  # false once a value of the sample was not finite
    best: Best
    similarity: tf.Tensor  # of the best


class Look(NamedTuple):
    """What one pass of the model tells of an iterate."""

    f: tf.Tensor
    violation: tf.Tensor  # f⁺, in units of the range
    similarity: tf.Tensor
    c: tf.Tensor
    objective: tf.Tensor  # c·f⁺ ± I
    estimator: Any
    multiplier: Any
    restart: tf.Tensor | None  # whether δ starts anew


def minmax(
    attack: SimilarityAttack,
    x: tf.Tensor,
    index: tf.Tensor,
    seed: tf.Tensor,
    y: tf.Tensor | None = None,
    trace: bool = False,
) -> Found:
    """Run Algorithm 1 on every sample of `x`.

    Args:
        attack: The settings.
        x: Tensor `(batch, ...)`.
        index: Integers `(batch,)` that key δ₀.
        seed: Integer scalar.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.
        trace: Boolean, keep the history, of δ₀ to δ_T. Defaults to `False`.

    Returns:
        The fields of `UAEs` by name, and its trace (empty unless `trace`).
    """
    criterion, similarity, features = (
        attack.criterion,
        attack.similarity,
        attack.similarity.features,
    )
    sign = 1.0 if attack.objective == "minimize" else -1.0
    space = attack.space(x.shape[1:])
    low, high = geometry.feasible_box(x, attack.epsilon, space)
    unit_f, unit_i = (space.mean_unit**each.power for each in (criterion, similarity))
    rule = attack.multiplier_rule

    reference, captured = attack.observe(lambda: attack.f_reference(x, y), x)
    projection = features.draw(seed, captured)
    u = features.reference(projection, captured)
    drawn = similarity.draw(seed, u.shape[1:], attack.iterations + 1, x.dtype)

    def look(t: tf.Tensor, now: Search) -> Look:
        f, captured = attack.observe(lambda: attack.f(reference, x, now.z), now.z)
        violation = tf.nn.relu(f) / unit_f  # f⁺, whose gradient is 0 where f ≤ 0
        v = features(projection, captured)
        estimator, value = _pair(attack, similarity.estimate(drawn, now.estimator, v, t), x)
        c, multiplier, restart = rule.update(now.multiplier, violation, t)
        objective = c * violation + (sign / unit_i) * value
        return Look(f, violation, value, c, objective, estimator, multiplier, restart)

    def judge(t: tf.Tensor, now: Search, seen: Look, alive: tf.Tensor) -> tuple[Best, tf.Tensor]:
        move = rule.move(t)  # δ₀ is no example
        other, least = now.best.criterion > 0, sign * seen.similarity < sign * now.similarity
        # without an example the least f, which fresh draws of a model with noise may make one
        better = alive & tf.where(seen.f <= 0, other | least, seen.f < now.best.criterion)
        found = Best(now.z, seen.f, tf.fill(tf.shape(seen.f), move)), seen.similarity
        return select(better & (move > 0), found, (now.best, now.similarity))

    def iterate(t: tf.Tensor, now: Search) -> tuple[Search, dict[str, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(now.z)
            seen = look(t, now)
        gradient = tape.gradient(
            seen.objective, now.z, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradient = geometry.in_units(gradient, space)

        finite = tf.math.is_finite(seen.f) & tf.math.is_finite(seen.similarity)
        alive = now.alive & finite & all_finite(gradient)
        best, best_value = judge(t, now, seen, alive)
        alpha = geometry.step_length(
            attack.step_size, attack.step_rule, t % (attack.steps + 1), attack.steps, x.dtype
        )
        step = alpha * geometry.step_direction(gradient, attack.step_rule)
        z = tf.clip_by_value(now.z - geometry.in_units(step, space), low, high)
        if seen.restart is not None:
            z = select(tf.fill(batch, seen.restart), start.z, z)
        following = Search(
            z=select(alive, z, now.z),
            multiplier=select(alive, seen.multiplier, now.multiplier),
            estimator=seen.estimator,
            alive=alive,
            best=best,
            similarity=best_value,
        )
        if not trace:
            return following, {}
        gap = geometry.stationarity_gap(now.z, gradient, seen.violation, low, high, space)
        return following, {
            "similarity": seen.similarity,
            "criterion": seen.f,
            "multiplier": seen.c,
            "gap": gap,
        }

    batch = tf.shape(x)[:1]
    delta = geometry.initial_delta(x, index, attack.radius(x.shape[1:]), seed, space)
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

    # δ_T is looked at, too, and moves no further
    last = tf.constant(attack.iterations)
    seen = look(last, end)
    alive = end.alive & tf.math.is_finite(seen.f) & tf.math.is_finite(seen.similarity)
    best, value = judge(last, end, seen, alive)
    c = rule.value(select(alive, seen.multiplier, end.multiplier))
    found = outcome(x, best, alive, attack.margin, value, c)
    if not trace:
        return found, {}
    _, row = iterate(last, end)  # with its gradient, which the gap takes and nothing else
    return found, extended(history, row)


def _pair(attack: SimilarityAttack, estimate: Any, x: tf.Tensor) -> tuple[Any, tf.Tensor]:
    """What a similarity gives at an iteration, if it is a state and one value a sample of `x`."""
    if isinstance(estimate, tuple) and len(estimate) == 2:
        state, value = estimate
        if tf.convert_to_tensor(value).shape.is_compatible_with(x.shape[:1]):
            return state, value
    raise ValueError(
        f"`similarity` of {type(attack).__name__} must give its next state and one value a sample, "
        f"shape (batch,), in `estimate`. Received: {estimate!r} of {attack.similarity!r} for a "
        f"batch of {x.shape[0]}."
    )


@register
class MinMaxAttack(SimilarityAttack):
    """Finds inputs far from x that the model handles no worse than x (Algorithm 1).

    For every sample of its own it solves

        min over δ, max over c ≥ 0 of  c·f_x⁺(x + δ) + I(x, x + δ)
        with |δ| ≤ ε and x + δ inside the data space

    by projected gradient descent on δ and ascent on c, and returns the iterate x + δ with
    f_x(x + δ) ≤ 0 whose similarity I is least. No labels are used.

    Args:
        model: Built `keras.Model` under attack, or any callable of Keras layers, such as
            `lambda x: decoder(encoder(x))`.
        criterion: Attack criterion f_x, or any callable `f(x, z) -> (batch,)`. Defaults to
            `None`: `Reconstruction()`, for which the model must be an autoencoder.
        similarity: The objective I: a `Similarity` or one of "auto", "conv", "random",
            "bivariate", "gaussian", "l2", "cosine", "feature_scattering", "reconstruction_loss".
            Defaults to `"auto"`: "conv" if the first layer with a kernel that sees the input is a
            convolution, otherwise "gaussian".
        objective: "minimize" the similarity (unsupervised examples) or "maximize" it
            (supervised ones). Defaults to `"minimize"`.
        step_size: Float α ≥ 0, step of δ, see `units`. Defaults to `0.01`.
        multiplier_step_size: Float β in [0, 1], step of c. Defaults to `0.1`.
        epsilon: Float ε ≥ 0, largest |δ| of any value, see `units`. Defaults to `1.0`.
        steps: Integer T ≥ 1, iterations. Defaults to `40`.
        bounds: Lowest and highest value of the data: a pair of floats, a pair of arrays with a
            value for each feature, "data" for the least and largest of all values, or "features"
            for those of each feature, as `generate` finds them. Defaults to `(0, 1)`.
        units: "range": ε, α and the radius of δ₀ are fractions of high − low, so that data in
            (0, 255) and in (0, 1) give the same attack; "data": they are in the units of the data.
            Defaults to `"range"`.
        frozen_features: Places along the last axis, or booleans of the shape of a sample: features
            that never move, such as categorical codes. Defaults to `None`.
        attacked: Name or place of the input that is attacked, of a model with several; the others
            are held. Defaults to `None`: the only one.
        initial_radius: Float, δ₀ is uniform in ±radius; 0 starts at x itself, as the paper says;
            "glorot" takes the radius of a Glorot-uniform variable, as the published code does.
            At least 0.001 where the similarity has no gradient at x (the Gaussian form, distances).
            Defaults to `0.2`.
        initial_multiplier: Float c₀ ≥ 0. Defaults to `1000`: from 0, as the paper has it, the
            similarity wins for most of 40 iterations and many samples end without an example.
        step_rule: "max" divides the gradient by its largest entry, so that a step changes a
            value by at most α; "decaying" does so with steps that fall evenly from 2α to 0, whose
            mean is α; "sign" takes the sign of the gradient; "raw" takes it as it is, as the
            paper does. Defaults to `"decaying"`.
        seed: Integer, used when the layer is called. Defaults to `0`.

    Call arguments:
        x: Tensor `(batch, ...)` inside `bounds`.
        index: Integers `(batch,)`, the place of each sample in its data set, which keys δ₀.
            Defaults to `None`: its place in the batch.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.

    Returns:
        Tensor like `x`: the examples, and the original where none was found. No gradient flows
        through it. `generate` returns the rest as well, and judges examples of a model with noise
        on fresh draws, which a call does not. In a training step call the attack before the model:
        a call of a Keras layer clears the `losses` that its sublayers noted before.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder)
        >>> found = attack.generate(x_train, seed=0)
        >>> found.x.shape, found.success_rate

    Reference:
        [Hsu et al., 2022](https://arxiv.org/abs/2103.01895), Algorithm 1.
    """

    multiplier_step_size: float

    def __init__(
        self,
        model: keras.Model | Callable[..., Any],
        *,
        criterion: AnyCriterion = None,
        similarity: Any = "auto",
        objective: Objective = "minimize",
        step_size: StepSize = 0.01,
        multiplier_step_size: Annotated[float, Number(0, 1)] = 0.1,
        epsilon: Epsilon = 1.0,
        steps: Steps = 40,
        bounds: Bounds = (0.0, 1.0),
        units: Units = "range",
        frozen_features: Frozen = None,
        attacked: Attacked = None,
        initial_radius: InitialRadius = 0.2,
        initial_multiplier: Annotated[float, Number(0)] = 1000.0,
        step_rule: StepRule = "decaying",
        seed: Seed = 0,
        **kwargs: Any,
    ):
        super().__init__(model, locals(), **kwargs)

    run = minmax

    @property
    def multiplier_rule(self) -> GradientAscent:
        return GradientAscent(self.multiplier_step_size, self.initial_multiplier)

    @classmethod
    def from_preset(cls, preset: str, model: keras.Model, **settings: Any) -> Self:
        """The attack with the settings of a preset, any of them overridden by `settings`.

        Args:
            preset: "default", "augmentation" (small perturbations to train on), "paper" (the letter
                of Algorithm 1), "published_code" (δ₀, c₀ and squared norms as the authors' program
                has them) or "l2_uae" (the baseline that maximises the reconstruction loss).
            model: Built `keras.Model` under attack, or a callable.
            **settings: Keyword arguments of the class.
        """
        check_choice(cls.__name__, "preset", preset, PRESETS)
        return cls(model, **{**PRESETS[preset], **settings})
