"""Attack criteria f_x: a perturbed sample z is an adversarial example of x where f_x(z) ≤ 0."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae.checks import check_boolean, check_number
from keras_uae.geometry import flatten, l2_norm
from keras_uae.settings import Settings, register


@dataclass(frozen=True)
class Criterion(Settings):
    """Base of the criteria: `criterion(x, z)` is f_x(z) for every sample, `(batch,)`.

    An attack evaluates it in two parts, because what depends on x alone need not be computed at
    each iteration: `reference(x, y)` once, then `value(reference, x, z)`. Labels y are `None`
    unless the user has given some.

    Args:
        model: The attacked model; `None` leaves it to the attack to fill in (see `bind`).
    """

    model: keras.Model | None = field(default=None, repr=False, compare=False)

    one_pass: ClassVar[bool] = True  # see `value`

    @property
    def inputs_per_sample(self) -> int:
        """How many inputs the model gets for one sample when f is evaluated."""
        return 1

    def bind(self, model: keras.Model) -> Self:
        """This criterion for `model`, unless it has a model already."""
        return self if self.model is not None else dataclasses.replace(self, model=model)

    def check_labels(self, y: Any, x: np.ndarray, owner: str) -> np.ndarray | None:
        """The labels `y` of the samples `x` as an array, or ValueError; most criteria take none."""
        if y is not None:
            raise ValueError(
                f"`y` of {owner} must be None: {type(self).__name__} uses no labels. "
                f"Received: y={y!r}."
            )
        return None

    def check(self, x: tf.Tensor, owner: str) -> None:
        """Raise ValueError unless samples like `x`, a small batch, can be judged for `owner`."""
        shape = tf.convert_to_tensor(self(x, x)).shape
        if shape != x.shape[:1]:
            raise ValueError(
                f"`criterion` of {owner} must give one value a sample, shape (batch,). "
                f"Received: shape {tuple(shape)} for a batch of {x.shape[0]}."
            )

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> Any:
        """What `value` needs to know of x and its label: a nest of tensors, batch in front."""
        del x, y
        return ()

    def value(self, reference: Any, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """f_x(z), `(batch,)`, differentiable in z.

        A class that sets `one_pass = True` promises that `reference` and `value` call the model
        at most once, on x and on z themselves: the similarity then reads its features from that
        call.
        """
        raise NotImplementedError

    def __call__(self, x: tf.Tensor, z: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        x, z = _real(x), _real(z)
        return self.value(self.reference(x, y), x, z)

    def get_config(self) -> dict[str, Any]:
        """The settings; the model belongs to the attack and is saved there."""
        config = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name != "model"
        }
        return config


@register
@dataclass(frozen=True)
class Reconstruction(Criterion):
    """f_x(z) = ‖x − Φ(z)‖₂ − ‖x − Φ(x)‖₂ + κ (section 3.2).

    z is an unsupervised adversarial example of x if the autoencoder Φ restores x from z no worse
    than from x itself, by a margin κ.

    Args:
        model: Autoencoder Φ whose output has the shape of its input. Defaults to `None`: the
            model of the attack.
        kappa: Float ≥ 0, margin κ, in the units of the norm. Defaults to `0`.
        squared: Boolean, squared norms as in the published code instead of the paper's norms.
            Defaults to `False`.

    Example:

        >>> criterion = uae.Reconstruction(autoencoder)
        >>> criterion(x, found.x)  # <= 0 wherever found.success
    """

    kappa: float = field(default=0.0, kw_only=True)
    squared: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_number("Reconstruction", "kappa", self.kappa, 0)

    def check(self, x: tf.Tensor, owner: str) -> None:
        del owner  # the message is about this criterion's own model
        shapes = [tuple(output.shape[1:]) for output in keras.tree.flatten(self._reconstruct(x))]
        if shapes != [tuple(x.shape[1:])]:
            raise ValueError(
                f"`model` of Reconstruction must give back the shape of its input, "
                f"{tuple(x.shape[1:])}. Received: a model with output shape "
                f"{', '.join(map(str, shapes))}."
            )

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        del y
        return self._error(x, x)

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return self._error(x, z) - reference + self.kappa

    def _error(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        difference = x - tf.cast(self._reconstruct(z), x.dtype)
        if self.squared:
            return tf.reduce_sum(flatten(difference) ** 2, axis=1)
        return l2_norm(difference)

    def _reconstruct(self, z: tf.Tensor) -> tf.Tensor:
        return evaluated_model(self)(z, training=False)


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

    targeted: bool = field(default=False, kw_only=True)
    kappa: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_boolean("Misclassification", "targeted", self.targeted)
        check_number("Misclassification", "kappa", self.kappa, 0)

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


@register
@dataclass(frozen=True)
class FunctionCriterion(Criterion):
    """A user's own criterion: any callable `f(x, z) -> (batch,)` made of TensorFlow operations.

    Args:
        function: The callable; registered with Keras if the attack is to be saved.
    """

    one_pass: ClassVar[bool] = False
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = field(kw_only=True)

    def value(self, reference: Any, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        del reference
        return tf.cast(self.function(x, z), x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"function": keras.saving.serialize_keras_object(self.function)}


def get(criterion: Any, model: keras.Model, owner: str = "MinMaxAttack") -> Criterion:
    """A criterion bound to `model`: `None` stands for `Reconstruction()`."""
    if criterion is None:
        criterion = Reconstruction()
    if not isinstance(criterion, Criterion):
        if not callable(criterion) or isinstance(criterion, type):
            raise ValueError(
                f"`criterion` of {owner} must be a Criterion or a callable f(x, z) that gives "
                f"one value a sample. Received: criterion={criterion!r}."
            )
        criterion = FunctionCriterion(function=criterion)
    return criterion.bind(model)


def evaluated_model(criterion: Criterion) -> keras.Model:
    """The model of a criterion that is to be evaluated."""
    if criterion.model is None:
        raise ValueError(
            f"`model` of {type(criterion).__name__} must be set to evaluate it outside an attack. "
            "Received: model=None."
        )
    return criterion.model


def _real(x: Any) -> tf.Tensor:
    x = tf.convert_to_tensor(x)
    return x if x.dtype.is_floating else tf.cast(x, keras.config.floatx())
