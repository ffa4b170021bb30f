"""Callbacks of the concrete autoencoder: they anneal it, and stop in time."""

import math
from typing import Annotated, Any

import keras

from keras_uae._checks import By, Integer, Number, OrNone, check_boolean
from keras_uae._model_layers import flat_layers
from keras_uae._settings import keep
from keras_uae.selection.layer import ConcreteSelect


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

        >>> model = uae.concrete_network((64,), 16)
        >>> model.compile("adam", "mse")
        >>> model.fit(pixels, pixels, epochs=300, callbacks=[uae.AnnealTemperature()])

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346), section 3.2.
    """

    epochs: int | None
    steps_per_epoch: int | None

    def __init__(
        self,
        *,
        epochs: Annotated[int | None, OrNone(Integer(1))] = None,
        steps_per_epoch: Annotated[int | None, OrNone(Integer(1))] = None,
    ):
        super().__init__()
        keep(self, AnnealTemperature.__init__, locals())
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

        >>> model = uae.concrete_network((64,), 16)
        >>> model.compile("adam", "mse")
        >>> callbacks = [uae.AnnealTemperature(), uae.StopWhenSelected()]
        >>> model.fit(pixels, pixels, epochs=300, callbacks=callbacks)

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346), whose program has the 0.998.
    """

    probability: float
    stop: bool

    def __init__(
        self,
        probability: Annotated[float, Number(0, 1)] = 0.998,
        *,
        stop: Annotated[bool, By(check_boolean)] = True,
    ):
        super().__init__()
        keep(self, StopWhenSelected.__init__, locals())
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
