"""Attack criteria f_x: a perturbed sample z is an adversarial example of x where f_x(z) ≤ 0."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import By, check_place
from keras_uae._model_layers import as_model
from keras_uae._settings import Settings


@dataclass(frozen=True)
class Criterion(Settings):
    """Base of the criteria: `criterion(x, z)` is f_x(z) for every sample, `(batch,)`.

    An attack evaluates it in two parts, because what depends on x alone need not be computed at
    each iteration: `reference(x, y)` once, then `value(reference, x, z)`. Labels y are `None`
    unless the user has given some.

    Args:
        model: The attacked model; `None` leaves it to the attack to fill in (see `bind`).

    Example:

        >>> class Darker(uae.Criterion):
        ...     def value(self, reference, x, z):
        ...         return tf.reduce_mean(z - x, axis=[1, 2, 3])
        >>> found = uae.MinMaxAttack(autoencoder, criterion=Darker()).generate(x)
    """

    model: keras.Model | None = field(default=None, repr=False, compare=False)

    one_pass: ClassVar[bool] = True  # see `value`
    takes_labels: ClassVar[bool] = False  # whether y is anything but `None`

    def notes(self, x: tf.Tensor) -> list[str]:
        """What the criterion finds out for itself of samples like `x`, in words."""
        del x
        return []

    def doubts(self, x: tf.Tensor, low: Any, high: Any) -> list[str]:
        """What speaks against judging samples like `x`, in `low` to `high`, to be warned of."""
        del x, low, high
        return []

    @property
    def power(self) -> int:
        """f is measured in the units of the data to this power, by which an attack divides it."""
        return 0

    @property
    def plain(self) -> bool:
        """Whether f draws noise and mixes samples nowhere but in its model, as ours of one pass."""
        return self.one_pass and type(self).__module__.startswith("keras_uae.criteria.")

    @property
    def inputs_per_sample(self) -> int:
        """How many inputs the model gets for one sample when f is evaluated."""
        return 1

    def bind(self, model: keras.Model) -> Self:
        """This criterion for `model`, unless it has a model already."""
        return self if self.model is not None else dataclasses.replace(self, model=model)

    def choose(self, outputs: Any) -> Any:
        """The one of a model's outputs that is judged; a single one as it is."""
        return outputs

    def check_labels(self, y: Any, x: np.ndarray, owner: str) -> np.ndarray | None:
        """The labels `y` of the samples `x` as an array, or ValueError; most criteria take none."""
        if y is not None:
            raise ValueError(
                f"`y` of {owner} must be None: {type(self).__name__} uses no labels; the criterion "
                f"'misclassification' does. Received: y of shape {np.shape(y)}."
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

    def check_bounds(self, low: Any, high: Any, owner: str) -> None:
        """Raise ValueError unless samples from `low` to `high` can be judged for `owner`."""

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
        config = super().get_config()
        del config["model"]
        return config


def evaluated_model(criterion: Criterion) -> keras.Model:
    """The model of a criterion that is to be evaluated; it may be a function."""
    if criterion.model is None:
        raise ValueError(
            f"`model` of {type(criterion).__name__} must be set to evaluate it outside an attack. "
            "Received: model=None."
        )
    return as_model(criterion.model)


def check_rows(owner: str, outputs: tf.Tensor, x: tf.Tensor) -> None:
    """Raise ValueError if the `outputs` of a model have more rows than there are samples `x`."""
    shape = tuple(outputs.shape)
    if shape and shape[0] > x.shape[0]:  # one for all is that of a graph, a batch of one
        raise ValueError(
            f"`model` of {owner} must give one row a sample: of a model that makes several views "
            f"of one attack the part that sees a view, such as lambda x: model.encoder(x). "
            f"Received: a model with outputs of shape {shape} for a batch of {x.shape[0]}."
        )


Output = Annotated[int | str | None, By(check_place)]


class OutputCriterion(Criterion):
    """Base of the criteria that judge one output of a model, which may have several."""

    output: int | str | None  # a field of the subclass

    def choose(self, outputs: Any) -> Any:
        if not isinstance(outputs, (list, tuple, Mapping)):
            return outputs
        named = dict(outputs if isinstance(outputs, Mapping) else enumerate(outputs))
        name = next(iter(named)) if self.output is None and len(named) == 1 else self.output
        if name in named:
            if isinstance(named[name], (list, tuple, Mapping)):
                raise ValueError(
                    f"`output` of {type(self).__name__} must name one tensor: attack the function "
                    f"of one, lambda x: model(x)[{name!r}][…]. "
                    f"Received: output={name!r}, a {type(named[name]).__name__} of several."
                )
            return named[name]
        names = list(named)
        shapes = {name: tuple(getattr(each, "shape", ())) for name, each in named.items()}
        raise ValueError(
            f"`output` of {type(self).__name__} must name the output that is judged, one of "
            f"{', '.join(map(repr, names))}: criterion={type(self).__name__}(output={names[0]!r}), "
            f"or attack the function of one, lambda x: model(x)[{names[0]!r}]. "
            f"Received: output={self.output!r} and outputs of shapes {shapes}."
        )

    def judged(self, z: tf.Tensor) -> tf.Tensor:
        """What the model gives for z."""
        # of a distribution, as of TensorFlow Probability, what it stands for: a sample or the mean
        return tf.convert_to_tensor(self.choose(evaluated_model(self)(z, training=False)))


def _real(x: Any) -> tf.Tensor:
    x = tf.convert_to_tensor(x)
    return x if x.dtype.is_floating else tf.cast(x, keras.config.floatx())
