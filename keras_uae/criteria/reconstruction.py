"""Reconstruction: an example is restored no worse than the original (section 3.2)."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import By, Number, check_boolean
from keras_uae._settings import register
from keras_uae._tensors import flatten, l2_norm
from keras_uae.criteria.base import Output, OutputCriterion, check_rows, evaluated_model


@register
@dataclass(frozen=True)
class Reconstruction(OutputCriterion):
    """f_x(z) = ‖x − Φ(z)‖₂ − ‖x − Φ(x)‖₂ + κ (section 3.2).

    z is an unsupervised adversarial example of x if the autoencoder Φ restores x from z no worse
    than from x itself, by a margin κ.

    Args:
        model: Autoencoder Φ whose output has the shape of its input. Defaults to `None`: the
            model of the attack.
        kappa: Float ≥ 0, margin κ, in the units of the norm. Defaults to `0`.
        squared: Boolean, squared norms as in the published code instead of the paper's norms.
            Defaults to `False`.
        output: Place or name of the reconstruction among several outputs. Defaults to `None`: the
            only one.

    Example:

        >>> criterion = uae.Reconstruction(autoencoder)
        >>> criterion(x, found.x)  # <= 0 wherever found.success
    """

    _: KW_ONLY
    kappa: Annotated[float, Number(0)] = 0.0
    squared: Annotated[bool, By(check_boolean)] = False
    output: Output = None

    @property
    def power(self) -> int:
        return 2 if self.squared else 1

    def check(self, x: tf.Tensor, owner: str) -> None:
        check_restores(self, x)

    def doubts(self, x: tf.Tensor, low: Any, high: Any) -> list[str]:
        return doubts_of(evaluated_model(self), self.judged(x), x, low, high)

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        del y
        return self._error(x, x)

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return self._error(x, z) - reference + self.kappa

    def _error(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        difference = x - tf.cast(self.judged(z), x.dtype)
        if self.squared:
            return tf.reduce_sum(flatten(difference) ** 2, axis=1)
        return l2_norm(difference)


def check_restores(criterion: OutputCriterion, x: tf.Tensor) -> None:
    """Raise ValueError unless the model of a criterion gives back the shape of samples like `x`."""
    restored = tf.convert_to_tensor(criterion.judged(x))
    shape = tuple(restored.shape[1:])
    if shape != tuple(x.shape[1:]):
        remedy = "one that does not takes criterion=Misclassification() or a function of (x, z)"
        if math.prod(shape) == x.shape[1:].num_elements():  # such as (28, 28, 1) of (28, 28)
            remedy = "attack lambda x: keras.ops.reshape(model(x), keras.ops.shape(x))"
        raise ValueError(
            f"`model` of {type(criterion).__name__} must give back the shape of its input, "
            f"{tuple(x.shape[1:])}; {remedy}. Received: a model with output shape {shape}."
        )
    check_rows(type(criterion).__name__, restored, x)


def doubts_of(model: keras.Model, outputs: Any, x: Any, low: Any, high: Any) -> list[str]:
    """What speaks against judging by what a model gives back for samples, for a warning each."""
    return [*other_units(model, outputs, x, low, high), *masked_steps(model, outputs)]


def masked_steps(model: keras.Model, outputs: Any) -> list[str]:
    """Whether a model has masked some steps of what it was given, such as padding."""
    mask = getattr(outputs, "_keras_mask", None)
    if mask is None or np.all(mask):
        return []
    return [
        f"The model {model.name!r} masks steps of the samples, which its loss leaves out. They "
        f"count here, and an attack moves them, too: an example may be none without them. Take "
        f"samples of one length at a time, without padding."
    ]


def other_units(model: keras.Model, outputs: Any, x: Any, low: Any, high: Any) -> list[str]:
    """What shows that a model gives back samples `x` in other units than theirs, for a warning.

    An error in between would mean little. Nothing is said of a model that may just be untrained.

    Args:
        model: Autoencoder.
        outputs: What it gives back for `x`.
        x: Samples.
        low, high: Their bounds, numbers or an array each.
    """
    outputs, x = np.asarray(outputs, np.float64), np.asarray(x, np.float64)
    span = np.mean(np.subtract(high, low))
    unit_interval = np.all(np.equal(low, 0) & np.equal(high, 1))
    far = np.mean((outputs < -1) | (outputs > 2))
    reached, reaches = np.max(np.abs(x)), np.max(np.abs(outputs))
    seen, remedy = "", "lambda x: keras.ops.sigmoid(model(x))"
    if getattr(getattr(model, "loss", None), "from_logits", False):
        seen = "its loss takes them as logits"
    elif unit_interval and far > 0.5 and np.any(outputs < -1):
        seen = f"{far:.0%} of them are below -1 or above 2, and the samples in [0, 1]"
    elif span >= 10 and reached >= span / 2 and reaches < reached / 10:
        seen = f"they reach {reaches:.3g}, and the samples {reached:.3g}"
        remedy = f"lambda x: {np.max(high):g} * model(x)"
    if not seen:
        return []
    return [
        f"The outputs of the model {model.name!r} seem to be in other units than its inputs, so "
        f"that their difference says little: {seen}. Give a function that restores in the units "
        f"of the data in place of the model, for example {remedy}, or a criterion of your own."
    ]
