"""Training of classifiers that withstand L∞ perturbations: Madry et al. and TRADES."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from keras_uae import _draws as draws
from keras_uae._checks import check_bounds, check_integer, check_number, check_tensor
from keras_uae.attacks import geometry
from keras_uae.attacks.data_space import DataSpace
from keras_uae.attacks.loop import repeat

Objective = Callable[[tf.Tensor], tf.Tensor]


class RobustTraining(keras.Model):
    """Base of the trainings: a classifier, and the search for the worst inputs near its samples.

    A subclass gives where the search starts and what it climbs, and what to do with its outcome.
    """

    plain: ClassVar[tuple[str, ...]] = (
        *("epsilon", "step_size", "steps", "warm_up", "bounds", "seed"),
    )

    def __init__(
        self,
        classifier: keras.Model,
        *,
        epsilon: float = 0.3,
        step_size: float = 0.01,
        steps: int = 40,
        warm_up: int = 0,
        bounds: tuple[float, float] = (0.0, 1.0),
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.classifier = _check_classifier(owner, classifier)
        self.epsilon = check_number(owner, "epsilon", epsilon, 0)
        self.step_size = check_number(owner, "step_size", step_size, 0)
        self.steps = check_integer(owner, "steps", steps, 1)
        self.warm_up = check_integer(owner, "warm_up", warm_up, 0)
        self.bounds = check_bounds(owner, "bounds", bounds)
        self.seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
        self.supports_jit = False  # the loop is slower with XLA, and its draws are others
        self.built = True
        self._compiled = tf.function(self._isolated, autograph=False, reduce_retracing=True)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.classifier(inputs, training=training)

    def perturb(self, x: Any, y: Any = None, *, seed: Any = 0, share: Any = 1.0) -> tf.Tensor:
        """The inputs that a training step would use for `x`: the last iterates of the search.

        The classifier is called with `training=False`, and nothing of it changes.

        Args:
            x: Tensor `(batch, ...)` inside `bounds`.
            y: Integer labels `(batch,)`; `TRADES` does without.
            seed: Integer or integer scalar, fixes the random start. Defaults to `0`.
            share: Float in [0, 1], by which ε and α are multiplied. Defaults to `1`.
        """
        x = check_tensor(type(self).__name__, x, bounds=self.bounds)
        x = tf.cast(x, self.variable_dtype)
        y = None if y is None else _check_labels(type(self).__name__, y)
        return self._compiled(x, y, tf.cast(seed, tf.int64), tf.cast(share, x.dtype))

    def perturb_step(self, x: Any, y: Any = None) -> tf.Tensor:
        """`perturb` of the current training step."""
        return self.perturb(x, y, seed=self.step_seed(), share=self.step_share())

    def start(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """δ₀, with which the search from `x` starts at x + δ₀, clipped."""
        raise NotImplementedError

    def objective(self, x: tf.Tensor, y: tf.Tensor | None) -> Objective:
        """What the search climbs, one value a sample."""
        raise NotImplementedError

    def log_probabilities(self, x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Log-probabilities of the classes, `(batch, classes)`."""
        return self._normalize(self.classifier(x, training=training))

    def step_seed(self) -> tf.Tensor:
        """The seed of the current training step: a function of `seed` and the optimizer's count.

        So that a training goes on after a load as if it had never stopped.
        """
        return self.seed * 2**32 + tf.cast(self.optimizer.iterations, tf.int64)

    def step_share(self) -> tf.Tensor:
        """The part of ε that the current training step searches, 1 after `warm_up` steps."""
        step = tf.cast(self.optimizer.iterations + 1, self.variable_dtype)
        return tf.minimum(step / max(self.warm_up, 1), 1)

    def _normalize(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(tf.cast(logits, self.variable_dtype))

    def _isolated(
        self, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, share: tf.Tensor
    ) -> tf.Tensor:
        """The search, with no effect on the classifier nor on a gradient tape around it."""
        with keras.StatelessScope():
            z = self._search(x, y, seed, share)
        # stopped in here, or the tape would make the loop keep all of its intermediates
        return tf.stop_gradient(z)

    def _search(
        self, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, share: tf.Tensor
    ) -> tf.Tensor:
        """Ascend by the sign of the gradient, and stay in the ball and the data space."""
        space = DataSpace(*self.bounds, unit=1.0)  # ε is in the units of the data
        low, high = geometry.feasible_box(x, share * self.epsilon, space)
        objective = self.objective(x, y)

        def iterate(t: tf.Tensor, z: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            del t
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                value = objective(z)
            step = share * self.step_size * tf.sign(tape.gradient(value, z))
            return tf.clip_by_value(z + step, low, high), {}

        start = tf.clip_by_value(x + share * self.start(x, seed), low, high)
        z, _ = repeat(iterate, start, self.steps, (), x.dtype)
        return z

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            **{name: getattr(self, name) for name in self.plain},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested one apart
        config["classifier"] = keras.saving.deserialize_keras_object(
            config["classifier"], custom_objects=custom_objects
        )
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_uae")
class AdversarialTraining(RobustTraining):
    """Trains a classifier on perturbed inputs in place of the samples (Madry et al., 2018).

        min over θ of  mean of  max over |z − x| ≤ ε of  cross-entropy(z, y)

    The inner maximum is approached by T steps of size α along the sign of the gradient, from a
    uniform draw in the ball. The classifier is called with `training=False` there, and as in any
    training on the outcome. Compile it like the classifier, as `models.get_classifier(...).compile`
    does. `fit` reports loss and metrics on the perturbed inputs, `evaluate` on those it is given.

    Published training on MNIST: the default settings, Adam 1e-4, 100 000 steps, batch 50.

    Args:
        classifier: Built `keras.Model` that gives logits. It is what is trained.
        epsilon: Float ε ≥ 0, largest change of a value, in the units of the data. Defaults to
            `0.3`.
        step_size: Float α ≥ 0, by how much a step changes each value. Defaults to `0.01`.
        steps: Integer T ≥ 1. Defaults to `40`.
        warm_up: Integer, training steps over which ε and α grow evenly to their values. A training
            that starts with a large ε can end with one class for all inputs. Defaults to `0`.
        bounds: Pair of floats, lowest and highest value of the data. Defaults to `(0, 1)`.
        seed: Integer, fixes the random starts of all training steps. Defaults to `0`.

    Example:

        >>> recipe = models.get_classifier("mnist")
        >>> robust = recipe.compile(models.AdversarialTraining(recipe.build()))
        >>> robust.fit(x_train, y_train, batch_size=recipe.batch_size, epochs=recipe.epochs)
        >>> robust.classifier.save("robust.keras")

    Reference:
        [Madry et al., 2018](https://arxiv.org/abs/1706.06083).
    """

    def start(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        index = tf.range(tf.shape(x)[0], dtype=tf.int64)
        return geometry.initial_delta(x, index, self.epsilon, seed)

    def objective(self, x: tf.Tensor, y: tf.Tensor | None) -> Objective:
        del x
        if y is None:
            raise ValueError(
                "`y` of AdversarialTraining must be integer labels (batch,). Received: y=None."
            )

        def cross_entropy(z: tf.Tensor) -> tf.Tensor:
            return -tf.gather(self.log_probabilities(z), y, axis=1, batch_dims=1)

        return cross_entropy

    def train_step(self, data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        z = self.perturb_step(x, y)
        return super().train_step((z, y, sample_weight))


@keras.saving.register_keras_serializable(package="keras_uae")
class TRADES(RobustTraining):
    """Trains a classifier to be right on the samples, and of one mind around them (Zhang et al.).

        min over θ of  mean of  cross-entropy(x, y) + β max over |z − x| ≤ ε of  KL(p(x) ‖ p(z))

    The inner maximum is approached as in `AdversarialTraining`, but from x + 0.001·N(0, 1), for at
    x itself the gradient is 0. Gradients of θ flow through both p(x) and p(z), as published. The
    published code computes p(x) a second time for this, with another dropout mask; here one pass
    serves both terms. `fit` reports the whole loss, and metrics on the samples; `evaluate` the
    cross-entropy alone.

    Published training on MNIST: the default settings, SGD 0.01 with momentum 0.9 and a tenth of
    it from epoch 55 of 100 on, batch 128.

    Args:
        classifier: Built `keras.Model` that gives logits. It is what is trained.
        beta: Float β ≥ 0, weight of the divergence. Defaults to `6.0`.
        epsilon, step_size, steps, warm_up, bounds, seed: As of `AdversarialTraining`.

    Reference:
        [Zhang et al., 2019](https://arxiv.org/abs/1901.08573).
    """

    plain = ("beta", *RobustTraining.plain)

    def __init__(self, classifier: keras.Model, *, beta: float = 6.0, **settings: Any):
        super().__init__(classifier, **settings)
        self.beta = check_number("TRADES", "beta", beta, 0)

    def start(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        key = draws.stream(seed, draws.DELTA)
        return 0.001 * draws.normal(key, tf.shape(x), x.dtype)

    def objective(self, x: tf.Tensor, y: tf.Tensor | None) -> Objective:
        del y
        natural = self.log_probabilities(x)
        return lambda z: _divergence(natural, self.log_probabilities(z))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        if y is None:
            raise ValueError("`y` of TRADES must be the labels of the samples. Received: y=None.")
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        z = self.perturb_step(x)
        natural, perturbed = self._normalize(y_pred), self.log_probabilities(z, training=True)
        divergence = _divergence(natural, perturbed)
        if sample_weight is not None:
            divergence *= tf.cast(tf.reshape(sample_weight, [-1]), divergence.dtype)
        return loss + self.beta * tf.reduce_mean(divergence)


def _divergence(p: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
    """KL(p ‖ q) of every row, from log-probabilities."""
    return tf.reduce_sum(tf.exp(p) * (p - q), axis=-1)


def _check_classifier(owner: str, classifier: Any) -> keras.Model:
    if not isinstance(classifier, keras.Model) or not classifier.built:
        raise ValueError(
            f"`classifier` of {owner} must be a keras.Model that is built: give it an Input, or "
            f"call it once on a batch. Received: classifier={classifier!r}."
        )
    last = classifier.layers[-1] if classifier.layers else None
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax):  # which has none
        activation = keras.activations.softmax
    if activation in (keras.activations.softmax, keras.activations.sigmoid):
        raise ValueError(
            f"`classifier` of {owner} must give logits. Received: classifier {classifier.name!r}, "
            f"whose last layer has the activation {activation.__name__!r}."
        )
    return classifier


def _check_labels(owner: str, y: Any) -> tf.Tensor:
    """Labels `(batch,)`, of which Keras may have made a column."""
    y = tf.convert_to_tensor(y)
    if y.shape.rank not in (None, 1) and y.shape[1:].num_elements() != 1:
        raise ValueError(
            f"`y` of {owner} must be integer labels (batch,): of one-hot rows take "
            f"y.argmax(axis=-1), and a loss for integers. Received: y of shape {y.shape}."
        )
    return tf.cast(tf.reshape(y, [-1]), tf.int32)
