"""The base of the attacks: what is attacked, how it is judged, and how the attack is run."""

import copy
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae import criteria
from keras_uae._checks import By, Integer, Number, check_integer, check_samples, checked
from keras_uae._datasets import samples_and_labels
from keras_uae._inputs import check_shape, clip_rounding
from keras_uae._settings import revived, serialized
from keras_uae.criteria import Criterion, FunctionCriterion
from keras_uae.results import GenerationInterrupted, UAEs

# Values of features and input that a batch may hold; see `auto_batch_size`.
_BATCH_VALUES = 2**23
_LARGEST_BATCH = 512

# Settings of all attacks
AnyCriterion = Annotated[Any, By(criteria.check_criterion)]
Epsilon = Annotated[float, Number(0)]
Steps = Annotated[int, Integer(1)]

# What an attack finds (the fields of `UAEs` by name), and its trace.
Found = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


class Attack(keras.layers.Layer):
    """Base of the attacks: a layer that takes samples and gives their examples.

    The settings of a subclass are the keyword arguments of its `__init__`, each with its default
    and, in the annotation, its check. Its `__init__` hands them all over with

        super().__init__(model, locals(), **kwargs)

    and they become attributes of the same names. It also gives the loop, `run`.

    Args:
        model: Built `keras.Model` under attack.
        given: The settings by name, among other things.
        **kwargs: `name` and the other arguments of a Keras layer.

    Example:

        >>> def attack_all(attacks: list[uae.Attack], x):
        ...     return {type(each).__name__: each.generate(x) for each in attacks}
    """

    model: keras.Model
    criterion: Criterion
    epsilon: float
    steps: int
    bounds: tuple[float, float]
    seed: int

    def __init__(self, model: keras.Model, given: Mapping[str, Any], **kwargs: Any):
        super().__init__(**kwargs, autocast=False)
        owner = type(self).__name__
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                f"`model` of {owner} must be a keras.Model that is built: give it an Input, or "
                f"call it once on a batch. Received: model={model!r}."
            )
        # Past Keras' own __setattr__, which would make the weights, losses and metrics of the
        # attacked model those of every model around the attack. Saving finds it all the same.
        self.__dict__["model"] = model
        values = {name: given[name] for name in self.settings() if name in given}
        for each in self._classes():
            values = checked(owner, each.__init__, values)
        for name, value in values.items():
            setattr(self, name, value)
        self.criterion = self.criterion.bind(model)
        self.built = True
        self._compiled = tf.function(functools.partial(_isolated, self), autograph=False)

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
        self, x: tf.Tensor, index: tf.Tensor | None = None, y: tf.Tensor | None = None
    ) -> tf.Tensor:
        x = tf.cast(x, self.variable_dtype)
        index = tf.range(tf.shape(x)[0], dtype=tf.int64) if index is None else index
        found, _ = self.search(x, index, tf.constant(self.seed, tf.int64), y)
        return found["x"]

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
        x, y = self._arrays(x, y)  # here, so that a data set is not read twice
        batches = self.batches(x, y, batch_size=batch_size, seed=seed, index=index, trace=trace)
        total = len(x)
        progress = None
        if verbose:
            progress = keras.utils.Progbar(
                total, unit_name="sample", stateful_metrics=["success_rate"]
            )
        out: dict[str, np.ndarray] = {}
        done = successes = 0
        try:
            for found in batches:
                rows = slice(done, done + len(found))
                for name, part in found.arrays().items():
                    # at once for all, so that the batches are never held twice
                    if name not in out:
                        out[name] = np.empty((total, *part.shape[1:]), part.dtype)
                    out[name][rows] = part
                done = rows.stop
                successes += int(found.success.sum())
                if progress:
                    progress.update(done, [("success_rate", successes / done)])
        except KeyboardInterrupt:
            parts = {name: value[:done] for name, value in out.items()}
            partial = UAEs.from_arrays(parts, self.measure) if done else None
            raise GenerationInterrupted(partial, total) from None
        return UAEs.from_arrays(out, self.measure)

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
        x, y = self._arrays(x, y)
        x = check_samples(owner, x, bounds=self.bounds)
        self.check_model_takes(x, owner)
        y = self.criterion.check_labels(y, x, owner)
        index = _check_index(owner, index, len(x))
        seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
        if batch_size == "auto":
            batch_size = self.auto_batch_size(x.shape[1:])
        size = check_integer(owner, "batch_size", batch_size, 1)
        size = size if exact else min(size, len(x))

        def attacked() -> Iterator[UAEs]:
            for start in range(0, len(x), size):
                rows = np.arange(start, min(start + size, len(x)))
                padded = rows[np.minimum(np.arange(size), len(rows) - 1)]
                found, history = self.search(
                    tf.constant(clip_rounding(x[padded], *self.bounds), self.variable_dtype),
                    tf.constant(index[padded]),
                    tf.constant(seed, tf.int64),
                    None if y is None else tf.constant(y[padded]),
                    trace=trace,
                )
                yield UAEs.from_tensors(found, history, self.measure)[: len(rows)]

        return attacked()

    def search(
        self,
        x: tf.Tensor,
        index: tf.Tensor,
        seed: tf.Tensor,
        y: tf.Tensor | None = None,
        trace: bool = False,
    ) -> Found:
        """`run` on a batch of tensors, compiled once a shape and dtype."""
        return self._compiled(x, index, seed, y, trace=trace)

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

    def check(self, x: tf.Tensor) -> None:
        """Raise ValueError unless samples like `x`, a small batch, can be attacked."""
        owner = type(self).__name__
        with keras.StatelessScope():
            self.criterion.check(x, owner)
            labels = tf.zeros(x.shape[:1], tf.int64) if self.criterion.takes_labels else None
            reference, z = self.criterion.reference(x, labels), tf.identity(x)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(z)
                f = self.criterion.value(reference, x, z)
        # a function of the user's may be a constant on purpose
        given = isinstance(self.criterion, FunctionCriterion)
        if tape.gradient(f, z) is None and not given:
            raise ValueError(
                f"`model` of {owner} must pass a gradient from the criterion to its input, but "
                f"there is none: an integer Input, a cast, rounding, argmax or Embedding stands in "
                f"between. Give the model a float Input, or attack what comes after that layer. "
                f"Received: model={self.model.name!r}."
            )

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

    def check_model_takes(self, x: np.ndarray, owner: str) -> None:
        """Raise ValueError unless the model takes samples of this shape and suits the attack."""
        expected = getattr(self.model, "input_shape", None)
        if isinstance(expected, (list, dict)):
            raise ValueError(
                f"`model` of {owner} must have a single input. Received: model "
                f"{self.model.name!r} with inputs of shape {expected}."
            )
        check_shape(owner, "x", x.shape, expected)
        # two rows: one value a sample and one value in all differ
        first = clip_rounding(np.asarray(x[:1]), *self.bounds)
        self.check(tf.constant(first[[0, 0]], self.variable_dtype))

    def _arrays(self, x: Any, y: Any) -> tuple[np.ndarray, Any]:
        owner, takes_labels = f"{type(self).__name__}.generate", self.criterion.takes_labels
        return samples_and_labels(owner, x, y, model=self.model, takes_labels=takes_labels)

    def compute_output_shape(self, x: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return x

    def compute_output_spec(self, x: Any, index: Any = None, y: Any = None) -> Any:
        del index, y
        return keras.KerasTensor(x.shape, dtype=self.variable_dtype)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings())
        return f"{type(self).__name__}({self.model.name!r}, {settings})"

    def get_config(self) -> dict[str, Any]:
        if self.criterion.model is not self.model:
            raise ValueError(
                f"`criterion` of {type(self).__name__} must judge the attacked model, or it cannot "
                f"be saved with the attack. Received: criterion={self.criterion!r} for another one."
            )
        return {
            **super().get_config(),
            "model": _serialized_model(self.model, type(self).__name__),
            **{name: serialized(getattr(self, name)) for name in self.settings()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested ones apart
        nested = {name: revived(config[name]) for name in ("model", *cls.settings())}
        return cls(**{**config, **nested})


def _serialized_model(model: keras.Model, owner: str) -> dict[str, Any]:
    try:
        return keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:
        # one line, where Keras prints a page about what may be a layer deep in the model
        part = re.search(r"Object (\w+)", str(error))
        raise NotImplementedError(
            f"Give {part[1] if part else type(model).__name__} a `get_config` to save {owner} of "
            f"it, or save the UAEs alone (found.save): `generate` needs none. "
            f"Received: model={model.name!r}."
        ) from None


def _isolated(
    attack: Attack,
    x: tf.Tensor,
    index: tf.Tensor,
    seed: tf.Tensor,
    y: tf.Tensor | None = None,
    trace: bool = False,
) -> Found:
    """`attack.run`, with no effect on the model nor on a gradient tape around it."""
    # the model's losses, metrics and seed generators must not pick up tensors of this graph
    with keras.StatelessScope():
        results = attack.run(x, index, seed, y, trace)
    # stopped in here, or the tape would make the loop keep all of its intermediates
    return tf.nest.map_structure(tf.stop_gradient, results)


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
