"""The concrete autoencoder: its network, and the callbacks that anneal it and stop in time."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_uae.checks import check_choice, check_integer, check_number
from keras_uae.layers import ConcreteSelect
from keras_uae.model_layers import flat_layers

DECODERS = ("published", "cae_paper")


def concrete_network(
    input_shape: Sequence[int],
    features: int,
    *,
    outputs: int | None = None,
    decoder: str = "published",
    dropout: float = 0.1,
    seed: int = 0,
    name: str = "concrete_autoencoder",
    **settings: Any,
) -> keras.Model:
    """Build input → flatten → `ConcreteSelect` → decoder → output of the input's shape.

    The selection is the layer `select`; the decoder, which ends in a linear Dense, is the nested
    model `decoder`.

    Args:
        input_shape: Shape of one sample: a vector `(d,)` or an image.
        features: Integer K, number of features to select.
        outputs: Integer, values to predict in place of the input. Defaults to `None`: an
            autoencoder.
        decoder: "published", two times Dense 320, LeakyReLU 0.2, Dropout, as in the experiments of
            Hsu et al.; "cae_paper", one time with 3K/2 units, as in those of Balin et al. Defaults
            to `"published"`.
        dropout: Float in [0, 1), rate of Dropout in the decoder. Defaults to `0.1`, as published;
            with many samples 0 restores better.
        seed: Integer ≥ 0 of initial weights, noise and dropout. Defaults to `0`.
        name: Name of the model. Defaults to `"concrete_autoencoder"`.
        **settings: Passed on to `ConcreteSelect`.

    Returns:
        An uncompiled `keras.Model`; published training: Adam, mean squared error.

    Raises:
        ValueError: A setting is not as above.

    Example:

        >>> model = concrete_network((28, 28, 1), 50)
        >>> model.compile(keras.optimizers.Adam(1e-3), "mse")
        >>> model.fit(x, x, batch_size=234, epochs=800, callbacks=[uae.AnnealTemperature()])
        >>> model.get_layer("select").indices()

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346).
    """
    owner = "concrete_network"
    check_choice(owner, "decoder", decoder, DECODERS)
    dropout = check_number(owner, "dropout", dropout, 0, np.nextafter(1, 0))
    generator = np.random.default_rng(check_integer(owner, "seed", seed, 0))

    def next_seed() -> int:
        return int(generator.integers(2**31))

    def dense(units: int) -> keras.Layer:
        return layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(next_seed()))

    inputs = keras.Input(tuple(input_shape))
    select = ConcreteSelect(features, name="select", seed=next_seed(), **settings)
    selected = select(layers.Flatten()(inputs))

    hidden = (320, 320) if decoder == "published" else (max(1, select.features * 3 // 2),)
    code = keras.Input((select.features,))
    x = code
    for units in hidden:
        x = layers.LeakyReLU(negative_slope=0.2)(dense(units)(x))
        x = layers.Dropout(dropout, seed=next_seed())(x)
    x = dense(math.prod(input_shape) if outputs is None else outputs)(x)
    result = keras.Model(code, x, name="decoder")(selected)
    if outputs is None:
        result = layers.Reshape(tuple(input_shape))(result)
    return keras.Model(inputs, result, name=name)


class AnnealTemperature(keras.callbacks.Callback):
    """Plans the temperature of the model's `ConcreteSelect` layers for the `fit` that begins.

    They reach their minimum with the last step of epoch `epochs`; each falls on its own, step by
    step, so that `steps_per_execution` does not matter. `fit(initial_epoch=k)` goes on in the
    middle of the plan.

    Args:
        epochs: Integer, epochs of the plan. Defaults to `None`: those of `fit`.
        steps_per_epoch: Integer. Defaults to `None`: those of `fit`; to be given if `fit` cannot
            know them, as with a generator.

    Raises:
        ValueError: A setting is not as above, the model has no such layer, or the steps of an
            epoch are not known.

    Example:

        >>> model.fit(x, x, epochs=300, callbacks=[uae.AnnealTemperature()])

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346), section 3.2.
    """

    def __init__(self, *, epochs: int | None = None, steps_per_epoch: int | None = None):
        super().__init__()
        owner = type(self).__name__
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if value is not None:
                check_integer(owner, name, value, 1)
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self._planned = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the plan of the previous `fit`."""
        self._planned = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Plan, at the first epoch of the `fit`."""
        if self._planned:
            return
        steps = self.steps_per_epoch or self.params.get("steps")
        if not steps:
            raise ValueError(
                "`steps_per_epoch` of AnnealTemperature must be given where `fit` cannot know it. "
                f"Received: steps_per_epoch={self.steps_per_epoch!r}."
            )
        for layer in concrete_layers(self.model, type(self).__name__):
            layer.plan(steps * (self.epochs or self.params["epochs"]), done=steps * epoch)
        self._planned = True


class StopWhenSelected(keras.callbacks.Callback):
    """Ends the training when the `ConcreteSelect` layers have made up their minds.

    That is when the mean over units of the greatest probability reaches `probability`, at the end
    of an epoch. The value is logged as `mean_max_probability`.

    Args:
        probability: Float in [0, 1]. Defaults to the published `0.998`.
        stop: Boolean, whether to end the training or only to log. Defaults to `True`.

    Attributes:
        value: The value of the last epoch, NaN before the first.

    Raises:
        ValueError: A setting is not as above, or the model has no such layer.

    Example:

        >>> model.fit(x, x, epochs=300, callbacks=[uae.AnnealTemperature(), uae.StopWhenSelected()])

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346), whose program has the 0.998.
    """

    def __init__(self, probability: float = 0.998, *, stop: bool = True):
        super().__init__()
        self.probability = check_number(type(self).__name__, "probability", probability, 0, 1)
        self.stop = stop
        self.value = math.nan

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the previous `fit`."""
        self.value = math.nan

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look, log and perhaps stop."""
        found = concrete_layers(self.model, type(self).__name__)
        self.value = min(float(layer.mean_max_probability()) for layer in found)
        if logs is not None:
            logs["mean_max_probability"] = self.value
        if self.stop and self.value >= self.probability:
            self.model.stop_training = True


def concrete_layers(model: keras.Model, owner: str) -> list[ConcreteSelect]:
    """The `ConcreteSelect` layers of a model, at any depth."""
    found = [layer for layer in flat_layers(model) if isinstance(layer, ConcreteSelect)]
    if not found:
        raise ValueError(
            f"`model` of {owner} must have a ConcreteSelect layer. Received: model {model.name!r} "
            f"with layers {[layer.name for layer in model.layers]}."
        )
    return found
