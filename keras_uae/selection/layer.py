"""ConcreteSelect: a layer that learns which of its input's features to keep."""

from typing import Annotated, Any

import keras
import tensorflow as tf

from keras_uae._checks import Choice, Integer, Number, OrNone, check_number
from keras_uae._settings import keep, register

GRADIENT_ESTIMATORS = ("gumbel_softmax", "straight_through")
TINY = keras.config.epsilon()


def concrete_weights(
    logits: tf.Tensor,
    uniform: tf.Tensor,
    temperature: tf.Tensor | float,
    gradient_estimator: str = "gumbel_softmax",
) -> tf.Tensor:
    """Draw a concrete random variable from every row: softmax((logits + g) / T), g Gumbel noise.

    Args:
        logits: Tensor `(K, d)`.
        uniform: Tensor `(K, d)` in (0, 1), of which the noise is made: g = −log(−log(uniform)).
        temperature: Scalar T > 0.
        gradient_estimator: "gumbel_softmax" returns the softmax; "straight_through" its one-hot
            argmax, with the gradient of the softmax. Defaults to `"gumbel_softmax"`.

    Returns:
        Tensor `(K, d)`, each row adds up to 1.
    """
    gumbel = -tf.math.log(-tf.math.log(uniform))
    soft = tf.nn.softmax((logits + gumbel) / temperature)
    if gradient_estimator == "gumbel_softmax":
        return soft
    hard = tf.one_hot(tf.argmax(soft, axis=-1), soft.shape[-1], dtype=soft.dtype)
    # in this order: the parenthesis is exactly 0, so that the value is exactly one-hot
    return hard + (soft - tf.stop_gradient(soft))


