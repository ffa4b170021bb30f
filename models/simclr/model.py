"""SimCLR as a Keras model: trains an encoder to know two views of an image for the same."""

import copy
from typing import Any, Self

import keras
import tensorflow as tf

from keras_uae import ViewAugmentation, nt_xent
from keras_uae import _draws as draws
from keras_uae._checks import check_integer, check_number
from models.simclr.resnet import projection_head as default_projection_head


@keras.saving.register_keras_serializable(package="keras_uae")
class SimCLR(keras.Model):
    """Contrastive learning of an encoder: NT-Xent of two random views of each image of a batch.

    `fit` takes images alone; labels beside them are ignored. The views of a training step are a
    function of `seed` and the optimizer's count of steps, those of `evaluate` of `seed` alone: a
    training that is saved with `save` and loaded goes on as if it had never stopped, given the same
    order of the data (`uae.UAEAugmentation(x, [], seed=...)` with its `epoch` set, or
    `shuffle=False`). Compile it with an optimizer, without a loss. Predictions are the projections;
    `encoder` gives the features that are used afterwards. Under a distribution strategy the views
    of a replica are compared with one another alone.

    With `adversarial_weight` > 0 it is CLAE (Ho and Vasconcelos, 2020): the first view of each
    image, moved by ε along the sign of the gradient of NT-Xent, is one more partner of the view
    that it came from, and the loss is L(first, second) + α·L(first, adversarial). As published,
    adversarial images are normalized by the statistics of their own batch and leave the moving
    averages alone. Unlike the published code there is one set of scales and offsets for both, and
    they are kept within the bounds of the data.

    Args:
        encoder: Built `keras.Model` from images to features `(batch, d)`, as `resnet`.
        projection_head: Built `keras.Model` from features to projections. Defaults to `None`: a
            new `projection_head`.
        temperature: Float τ > 0. Defaults to `0.5`.
        augmentation: `ViewAugmentation` with the bounds of the images. Defaults to its defaults.
        adversarial_weight: Float α ≥ 0; CLAE takes 1. Defaults to `0`.
        adversarial_epsilon: Float ε ≥ 0, in the units of the images. Defaults to `0.03`.
        seed: Integer, fixes the views, and the weights of a new head. Defaults to `0`.

    Example:

        >>> model = SimCLR(resnet(depth=18))
        >>> model.compile(LARS(cosine_schedule(2.0, steps, warmup_steps=970), weight_decay=1e-4))
        >>> model.fit(x_train, batch_size=512, epochs=1000)
        >>> linear_probe(model.encoder, x_train, y_train, x_test, y_test)

    Reference:
        [Chen et al., 2020](https://arxiv.org/abs/2002.05709);
        [Ho and Vasconcelos, 2020](https://arxiv.org/abs/2010.12050).
    """

    def __init__(
        self,
        encoder: keras.Model,
        projection_head: keras.Model | None = None,
        *,
        temperature: float = 0.5,
        augmentation: ViewAugmentation | None = None,
        adversarial_weight: float = 0.0,
        adversarial_epsilon: float = 0.03,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(encoder, keras.Model) or not encoder.built:
            raise ValueError(
                "`encoder` of SimCLR must be a keras.Model that is built: give it an Input, or "
                f"call it once on a batch. Received: encoder={encoder!r}."
            )
        self.seed = check_integer("SimCLR", "seed", seed, 0, 2**31 - 1)
        self.encoder = encoder
        self.projection_head = projection_head or default_projection_head(
            encoder.output_shape[-1], seed=self.seed
        )
        self.temperature = check_number("SimCLR", "temperature", temperature, 1e-6)
        self.augmentation = ViewAugmentation() if augmentation is None else augmentation
        self.adversarial_weight = check_number(
            "SimCLR", "adversarial_weight", adversarial_weight, 0
        )
        self.adversarial_epsilon = check_number(
            "SimCLR", "adversarial_epsilon", adversarial_epsilon, 0
        )
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.loss_tracker]

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.projection_head(self.encoder(inputs, training=training), training=training)

    def views(self, x: tf.Tensor, step: Any) -> tf.Tensor:
        """Two views of each image of `x`, those of a training step: first ones, then second."""
        seed = self.seed * 2**32 + tf.cast(step, tf.int64)
        key = draws.stream(seed, draws.VIEWS)
        return self.augmentation(tf.concat([x, x], axis=0), key)

    def adversarial_views(self, first: tf.Tensor) -> tf.Tensor:
        """The views `first`, each moved by ε to where it is least like itself (one FGSM step)."""
        low, high = self.augmentation.bounds
        # with statistics of the batch, as in training, and no trace of it in the model
        with keras.StatelessScope():
            anchor = self(first, training=True)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(first)
                loss = tf.reduce_sum(nt_xent(anchor, self(first, training=True), self.temperature))
            step = self.adversarial_epsilon * tf.sign(tape.gradient(loss, first))
        return tf.stop_gradient(tf.clip_by_value(first + step, low, high))

    def train_step(self, data: Any) -> dict[str, Any]:
        x, sample_weight = _unpack(data)
        views = self.views(x, self.optimizer.iterations)
        adversarial = None
        if self.adversarial_weight:
            adversarial = self.adversarial_views(tf.split(views, 2)[0])
        with tf.GradientTape() as tape:
            first, second = tf.split(self(views, training=True), 2)
            losses = nt_xent(first, second, self.temperature)
            penalties = self.losses
            if adversarial is not None:
                with keras.StatelessScope():  # the moving averages are those of the images
                    third = self(adversarial, training=True)
                losses += self.adversarial_weight * nt_xent(first, third, self.temperature)
            loss = _mean(losses, sample_weight) + sum(penalties)
            # the gradients of all replicas of a distribution strategy are added up
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss / replicas)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(scaled, weights), weights)
        return self._track(loss, x)

    def test_step(self, data: Any) -> dict[str, Any]:
        x, sample_weight = _unpack(data)
        # no training step has this number
        first, second = tf.split(self(self.views(x, -1), training=False), 2)
        return self._track(_mean(nt_xent(first, second, self.temperature), sample_weight), x)

    def _track(self, loss: tf.Tensor, x: tf.Tensor) -> dict[str, Any]:
        self.loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return self.get_metrics_result()

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in _NESTED},
            "temperature": self.temperature,
            "adversarial_weight": self.adversarial_weight,
            "adversarial_epsilon": self.adversarial_epsilon,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested ones apart
        for name in _NESTED:
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)


_NESTED = ("encoder", "projection_head", "augmentation")


def _unpack(data: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Images as floats, and their weights."""
    x, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    return tf.cast(x, keras.config.floatx()), sample_weight


def _mean(losses: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
    if weight is not None:
        losses *= tf.cast(tf.reshape(weight, [-1]), losses.dtype)
    return tf.reduce_mean(losses)
