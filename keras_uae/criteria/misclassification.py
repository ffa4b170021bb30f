"""Misclassification: an example is given another class than the original (section 3.1)."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import By, Number, check_boolean
from keras_uae._settings import register
from keras_uae.criteria.base import Output, OutputCriterion, check_rows

_TIE = 1e-6  # f of two equal logits


@register
@dataclass(frozen=True)
class Misclassification(OutputCriterion):
    """f_x(z) = logit_y(z) − max_{j ≠ y} logit_j(z) + κ (section 3.1).

    z is a supervised adversarial example of x, of class y, if the classifier gives it another
    class, by a margin κ. Targeted, y is the class to be reached and the difference turns round.
    The attack that goes with it *maximises* the similarity: `objective="maximize"`.

    Args:
        model: Classifier whose output has the shape `(batch, classes)`: logits, or probabilities,
            which are recognised (each in [0, 1], their sum 1) and of which the logarithm is taken.
            Defaults to `None`: the model of the attack.
        targeted: Boolean, whether the labels are classes to be reached rather than left. Defaults
            to `False`.
        kappa: Float ≥ 0, margin κ, in the units of logits. Defaults to `0`.
        output: Place or name of the logits among several outputs. Defaults to `None`: the only
            one.

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
    output: Output = None

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
                f"`y` of {owner} must hold one integer a sample, shape ({len(x)},)"
                f"{_label_remedy(y.shape, y.dtype.kind)}. "
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

    def notes(self, x: tf.Tensor) -> list[str]:
        given = bool(tf.reduce_all(_are_probabilities(self.judged(x))))
        return ["criterion: the model gives probabilities, of which the logarithm is taken"] * given

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        if y is None:
            if self.targeted:
                raise ValueError(
                    "`y` of Misclassification must be given where it is targeted. Received: y=None."
                )
            y = tf.argmax(self.judged(x), axis=1)
        y = tf.convert_to_tensor(y)
        y = y[:, 0] if y.shape.rank == 2 and y.shape[1] == 1 else y
        if y.shape.rank != 1 or not y.dtype.is_integer:
            kind = "i" if y.dtype.is_integer else "f"
            raise ValueError(
                f"`y` of Misclassification must hold one integer a sample, shape (batch,)"
                f"{_label_remedy(tuple(y.shape), kind)}. "
                f"Received: y of shape {tuple(y.shape)} and dtype {y.dtype.name}."
            )
        return tf.cast(y, tf.int64)

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        logits = logits_of(tf.cast(self.judged(z), x.dtype))
        classes = tf.shape(logits, tf.int64)[1]
        known = (reference >= 0) & (reference < classes)
        if tf.executing_eagerly() and not tf.reduce_all(known):
            raise ValueError(
                f"`y` of Misclassification must be in [0, {classes - 1}], the model's classes. "
                f"Received: y from {tf.reduce_min(reference)} to {tf.reduce_max(reference)}."
            )
        chosen = tf.one_hot(reference, tf.shape(logits)[1], dtype=logits.dtype)
        own = tf.reduce_sum(logits * chosen, axis=1)
        # far below every other, so that the class itself is never the greatest of the others
        other = tf.reduce_max(logits - chosen * (logits.dtype.max / 4), axis=1)
        margin = other - own if self.targeted else own - other
        # a tie, which is common in half precision, gives no other class than the first of the two
        margin += tf.where(margin == 0, tf.constant(_TIE, margin.dtype), 0)
        nothing = tf.constant(float("nan"), margin.dtype)  # of no class: no example
        return tf.where(known, margin, nothing) + self.kappa

    def _classes(self, x: tf.Tensor, owner: str) -> int:
        outputs = tf.convert_to_tensor(self.judged(x))
        check_rows(owner, outputs, x)
        shape = outputs.shape
        if shape.rank != 2 or shape[1] < 2:
            two = "lambda x: keras.ops.concatenate([1 - model(x), model(x)], 1)"
            way = f"make two of one probability: {two}"
            way = way if shape.rank == 2 else "or give a criterion of your own, f(x, z)"
            raise ValueError(
                f"`model` of {owner} must be a classifier with outputs of shape (batch, classes), "
                f"two classes or more; {way}. Received: a model with outputs of shape "
                f"{tuple(shape)} for a batch of {x.shape[0]}."
            )
        return int(shape[1])


def _label_remedy(shape: tuple[int, ...], kind: str) -> str:
    """How labels of another shape or kind become class numbers, if that is known."""
    if len(shape) == 2 and shape[1] > 1:
        return (
            "; those of one-hot rows are y.argmax(axis=1), and where a sample has several labels "
            "give a criterion of your own, f(x, z)"
        )
    return "; of whole numbers they are y.astype(int)" if len(shape) == 1 and kind == "f" else ""


def logits_of(outputs: tf.Tensor) -> tf.Tensor:
    """Logits `(batch, classes)`, whether a classifier gives them or probabilities.

    A row of numbers in [0, 1] that sum to 1 are probabilities, whose logarithms are logits. The
    difference of two probabilities, once they are near 0 and 1, has no gradient to speak of.
    """
    given = _are_probabilities(outputs)[:, tf.newaxis]
    # where there are none the logarithm is not taken, nor its gradient
    safe = tf.where(given, tf.maximum(outputs, _least(outputs.dtype)), tf.ones_like(outputs))
    return tf.where(given, tf.math.log(safe), outputs)


def _are_probabilities(outputs: tf.Tensor) -> tf.Tensor:
    """Whether each row of `(batch, classes)` has numbers in [0, 1] that sum to 1."""
    slack = 1e-3 if outputs.dtype.size >= 4 else 0.05
    off = tf.abs(tf.reduce_sum(outputs, axis=1) - 1)
    return (tf.reduce_min(outputs, axis=1) >= 0) & (off < slack)


def _least(dtype: tf.DType) -> float:
    return 1e-7 if dtype == tf.float16 else 1e-30
