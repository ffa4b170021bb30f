"""What is attacked: a model with its criterion, and what has been seen of the two."""

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._inputs import check_shape
from keras_uae._model_layers import HeldInputs, flat_layers, signature
from keras_uae.attacks.data_space import DataSpace
from keras_uae.attacks.inspection import Behaviour, magnified, observed, other_mode
from keras_uae.attacks.samples import Samples
from keras_uae.criteria import Criterion, FunctionCriterion
from keras_uae.results import UAEs


@dataclasses.dataclass
class Subject:
    """A model and the criterion that judges it. What is seen of them by samples is kept."""

    model: keras.Model
    single_input: keras.Model  # the model as a function of the input that is attacked
    criterion: Criterion
    dtype: str
    owner: str  # for messages
    behaviour: Behaviour = Behaviour()
    seen: int = 0  # samples that showed it: one mixes with no other
    notes: list[str] = dataclasses.field(default_factory=list)
    _made_of: Any = None  # what a graph of the model holds, see `signature`
    _checked: Any = None  # the shapes of the samples that were checked last

    @property
    def input_shape(self) -> Any:
        """What the model says of the attacked input; `None` where that is nothing."""
        one = self.single_input is self.model
        return getattr(self.model, "input_shape", None) if one else None

    def changed(self) -> bool:
        """Whether the model has got other layers since it was seen."""
        if self._made_of is None:  # not looked at yet: the layers that it tells of
            self._made_of = signature([self.model, *flat_layers(self.model)])
            return False
        return signature([layer for layer, *_ in self._made_of]) != self._made_of

    def holding(self, held: Mapping[Any, Any] | None) -> contextlib.AbstractContextManager:
        """The inputs that are not attacked, where there are any, while the context is open."""
        if isinstance(self.single_input, HeldInputs) and held is not None:
            return self.single_input.holding(held)
        return contextlib.nullcontext()

    def outputs(self, samples: Samples) -> Any:
        """What the model gives for samples."""
        some = samples.tensors(self.dtype)
        with self.holding(some.held):
            return self.single_input(some.x, training=False)

    def f(self, samples: Samples, z: np.ndarray) -> tf.Tensor:
        """f of `z` as examples of samples, `(n,)`."""
        some = samples.tensors(self.dtype)
        with self.holding(some.held):
            return self.criterion(some.x, tf.constant(z, self.dtype), some.y)

    def any_labels(self, x: Any) -> tf.Tensor | None:
        """Labels that samples can have, where the criterion takes any."""
        return tf.zeros(x.shape[:1], tf.int64) if self.criterion.takes_labels else None

    def check_takes(self, shape: Sequence[int], owner: str) -> None:
        """Raise ValueError unless the model takes samples, all of them, of `shape`."""
        expected = self.input_shape
        if isinstance(expected, (list, dict)):
            raise ValueError(
                f"`attacked` of {owner} must name the input that is attacked, the others are held: "
                f"attacked='image' and generate({{'image': …, …}}), or a place and a list. "
                f"Received: attacked=None and model {self.model.name!r} with inputs of shape "
                f"{expected}."
            )
        if expected is not None:  # any number of samples, though it may remember one
            check_shape(owner, "x", shape, (None, *expected[1:]))

    def check(self, x: tf.Tensor) -> None:
        """Raise ValueError unless samples like `x`, a small batch, are judged with a gradient."""
        with keras.StatelessScope():
            self.criterion.check(x, self.owner)
            self.notes = self.criterion.notes(x)
            reference, z = self.criterion.reference(x, self.any_labels(x)), tf.identity(x)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                f = self.criterion.value(reference, x, z)
        # a function of the user's may be a constant on purpose
        given = isinstance(self.criterion, FunctionCriterion)
        if tape.gradient(f, z) is None and not given:
            raise ValueError(
                f"`model` of {self.owner} must pass a gradient from the criterion to its input, "
                f"but there is none: an integer Input, a cast, rounding, argmax, a discrete sample "
                f"or Embedding stands in between, or the predict() of a model. Give the model a "
                f"float Input, attack what comes after that layer, or call the model: lambda x: "
                f"model(x), and model(x).mean() of a distribution. "
                f"Received: model={self.model.name!r}."
            )

    def look(self, x: Samples, space: DataSpace, check: Callable[[tf.Tensor], None]) -> Behaviour:
        """What the model does with samples like `x`; with a warning of what speaks against it.

        Args:
            x: The samples, without labels.
            space: Where they lie.
            check: Function of a small batch of them that raises where it cannot be attacked.
        """
        self.criterion.check_bounds(space.low, space.high, self.owner)
        # two rows that differ: so do one value a sample and one in all, and what they say together
        pair = dataclasses.replace(x, y=self.any_labels(x.x)).unlike().within(space.limits())
        behaviour, new = self.behaviour, self.seen < len(pair)
        if new:
            size = None if self.input_shape is None else self.input_shape[0]
            behaviour = observed(
                lambda rows: self.outputs(pair.rows(rows)), len(pair), size, self.owner
            )
        if new or pair.shapes != self._checked:  # it passes the model several times
            copies = pair.rows([0] * (behaviour.batch or 2)).tensors(self.dtype)
            with self.holding(copies.held):
                check(copies.x)
            self._checked = pair.shapes
        if new:
            behaviour, doubts = self._doubted(pair, space, behaviour)
            for doubt in doubts:
                warnings.warn(doubt, stacklevel=5)
            self.behaviour, self.seen = behaviour, len(pair)
            self._made_of = signature(behaviour.layers)
        return behaviour

    def _doubted(
        self, pair: Samples, space: DataSpace, behaviour: Behaviour
    ) -> tuple[Behaviour, list[str]]:
        """The behaviour of the model and of f, and what speaks against examples of samples."""
        doubts = behaviour.doubts(f"model {self.model.name!r}", self.owner)
        rows = np.resize(range(len(pair)), behaviour.batch or 2)
        some = pair.rows(rows).tensors(self.dtype)
        with self.holding(some.held), keras.StatelessScope():
            doubts += self.criterion.doubts(some.x, space.low, space.high)
        if space.free is None and np.ndim(space.low) == 0:  # all features move
            doubts += magnified(behaviour.layers, np.subtract(space.high, space.low))
        if behaviour.noise != "unseeded":  # which differs from pass to pass in any mode
            doubts += other_mode(self.single_input, some.x, self.owner)
        if self.criterion.plain and self.criterion.model is self.single_input:
            return behaviour, doubts
        f = observed(
            lambda rows: self.f(pair.rows(rows), pair.x[rows]),
            len(pair),
            behaviour.batch,
            self.owner,
        )
        both = behaviour.beside(f)
        if (both.noise, both.mixes, both.nan) != (behaviour.noise, behaviour.mixes, behaviour.nan):
            doubts += f.doubts(f"criterion {self.criterion!r}", self.owner)
        return both, doubts

    @property
    def told(self) -> bool:
        """Whether `changed` tells of all that a graph holds: the code that has run is Keras'."""
        return self.behaviour.of_keras and self.criterion.plain

    def holds(self, found: UAEs, samples: Samples, space: DataSpace) -> bool:
        """Whether f of two of the examples is what it was when the attack was traced.

        It is not if it hangs on something in Python that has changed since, which `changed` does
        not tell: what a function has in its closure, an attribute that is an integer or an object.
        """
        rows = np.flatnonzero(found.success)
        if not len(rows):
            return True
        rows = np.resize(rows[:2], self.behaviour.batch or 2)
        with keras.StatelessScope():
            f = np.asarray(self.f(samples.rows(rows), found.x[rows]))
        power, size = self.criterion.power, np.prod(found.x.shape[1:])
        rounding = 1e-5 * size ** (max(power, 1) / 2)  # of a norm of such samples
        return np.allclose(
            f, found.criterion[rows], rtol=1e-3, atol=rounding * space.mean_unit**power
        )
