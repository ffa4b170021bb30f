"""The base of the attacks: what is attacked, how it is judged, and how the attack is run."""

import copy
import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae import criteria
from keras_uae._checks import (
    By,
    Integer,
    Number,
    check_choice,
    check_integer,
    check_place,
    check_samples,
    check_tensor,
    checked,
)
from keras_uae._datasets import samples_and_labels
from keras_uae._model_layers import HeldInputs, with_mode
from keras_uae._processor import WITH_ONEDNN, leaves_onednn_out
from keras_uae._settings import revived, serialized
from keras_uae.attacks.data_space import DataSpace, data_bounds
from keras_uae.attacks.generation import Plan, each_batch, gathered
from keras_uae.attacks.inspection import Behaviour
from keras_uae.attacks.judgement import (
    JUDGING_DRAWS,
    SEARCH_DRAWS,
    bound,
    judged,
)
from keras_uae.attacks.models import attacked_model, serialized_model
from keras_uae.attacks.samples import Samples, joined, split
from keras_uae.attacks.subject import Subject
from keras_uae.criteria import Criterion
from keras_uae.results import UAEs

# Values of features and input that a batch may hold; see `auto_batch_size`.
_BATCH_VALUES = 2**23
_LARGEST_BATCH = 512


# Settings of all attacks
AnyCriterion = Annotated[Any, By(criteria.check_criterion)]
Epsilon = Annotated[float, Number(0)]
Steps = Annotated[int, Integer(1)]
Attacked = Annotated[int | str | None, By(check_place)]

# What an attack finds (the fields of `UAEs` by name), and its trace.
Found = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


_OF_A_LAYER = ("name", "dtype", "trainable")  # what Keras' own layers take beside their settings


@dataclasses.dataclass
class _Kept:
    """What an attack keeps where Keras, which tracks and saves its attributes, does not see it."""

    located: "Attack | None" = None  # the attack with the bounds of the data
    margin: tf.Tensor | None = None  # what f is to be below 0 by, while such a graph is traced
    traced: bool = False  # whether there is a graph, also of a call of the layer