@register
class ConcreteSelect(keras.layers.Layer):
    """Selects K of d features; learns which by concrete (Gumbel-softmax) relaxation.

    Each of the K units has a logit for every feature. In training a unit gives the mixture of
    features

        softmax((logits + g) / T) · x,   g Gumbel noise, T the temperature,

    of a new draw each step; at inference it gives the one feature of its greatest logit. The
    temperature falls exponentially, step t of N being taken at

        T = start · (minimum / start)^(t / N),

    and stays at the minimum afterwards. Only calls with `training=True` are steps: inference,
    validation and attacks leave the layer as it is. How many steps there will be is said by
    `anneal_steps` or, for `fit`, by the callback `AnnealTemperature`; if by neither, the weight
    `temperature` stays as it was assigned.

    Temperature and number of steps are weights, and the noise is a function of (seed, step). So a
    layer that was saved and loaded goes on as it would have without. If `trainable` is False, it
    selects discretely in training as well.

    Args:
        features: Integer K ≥ 1.
        start_temperature: Float > 0. Defaults to `10.0`.
        min_temperature: Float in (0, start_temperature]. Defaults to `0.1`.
        anneal_steps: Integer N ≥ 1, steps until the minimum is reached. Defaults to `None`.
        gradient_estimator: "gumbel_softmax" (published) or "straight_through", which gives single
            features in training as well, with the gradient of the mixture. Defaults to
            `"gumbel_softmax"`.
        logits_multiplier: Float > 0. The logits are so many times the weight that is trained, so
            that steps of Adam, which are as long as the learning rate says, move them so many
            times as far as all other weights. Defaults to `1.0`, as published; with 100, a
            twentieth of the steps is enough.
        logits_initializer: Keras initializer of the logits. Defaults to `None`: Glorot normal,
            as published, under `seed`.
        seed: Integer ≥ 0 of initial logits and noise. Defaults to `0`.

    Call arguments:
        inputs: Tensor `(batch, d)`.
        training: Boolean. Defaults to `False`.

    Returns:
        Tensor `(batch, K)`.

    Raises:
        ValueError: A setting is not as above, or d < K.

    Example:

        >>> inputs = keras.Input((64,))
        >>> outputs = keras.layers.Dense(64)(uae.ConcreteSelect(16, seed=1)(inputs))
        >>> model = keras.Model(inputs, outputs)
        >>> model.compile("adam", "mse")
        >>> model.fit(pixels, pixels, epochs=300, callbacks=[uae.AnnealTemperature()])
        >>> model.layers[1].indices()  # the features selected

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346), section 3.
    """

    features: int
    start_temperature: float
    min_temperature: float
    anneal_steps: int | None
    gradient_estimator: str
    logits_multiplier: float
    seed: int

    def __init__(
        self,
        features: Annotated[int, Integer(1)],
        *,
        start_temperature: Annotated[float, Number(TINY)] = 10.0,
        min_temperature: Annotated[float, Number(TINY)] = 0.1,
        anneal_steps: Annotated[int | None, OrNone(Integer(1))] = None,
        gradient_estimator: Annotated[str, Choice(GRADIENT_ESTIMATORS)] = "gumbel_softmax",
        logits_multiplier: Annotated[float, Number(TINY)] = 1.0,
        logits_initializer: Any = None,
        seed: Annotated[int, Integer(0, 2**31 - 1)] = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        keep(self, ConcreteSelect.__init__, locals())
        check_number(
            type(self).__name__, "min_temperature", min_temperature, TINY, self.start_temperature
        )
        if logits_initializer is not None:
            self.logits_initializer = keras.initializers.get(logits_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=2)
        self._first_plan = self.anneal_steps or 0, 0

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = input_shape[-1]
        if size is None or size < self.features:
            raise ValueError(
                f"`features` of {type(self).__name__} must be at most the number of features of "
                f"its input. Received: features={self.features} for inputs of shape {input_shape}."
            )
        initial = self.logits_initializer or keras.initializers.GlorotNormal(seed=self.seed)
        self.unit_logits = self.add_weight(
            name="logits",
            shape=(self.features, size),
            initializer=lambda *args, **kwargs: initial(*args, **kwargs) / self.logits_multiplier,
            autocast=False,  # half precision is too coarse for probabilities near 0 and 1
        )
        self.temperature = self._state("temperature", self.start_temperature, self.variable_dtype)
        planned, done = self._first_plan
        self.step = self._state("step", done, "int32")
        self.planned_steps = self._state("planned_steps", planned, "int32")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not inputs.dtype.is_floating:  # Keras leaves integers; as one every weight would be 0
            inputs = tf.cast(inputs, self.compute_dtype)
        if not (training and self.trainable):
            return tf.gather(inputs, self.indices(), axis=1)
        weights = self._next_weights()
        return tf.matmul(inputs, tf.cast(weights, inputs.dtype), transpose_b=True)

    def plan(self, steps: int, done: int = 0) -> None:
        """Anneal over `steps` training steps in all, of which `done` are behind."""
        if not self.built:  # `fit` builds a subclassed model with its first step
            self._first_plan = steps, done
            return
        self.planned_steps.assign(steps)
        self.step.assign(done)

    @property
    def logits(self) -> tf.Tensor:
        """The logits `(K, d)`."""
        return self.unit_logits.value * self.logits_multiplier

    def assign_logits(self, logits: tf.Tensor) -> None:
        """Replace the logits."""
        self.unit_logits.assign(logits / self.logits_multiplier)

    def indices(self) -> tf.Tensor:
        """The selected features `(K,)`, one a unit; two units may select the same."""
        return tf.argmax(self.unit_logits.value, axis=-1)

    def probabilities(self) -> tf.Tensor:
        """The probability `(K, d)` of every feature for each unit, softmax(logits)."""
        return tf.nn.softmax(self.logits)

    def mean_max_probability(self) -> tf.Tensor:
        """How decided the units are: mean over units of their greatest probability, scalar."""
        return tf.reduce_mean(tf.reduce_max(self.probabilities(), axis=-1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.features)

    def get_config(self) -> dict[str, Any]:
        initializer = self.logits_initializer
        return {
            **super().get_config(),
            "features": self.features,
            "start_temperature": self.start_temperature,
            "min_temperature": self.min_temperature,
            "anneal_steps": self.anneal_steps,
            "gradient_estimator": self.gradient_estimator,
            "logits_multiplier": self.logits_multiplier,
            "logits_initializer": initializer and keras.initializers.serialize(initializer),
            "seed": self.seed,
        }

    def _state(self, name: str, value: float, dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(value),
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def _next_weights(self) -> tf.Tensor:
        """Take a step: anneal, and draw the weights `(K, d)` of the mixtures."""
        logits, step = self.logits, self.step.value + 1
        dtype, planned = logits.dtype, tf.convert_to_tensor(self.planned_steps.value)

        fraction = tf.cast(step, dtype) / tf.cast(tf.maximum(planned, 1), dtype)
        ratio = tf.constant(self.min_temperature / self.start_temperature, dtype)
        falling = self.start_temperature * ratio ** tf.minimum(fraction, 1)
        annealed = tf.where(step < planned, falling, self.min_temperature)
        temperature = tf.where(planned > 0, annealed, self.temperature.value)
        self.step.assign(step)
        self.temperature.assign(temperature)

        # a function of (seed, step), unlike a SeedGenerator, whose state Keras does not save;
        # the initial logits are the draw of step 0
        key = tf.stack([tf.constant(self.seed, tf.int32), step])
        uniform = tf.random.stateless_uniform(
            logits.shape, key, minval=dtype.as_numpy_dtype(1e-37), dtype=dtype
        )
        return concrete_weights(logits, uniform, temperature, self.gradient_estimator)
