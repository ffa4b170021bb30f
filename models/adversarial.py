"""The adversarial autoencoder: a discriminator makes its codes look like draws from a prior."""

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from keras import layers

from keras_uae import _draws as draws
from keras_uae._checks import check_integer
from models.seeds import glorot_uniform
from models.shapes import check_input_shape

_PARTS = ("encoder", "decoder", "discriminator")


@keras.saving.register_keras_serializable(package="keras_uae")
class AdversarialAutoencoder(keras.Model):
    """An autoencoder whose codes a discriminator compares with standard normal draws.

    A training step is three updates in the published order: encoder and decoder lower the loss
    given to `compile`; the discriminator learns to tell N(0, I) from the codes; the encoder learns
    to pass for N(0, I). (The published code feeds the discriminator in two mixed halves, here it is
    one update.) The draws of a step are a function of `seed` and the count of steps (with XLA,
    another one): a training that is saved with `save` and loaded goes on as if it had never
    stopped, given the same order of the data.

    `fit` reports `discriminator_loss` and `generator_loss` beside the loss; `evaluate` is that of
    the autoencoder alone, and so are predictions. Sample weights apply to the loss only.

    Args:
        encoder: Built `keras.Model` from samples to codes `(batch, d)`.
        decoder: Built `keras.Model` from codes to samples.
        discriminator: Built `keras.Model` from codes to logits `(batch, 1)`: high for the prior.
        seed: Integer, fixes the draws from the prior. Defaults to `0`.

    Example:

        >>> recipe = models.get_recipe("adversarial")
        >>> model = recipe.compile(recipe.build((28, 28, 1)))
        >>> model.fit(x_train, x_train, batch_size=recipe.batch_size, epochs=recipe.epochs)

    Reference:
        [Makhzani et al., 2016](https://arxiv.org/abs/1511.05644).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        discriminator: keras.Model,
        *,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        parts = (encoder, decoder, discriminator)
        for name, part in zip(_PARTS, parts, strict=True):
            if not isinstance(part, keras.Model) or not part.built:
                raise ValueError(
                    f"`{name}` of AdversarialAutoencoder must be a keras.Model that is built: give "
                    f"it an Input, or call it once on a batch. Received: {name}={part!r}."
                )
        self.encoder, self.decoder, self.discriminator = parts
        self.seed = check_integer("AdversarialAutoencoder", "seed", seed, 0, 2**31 - 1)
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.built = True

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of samples."""
        return self.encoder.input_shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of restored samples."""
        return self.decoder.output_shape

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        discriminator_optimizer: Any = None,
        generator_optimizer: Any = None,
        **settings: Any,
    ) -> None:
        """Compile with one optimizer for each of the three updates.

        Args:
            optimizer: Of the encoder and the decoder.
            discriminator_optimizer: Of the discriminator. Defaults to a new one like `optimizer`.
            generator_optimizer: Of the encoder against the discriminator. Defaults likewise.
            **settings: As of `keras.Model.compile`: `loss`, `metrics`, …
        """
        if self.dtype_policy.name == "mixed_float16":
            raise ValueError(
                "`dtype` of AdversarialAutoencoder must be a policy that needs no loss scaling, "
                "for Keras scales one loss and this has three. Received: 'mixed_float16'."
            )
        super().compile(optimizer=optimizer, **settings)
        self.discriminator_optimizer = self._another(discriminator_optimizer)
        self.generator_optimizer = self._another(generator_optimizer)
        # before a step is traced, and each for its own weights only
        for player, weights in self._players():
            player.build(weights)

    def get_compile_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_compile_config(),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "generator_optimizer": serialize(self.generator_optimizer),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def prior(self, count: Any, step: Any) -> tf.Tensor:
        """The draws `(count, d)` from N(0, I) that training step `step` compares codes with."""
        key = draws.stream(self.seed * 2**32 + tf.cast(step, tf.int64), draws.PRIOR)
        return draws.normal(key, (count, self.encoder.output_shape[-1]), self.compute_dtype)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y = x if y is None else y
        step = self.optimizer.iterations + 0  # a copy, for the first update counts on
        (autoencoder, discriminator, generator) = self._players()

        with tf.GradientTape() as tape:
            restored = self(x, training=True)
            loss = self.compute_loss(x, y, restored, sample_weight, training=True)
        _descend(tape, loss, *autoencoder)

        codes = self.encoder(x, training=True)
        both = tf.concat([codes, self.prior(tf.shape(codes)[0], step)], axis=0)
        wanted = tf.repeat([0.0, 1.0], tf.shape(codes)[0])
        with tf.GradientTape() as tape:
            telling = _cross_entropy(wanted, self.discriminator(both, training=True))
        _descend(tape, telling, *discriminator)

        with tf.GradientTape() as tape:
            judged = self.discriminator(self.encoder(x, training=True), training=True)
            passing = _cross_entropy(tf.ones_like(judged), judged)
        _descend(tape, passing, *generator)

        count = tf.shape(codes)[0]
        for metric in self.metrics:
            if metric.name == "loss":  # the one that Keras makes
                metric.update_state(loss, sample_weight=count)
        self.discriminator_loss.update_state(telling, sample_weight=count)
        self.generator_loss.update_state(passing, sample_weight=count)
        return self.compute_metrics(x, y, restored, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        results = super().test_step((x, x if y is None else y, sample_weight))
        of_training = (self.discriminator_loss.name, self.generator_loss.name)
        return {name: value for name, value in results.items() if name not in of_training}

    def _players(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        """The optimizers, each with the weights that it updates, in the order of a step."""
        encoder = self.encoder.trainable_variables
        return [
            (self.optimizer, encoder + self.decoder.trainable_variables),
            (self.discriminator_optimizer, self.discriminator.trainable_variables),
            (self.generator_optimizer, encoder),
        ]

    def _another(self, optimizer: Any) -> keras.optimizers.Optimizer:
        if optimizer is not None:
            return keras.optimizers.get(optimizer)
        return type(self.optimizer).from_config(self.optimizer.get_config())

    def get_config(self) -> dict[str, Any]:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS}
        return {**super().get_config(), **parts, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested ones apart
        for name in _PARTS:
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)


def adversarial_autoencoder(
    input_shape: Sequence[int],
    *,
    code_units: int = 2,
    hidden_units: int = 1000,
    seed: int = 0,
    name: str = "adversarial_autoencoder",
) -> AdversarialAutoencoder:
    """Build three networks of two hidden layers: encoder, decoder and discriminator.

    The hidden layers are dense with ReLU; code and output have a sigmoid, so that codes are in
    (0, 1) where the prior is N(0, I): this is how it was published.

    Args:
        input_shape: Shape of one sample: an image `(height, width, channels)` or a vector `(d,)`.
        code_units: Size of the code, the layer `code` of the encoder. Defaults to the published 2.
        hidden_units: Units of every hidden layer. Defaults to `1000`.
        seed: Integer, fixes the initial weights and the draws from the prior.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1]; `models.RECIPES["adversarial"]` compiles it.
    """
    owner = "adversarial_autoencoder"
    shape = check_input_shape(owner, input_shape)
    code_units = check_integer(owner, "code_units", code_units, 1)
    hidden_units = check_integer(owner, "hidden_units", hidden_units, 1)
    start = glorot_uniform(owner, seed)

    def dense(units: int, activation: str | None, name: str | None = None) -> layers.Layer:
        return layers.Dense(units, activation, kernel_initializer=next(start), name=name)

    def hidden() -> list[layers.Layer]:
        return [dense(hidden_units, "relu"), dense(hidden_units, "relu")]

    encoder = [layers.Flatten(), *hidden(), dense(code_units, "sigmoid", "code")]
    decoder = [*hidden(), dense(math.prod(shape), "sigmoid"), layers.Reshape(shape)]
    discriminator = [*hidden(), dense(1, None, "logit")]
    return AdversarialAutoencoder(
        keras.Sequential([keras.Input(shape), *encoder], name="encoder"),
        keras.Sequential([keras.Input((code_units,)), *decoder], name="decoder"),
        keras.Sequential([keras.Input((code_units,)), *discriminator], name="discriminator"),
        seed=seed,
        name=name,
    )


def _descend(
    tape: tf.GradientTape,
    loss: tf.Tensor,
    optimizer: keras.optimizers.Optimizer,
    weights: list[keras.Variable],
) -> None:
    optimizer.apply(tape.gradient(loss, weights), weights)


def _cross_entropy(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean over the batch, computed from logits so that a sure discriminator has gradients."""
    wanted = tf.reshape(tf.cast(wanted, logits.dtype), tf.shape(logits))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits))