class Attack(keras.layers.Layer):
    """Base of the attacks: a layer that takes samples and gives their examples.

    The settings of a subclass are the keyword arguments of its `__init__`, each with its default
    and, in the annotation, its check. Its `__init__` hands them all over with

        super().__init__(model, locals(), **kwargs)

    and they become attributes of the same names. It also gives the loop, `run`.

    Args:
        model: Built `keras.Model` under attack, or a callable of Keras layers.
        given: The settings by name, among other things.
        **kwargs: `name`, `dtype` and `trainable` of a Keras layer. An attack computes in float32 at
            least, whatever the policy of the model.

    Example:

        >>> def attack_all(attacks: list[uae.Attack], x):
        ...     return {type(each).__name__: each.generate(x) for each in attacks}
    """

    model: keras.Model
    criterion: Criterion
    epsilon: float
    steps: int
    bounds: Any
    units: str = "range"
    frozen_features: Any = None
    attacked: int | str | None = None
    seed: int
    single_input: keras.Model  # the model as a function of the input that is attacked

    def __init__(
        self, model: keras.Model | Callable[..., Any], given: Mapping[str, Any], **kwargs: Any
    ):
        owner = type(self).__name__
        for name in kwargs:
            check_choice(owner, "keyword", name, (*self.settings(), *_OF_A_LAYER))
        super().__init__(**kwargs, autocast=False)
        if tf.as_dtype(self.variable_dtype).size < 4:  # f would round by more than it is below 0 by
            self.dtype_policy = keras.DTypePolicy("float32")
        model = attacked_model(owner, model)
        values = {name: given[name] for name in self.settings() if name in given}
        for each in self._classes():
            values = checked(owner, each.__init__, values)
        for name, value in values.items():
            setattr(self, name, value)
        # Past Keras' own __setattr__, which would make the weights, losses and metrics of the
        # attacked model those of every model around the attack. Saving finds it all the same, under
        # the first of its names in alphabetical order.
        attacked = values.get("attacked")
        self.__dict__["model"] = model
        self.__dict__["single_input"] = model if attacked is None else HeldInputs(model, attacked)
        self.criterion = self.criterion.bind(self.single_input)
        # what is held and the margin stand here while a graph is traced: one thread at a time
        self.__dict__["_turn"] = threading.RLock()
        self.built = True
        self.forget()

    def forget(self) -> None:
        """Begin anew: the model is to be looked at and traced as it is by then."""
        self._subject = Subject(
            self.model,
            self.single_input,
            self.criterion,
            self.variable_dtype,
            type(self).__name__,
        )
        self._kept = _Kept()
        self._compiled = tf.function(functools.partial(_isolated, self), autograph=False)
        self._judging = tf.function(functools.partial(_judged, self), autograph=False)

    def _forget_another_model(self) -> None:
        """`forget` what was traced of a model whose layers have changed since."""
        if self._subject.changed():
            self.forget()

    @classmethod
    def settings(cls) -> list[str]:
        """The names of the settings: the keyword arguments of `__init__`, inherited ones too."""
        arguments = (inspect.signature(each.__init__).parameters for each in cls._classes())
        return list(
            dict.fromkeys(
                argument.name
                for each in arguments
                for argument in each.values()
                if argument.kind is argument.KEYWORD_ONLY
            )
        )

    @classmethod
    def _classes(cls) -> "list[type[Attack]]":
        return [each for each in reversed(cls.__mro__) if issubclass(each, Attack)]

    def call(
        self,
        x: Any,
        index: tf.Tensor | None = None,
        y: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        x, held = split(x, self.attacked, type(self).__name__)
        x = tf.convert_to_tensor(x)
        limits = self.space(x.shape[1:]).limits()
        x = tf.cast(check_tensor(type(self).__name__, x, bounds=limits), self.variable_dtype)
        index = tf.range(tf.shape(x)[0], dtype=tf.int64) if index is None else index
        with self._turn:
            self._forget_another_model()
            found, _ = self.search(x, index, tf.constant(self.seed, tf.int64), y, held=held)
        # the attacked model has run as it is used, which is nothing to the layers after the attack
        return with_mode(found["x"], training)

    def generate(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | str = "auto",
        seed: int = 0,
        index: Any = None,
        trace: bool = False,
        verbose: int | str = "auto",
    ) -> UAEs:
        """Attack a whole data set, however large.

        The result for a sample depends on the settings, the model, the sample, `seed` and the
        sample's `index`; not on batch size, order or the other samples (up to rounding).

        Args:
            x: Array `(n, ...)` inside `bounds`, or a tensor, frame or list; memory-mapped ones are
                read batch by batch. Or a batched `tf.data.Dataset` or `keras.utils.PyDataset`, of
                samples or pairs `(samples, labels)`, which is read once, in its order, into as much
                memory as its samples take: do not let it shuffle.
                What is outside `bounds` by rounding of its dtype alone counts as on the bound.
                Of a model with several inputs (see `attacked`) a list or dict of such arrays.
            y: Labels `(n,)` or `(n, 1)`, if the criterion takes any. Defaults to `None`: those of
                the data set, if `x` is one of pairs. If the criterion takes none, these are left
                out.
            batch_size: Integer, or "auto" for one that suits the caches. Defaults to `"auto"`.
            seed: Integer, fixes δ₀ and everything that the estimator draws. Defaults to `0`.
            index: Integers `(n,)`, the place of each sample in its data set, which keys δ₀.
                Defaults to `None`: 0, 1, …, n − 1.
            trace: Boolean, also return the criterion of every iteration and, of `MinMaxAttack`,
                similarity, c and stationarity gap. Defaults to `False`.
            verbose: 0 for silence, 1 for a progress bar with the time left. Defaults to
                `"auto"`: 1.

        Returns:
            `UAEs`: per-sample arrays `x`, `success`, `similarity`, `criterion`, `multiplier`,
            `iteration`, `frozen`, and `trace`.

        Raises:
            ValueError: `x` is empty, not finite, outside `bounds`, of another shape than the
                model takes, a data set without batches or without end, or the model or the labels
                do not suit the criterion.
            GenerationInterrupted: Ctrl-C; carries what was done by then.
        """
        samples = self._samples(x, y)  # here, so that a data set is not read twice
        attack = self.located(samples.chunks())
        batches = attack.batches(
            joined(samples, self.attacked),
            samples.y,
            batch_size=batch_size,
            seed=seed,
            index=index,
            trace=trace,
        )
        if verbose:
            for note in attack.notes:
                print(f"{type(self).__name__}: {note}")
        return gathered(batches, len(samples), attack.measure, progress=bool(verbose))

    def batches(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | str = "auto",
        seed: int = 0,
        index: Any = None,
        trace: bool = False,
        exact: bool = False,
    ) -> Iterator[UAEs]:
        """Attack a data set batch by batch, in order; what `generate` joins.

        Everything is checked before this returns. All batches have one size; what the last one
        lacks is filled up with copies, which are cut off again.

        Args:
            x, y, batch_size, seed, index, trace: As of `generate`.
            exact: Boolean, have batches of `batch_size` also where there are fewer samples. It
                takes longer, but parts of a data set then share one trace, and their rounding.
                Defaults to `False`: a batch is never larger than the data.

        Returns:
            Iterator over the `UAEs` of consecutive samples.

        Raises:
            ValueError: As of `generate`.

        Example:

            >>> for found in attack.batches(x_train, batch_size=256):
            ...     found.save(f"batch-{found.x.sum():.0f}.npz")
        """
        owner = f"{type(self).__name__}.generate"
        samples = self._samples(x, y)
        attack = self.located(samples.chunks())
        if attack is not self:
            settings: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "index": index}
            inputs = joined(samples, self.attacked)
            return attack.batches(inputs, samples.y, **settings, trace=trace, exact=exact)
        shape = samples.x.shape[1:]
        space = self.space(shape)
        limits = space.limits()
        x = check_samples(owner, samples.x, bounds=limits)
        samples = dataclasses.replace(samples, x=x)
        space.check_exact(owner, samples.chunks(), self.variable_dtype)
        # beside the sample that the check of the labels looks at; they are not checked yet
        first = dataclasses.replace(samples, y=None).rows([0]).tensors(self.variable_dtype)
        with self._turn:
            self._forget_another_model()
            traced = self._kept.traced
            behaviour = self.check_model_takes(x, owner, samples.held)
            with self._subject.holding(first.held):
                y = self.criterion.check_labels(samples.y, x, owner)
        samples = dataclasses.replace(samples, y=y, index=_check_index(owner, index, len(x)))
        seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
        if behaviour.batch is not None:
            if batch_size not in ("auto", behaviour.batch):
                raise ValueError(
                    f"`batch_size` of {owner} must be that of the model, {behaviour.batch}, or "
                    f"'auto'. Received: batch_size={batch_size!r}."
                )
            batch_size, exact = behaviour.batch, True
        if batch_size == "auto":
            batch_size = self.auto_batch_size(shape)
            batch_size = max(batch_size // (SEARCH_DRAWS if behaviour.noise else 1), 1)
        size = check_integer(owner, "batch_size", batch_size, 1)
        size = size if exact else min(size, len(x))
        plan = Plan(size, seed, trace, bool(behaviour.noise), limits)
        batches = each_batch(functools.partial(self._found, plan), samples, plan)
        if not traced or self._subject.told or plan.noise or behaviour.mixes:
            return batches
        return self._each_that_holds(batches, samples, plan)

    def _found(self, plan: Plan, batch: Samples, margin: np.ndarray) -> tuple[UAEs, np.ndarray]:
        """What one search finds of a batch, and what fresh draws lack of it."""
        batch = batch.tensors(self.variable_dtype)
        needed = tf.constant(margin, batch.x.dtype) if plan.noise else None
        key = batch.index, tf.constant(plan.seed, tf.int64)
        lacking = tf.zeros(plan.size)
        with self._turn:
            found, history = self.search(batch.x, *key, batch.y, plan.trace, batch.held, needed)
            if plan.noise:
                found, lacking = self._judging(batch.x, found, batch.y, batch.held)
        return UAEs.from_tensors(found, history, self.measure), lacking.numpy()

    def _each_that_holds(
        self, batches: Iterator[UAEs], samples: Samples, plan: Plan
    ) -> Iterator[UAEs]:
        """The batches; anew, if the model is no longer the one that was traced."""
        first = next(batches)
        with self._turn:
            holds = self._subject.holds(first, samples, self.space(samples.x.shape[1:]))
            if not holds:
                self.forget()
        if holds:
            yield first
            yield from batches
        else:
            inputs, settings = joined(samples, self.attacked), {"index": samples.index}
            settings |= {"batch_size": plan.size, "seed": plan.seed, "trace": plan.trace}
            yield from self.batches(inputs, samples.y, **settings, exact=True)

    def search(
        self,
        x: tf.Tensor,
        index: tf.Tensor,
        seed: tf.Tensor,
        y: tf.Tensor | None = None,
        trace: bool = False,
        held: Mapping[Any, tf.Tensor] | None = None,
        margin: tf.Tensor | None = None,
    ) -> Found:
        """`run` on a batch of tensors, compiled once a shape and dtype.

        `held` are the inputs that are not attacked; f + `margin` stands for f.
        """
        if not self.prepared:
            # in the graph that is traced, if one is: `init_scope` stops the tapes, by which layers
            # that see the input are found
            with self._subject.holding({key: _two(each) for key, each in (held or {}).items()}):
                self.prepare(_two(x))
        self._kept.traced = True
        return self._compiled(x, index, seed, y, trace=trace, held=dict(held or {}), margin=margin)

    def run(
        self,
        x: tf.Tensor,
        index: tf.Tensor,
        seed: tf.Tensor,
        y: tf.Tensor | None = None,
        trace: bool = False,
    ) -> Found:
        """The loop of the attack; see `minmax` for arguments and results."""
        raise NotImplementedError

    @property
    def prepared(self) -> bool:
        """Whether `prepare` has nothing left to do."""
        return True

    def prepare(self, x: tf.Tensor) -> None:
        """Settle on what depends on the shape of the samples, of which `x` are a few."""

    def f(self, reference: Any, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """f_x(z), `(batch,)`; with noise in the model a mean, and the margin that it needs."""
        if self.margin is None:
            return tf.cast(self.criterion.value(reference, x, z), z.dtype)
        # a pass for each draw: a longer batch suits not every model, nor inputs that are held
        draws = [tf.cast(self.criterion.value(each, x, z), z.dtype) for each in reference]
        return bound(draws) + self.margin

    def f_reference(self, x: tf.Tensor, y: tf.Tensor | None) -> Any:
        """What `f` needs to know of x."""
        if self.margin is None:
            return self.criterion.reference(x, y)
        return [self.criterion.reference(x, y) for _ in range(SEARCH_DRAWS)]

    @property
    def margin(self) -> tf.Tensor | None:
        """What f is to be below 0 by, in the graph that is traced; `None` without noise."""
        return self._kept.margin

    @property
    def draws(self) -> int:
        """Passes of the model in which the graph that is traced evaluates f."""
        return 1 if self.margin is None else SEARCH_DRAWS

    def evaluate(self, function: Callable[[], Any]) -> Any:
        """What `function`, a pass of the model, gives: each one with the same random numbers."""
        # a scope of its own starts where the model's generators of random numbers stand
        with keras.StatelessScope():
            return function()

    def check(self, x: tf.Tensor) -> None:
        """Raise ValueError unless samples like `x`, a small batch, can be attacked."""
        self._subject.check(x)

    def check_shape(self, shape: Sequence[int], owner: str) -> None:
        """Raise ValueError unless the model takes samples, all of them, of `shape`."""
        self._subject.check_takes(shape, owner)

    def check_model_takes(
        self, x: np.ndarray, owner: str, held: Mapping[Any, Any] | None = None
    ) -> Behaviour:
        """What the model does with samples like `x`, or ValueError where it cannot be attacked."""
        self.check_shape(x.shape, owner)
        return self._subject.look(Samples(x, dict(held or {})), self.space(x.shape[1:]), self.check)

    def space(self, shape: tuple[int, ...]) -> DataSpace:
        """Where samples of `shape` lie.

        Raises:
            ValueError: The bounds are those of data that are not at hand.
        """
        if isinstance(self.bounds, str):
            raise ValueError(
                f"`bounds` of {type(self).__name__} are to be read off the data, so call "
                f"generate(x), or give numbers. Received: bounds={self.bounds!r}."
            )
        return DataSpace.of(
            self.bounds, self.units, self.frozen_features, shape, self.variable_dtype
        )

    def located(self, parts: Iterable[np.ndarray]) -> "Attack":
        """This attack with the bounds of samples, where it is to read them off the data."""
        if not isinstance(self.bounds, str):
            return self
        low, high = data_bounds(parts, self.bounds)
        known = self._kept.located
        if known is None or not all(map(np.array_equal, known.bounds, (low, high))):
            settings = {name: getattr(self, name) for name in self.settings()}
            if self.criterion.model is self.single_input:
                settings["criterion"] = dataclasses.replace(self.criterion, model=None)
            known = type(self)(
                self.model,
                **{**settings, "bounds": (low, high)},
                dtype=self.dtype_policy,
                name=self.name,
            )
            self._kept.located = known  # with its trace
        return known

    def _samples(self, x: Any, y: Any) -> Samples:
        """The inputs and labels, of whatever holds them."""
        owner = f"{type(self).__name__}.generate"
        x, held = split(x, self.attacked, owner)
        takes_labels = self.criterion.takes_labels
        x, y = samples_and_labels(owner, x, y, model=self.model, takes_labels=takes_labels)
        samples = Samples(x, held, y)
        samples.check_lengths(self.attacked, owner)
        return samples

    @property
    def notes(self) -> list[str]:
        """What the attack has chosen for itself, in words, once it has seen samples."""
        return (self._kept.located or self)._chosen()

    def _chosen(self) -> list[str]:
        """`notes` of an attack that has its bounds."""
        notes, behaviour = list(self._subject.notes), self._subject.behaviour
        if behaviour.noise:
            notes.append(f"success: judged on {JUDGING_DRAWS} fresh draws of the model's noise")
        on_cpu = not tf.config.list_physical_devices("GPU")
        if on_cpu and behaviour.convolves and leaves_onednn_out():
            notes.append(WITH_ONEDNN)
        return notes

    @property
    def measure(self) -> str:
        """What `similarity` of `UAEs` is, in words; empty if this attack has no such objective."""
        return ""

    def values_per_sample(self, shape: tuple[int, ...]) -> int:
        """Number of values that the loop keeps at hand for a sample of `shape`, roughly."""
        return tf.TensorShape(shape).num_elements()

    def auto_batch_size(self, shape: tuple[int, ...]) -> int:
        """A power of two that keeps features and inputs of a batch within a few megabytes."""
        values = self.values_per_sample(shape) * self.criterion.inputs_per_sample
        return int(np.clip(2 ** int(np.log2(_BATCH_VALUES / values)), 1, _LARGEST_BATCH))

    def compute_output_shape(self, x: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return x

    def compute_output_spec(
        self, x: Any, index: Any = None, y: Any = None, training: bool | None = None
    ) -> Any:
        del index, y, training
        x, _ = split(x, self.attacked, type(self).__name__)
        return keras.KerasTensor(x.shape, dtype=self.variable_dtype)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings())
        return f"{type(self).__name__}({self.model.name!r}, {settings})"

    def get_config(self) -> dict[str, Any]:
        if self.criterion.model is not self.single_input:
            raise ValueError(
                f"`criterion` of {type(self).__name__} must judge the attacked model, or it cannot "
                f"be saved with the attack. Received: criterion={self.criterion!r} for another one."
            )
        return {
            **super().get_config(),
            "model": serialized_model(self.model, type(self).__name__),
            **{name: serialized(getattr(self, name)) for name in self.settings()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = with_units(copy.deepcopy(config))  # Keras takes the nested ones apart
        given = {
            name: revived(config[name]) for name in ("model", *cls.settings()) if name in config
        }
        return cls(**{**config, **given})


def with_units(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that `get_config` gave; before there were units, they were those of the data."""
    if "units" in config or "dtype" not in config:
        return dict(config)
    unit_range = tuple(config.get("bounds", ())) == (0.0, 1.0)
    return {**config, "units": "range" if unit_range else "data"}


def _isolated(
    attack: Attack,
    x: tf.Tensor,
    index: tf.Tensor,
    seed: tf.Tensor,
    y: tf.Tensor | None = None,
    trace: bool = False,
    held: Mapping[Any, tf.Tensor] | None = None,
    margin: tf.Tensor | None = None,
) -> Found:
    """`attack.run`, with no effect on the model nor on a gradient tape around it."""
    attack._kept.margin = margin
    try:
        # the model's losses, metrics and seed generators must not pick up tensors of this graph
        with keras.StatelessScope(), attack._subject.holding(held):
            results = attack.run(x, index, seed, y, trace)
    finally:
        attack._kept.margin = None
    # stopped in here, or the tape would make the loop keep all of its intermediates
    return tf.nest.map_structure(tf.stop_gradient, results)


def _judged(
    attack: Attack,
    x: tf.Tensor,
    found: dict[str, tf.Tensor],
    y: tf.Tensor | None,
    held: Mapping[Any, tf.Tensor],
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """`judged` of a batch; traced once."""
    with attack._subject.holding(held):
        return judged(attack.criterion, attack._subject.behaviour.generators, x, found, y)


def _two(x: tf.Tensor) -> tf.Tensor:
    """Zeros like two of the samples `x`, which may be symbolic."""
    return tf.zeros([2, *(size or 1 for size in x.shape[1:])], x.dtype)


def _check_index(owner: str, index: Any, count: int) -> np.ndarray:
    if index is None:
        return np.arange(count, dtype=np.int64)
    index = np.asarray(index)
    if index.shape != (count,) or index.dtype.kind not in "iu":
        raise ValueError(
            f"`index` of {owner} must hold one integer a sample, shape ({count},). "
            f"Received: index of shape {index.shape} and dtype {index.dtype}."
        )
    return index.astype(np.int64)
