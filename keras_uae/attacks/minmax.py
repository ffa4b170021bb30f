"""MinMaxAttack and the loop of Algorithm 1, for a batch of samples, as one graph.

The paper's steps are shifted by half an iteration: each iteration looks at an iterate before it
moves on, so that criterion, features and gradient all come from one forward and one backward pass
of the model. T iterations cost what T steps of projected gradient descent cost, plus the
similarity's own work.
"""

from typing import Annotated, Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import Bounds, Number, Seed, check_choice
from keras_uae._settings import register
from keras_uae._tensors import all_finite
from keras_uae.attacks import geometry
from keras_uae.attacks.base import AnyCriterion, Epsilon, Found, Steps
from keras_uae.attacks.loop import Best, outcome, repeat, select
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

    reference, captured = attack.observe(lambda: criterion.reference(x, y), x)
    projection = features.draw(seed, captured)
    u = features.reference(projection, captured)
    drawn = similarity.draw(seed, u.shape[1:], attack.iterations, x.dtype)
    rule = attack.multiplier_rule

    def iterate(t: tf.Tensor, now: Search) -> tuple[Search, dict[str, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(now.z)
            f, captured = attack.observe(lambda: criterion.value(reference, x, now.z), now.z)
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


@register
class MinMaxAttack(SimilarityAttack):
    """Finds inputs far from x that the model handles no worse than x (Algorithm 1).

    For every sample of its own it solves

        min over δ, max over c ≥ 0 of  c·f_x⁺(x + δ) + I(x, x + δ)
        with |δ| ≤ ε and x + δ inside the data space

    by projected gradient descent on δ and ascent on c, and returns the iterate x + δ with
    f_x(x + δ) ≤ 0 whose similarity I is least. No labels are used.

    Args:
        model: Built `keras.Model` under attack.
        criterion: Attack criterion f_x, or any callable `f(x, z) -> (batch,)`. Defaults to
            `None`: `Reconstruction()`, for which the model must be an autoencoder.
        similarity: The objective I: a `Similarity` or one of "auto", "conv", "random",
            "bivariate", "gaussian", "l2", "cosine", "feature_scattering", "reconstruction_loss".
            Defaults to `"auto"`: "conv" if the model starts with a convolution, otherwise "random".
        objective: "minimize" the similarity (unsupervised examples) or "maximize" it
            (supervised ones). Defaults to `"minimize"`.
        step_size: Float α ≥ 0, step of δ. Defaults to `0.01`.
        multiplier_step_size: Float β in [0, 1], step of c. Defaults to `0.1`.
        epsilon: Float ε ≥ 0, largest |δ| of any value. Defaults to `1.0`.
        steps: Integer T ≥ 1, iterations. Defaults to `40`.
        bounds: Pair of floats, lowest and highest value of the data. Defaults to `(0, 1)`.
        initial_radius: Float, δ₀ is uniform in ±radius; 0 starts at x itself, as the paper says;
            "glorot" takes the radius of a Glorot-uniform variable, as the published code does.
            Defaults to `0.2`.
        initial_multiplier: Float c₀ ≥ 0. Defaults to `0`.
        step_rule: "max" divides the gradient by its largest entry, so that a step changes a
            value by at most α; "sign" takes its sign; "raw" takes it as it is, as the paper
            does. Defaults to `"max"`.
        seed: Integer, used when the layer is called. Defaults to `0`.

    Call arguments:
        x: Tensor `(batch, ...)` inside `bounds`.
        index: Integers `(batch,)`, the place of each sample in its data set, which keys δ₀.
            Defaults to `None`: its place in the batch.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.

    Returns:
        Tensor like `x`: the examples, and the original where none was found. No gradient flows
        through it. `generate` returns the rest as well. In a training step call the attack before
        the model: a call of a Keras layer clears the `losses` that its sublayers noted before.

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
        model: keras.Model,
        *,
        criterion: AnyCriterion = None,
        similarity: Any = "auto",
        objective: Objective = "minimize",
        step_size: StepSize = 0.01,
        multiplier_step_size: Annotated[float, Number(0, 1)] = 0.1,
        epsilon: Epsilon = 1.0,
        steps: Steps = 40,
        bounds: Bounds = (0.0, 1.0),
        initial_radius: InitialRadius = 0.2,
        initial_multiplier: Annotated[float, Number(0)] = 0.0,
        step_rule: StepRule = "max",
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
            preset: "default", "paper" (the letter of Algorithm 1), "published_code" (δ₀, c₀ and
                squared norms as the authors' program has them) or "l2_uae" (the baseline that
                maximises the reconstruction loss).
            model: Built `keras.Model` under attack.
            **settings: Keyword arguments of the class.
        """
        check_choice(cls.__name__, "preset", preset, PRESETS)
        return cls(model, **{**PRESETS[preset], **settings})
