"""Misclassification: an example is given another class than the original (section 3.1)."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import By, Number, check_boolean
from keras_uae._settings import register
from keras_uae.criteria.base import Criterion, evaluated_model


@register
@dataclass(frozen=True)
class Misclassification(Criterion):
    """f_x(z) = logit_y(z) − max_{j ≠ y} logit_j(z) + κ (section 3.1).

    z is a supervised adversarial example of x, of class y, if the classifier gives it another
    class, by a margin κ. Targeted, y is the class to be reached and the difference turns round.
    The attack that goes with it *maximises* the similarity: `objective="maximize"`.

    Args:
        model: Classifier whose output has the shape `(batch, classes)`, best logits. Of
            probabilities f has the same sign, other gradients, and κ another unit. Defaults to
            `None`: the model of the attack.
        targeted: Boolean, whether the labels are classes to be reached rather than left. Defaults
            to `False`.
        kappa: Float ≥ 0, margin κ, in the units of the output. Defaults to `0`.

    Labels are given to `attack.generate(x, y)` or to the call, integers `(batch,)`. Without any,
    the class to be left is the one that the model gives to x itself.

    Example:

        >>> attack = uae.MinMaxAttack(
        ...     classifier, criterion=uae.Misclassification(), objective="maximize"
        ... )
        >>> found = attack.generate(x_test, y_test)

    Reference:
        [Carlini and Wagner, 2017](https://arxiv.org/abs/1608.04644), f₆.
    """

    takes_labels: ClassVar[bool] = True
    _: KW_ONLY
    targeted: Annotated[bool, By(check_boolean)] = False
    kappa: Annotated[float, Number(0)] = 0.0

    def check_labels(self, y: Any, x: np.ndarray, owner: str) -> np.ndarray | None:
        if y is None:
            if self.targeted:
                raise ValueError(
                    f"`y` of {owner} must hold the class that each sample is to reach. "
                    f"Received: y=None."
                )
            return None
        y = np.asarray(y)
        if y.shape != (len(x),) or y.dtype.kind not in "iu":
            raise ValueError(
                f"`y` of {owner} must hold one integer a sample, shape ({len(x)},). "
                f"Received: y of shape {y.shape} and dtype {y.dtype}."
            )
        classes = self._classes(tf.convert_to_tensor(x[:1], keras.config.floatx()), owner)
        if y.min() < 0 or y.max() >= classes:
            raise ValueError(
                f"`y` of {owner} must be in [0, {classes - 1}], the model's classes. "
                f"Received: y from {y.min()} to {y.max()}."
            )
        return y.astype(np.int64)

    def check(self, x: tf.Tensor, owner: str) -> None:
        self._classes(x, owner)

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        if y is None:
            if self.targeted:
                raise ValueError(
                    "`y` of Misclassification must be given where it is targeted. Received: y=None."
                )
            y = tf.argmax(self._logits(x), axis=1)
        return tf.cast(y, tf.int64)

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(self._logits(z), x.dtype)
        chosen = tf.one_hot(reference, tf.shape(logits)[1], dtype=logits.dtype)
        own = tf.reduce_sum(logits * chosen, axis=1)
        # far below every other, so that the class itself is never the greatest of the others
        other = tf.reduce_max(logits - chosen * (logits.dtype.max / 4), axis=1)
        return (other - own if self.targeted else own - other) + self.kappa

    def _classes(self, x: tf.Tensor, owner: str) -> int:
        shape = tf.convert_to_tensor(self._logits(x)).shape
        if shape.rank != 2 or shape[1] < 2:
            raise ValueError(
                f"`model` of {owner} must be a classifier with outputs of shape (batch, classes), "
                f"two classes or more. Received: a model with outputs of shape {tuple(shape)} for "
                f"a batch of {x.shape[0]}."
            )
        return int(shape[1])

    def _logits(self, z: tf.Tensor) -> tf.Tensor:
        return evaluated_model(self)(z, training=False)
