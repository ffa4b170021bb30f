"""The base of the attacks: what is attacked, how it is judged, and how the attack is run."""

import copy
import functools
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from keras_uae import criteria
from keras_uae.checks import check_bounds, check_integer, check_number
from keras_uae.generation import generate
from keras_uae.results import UAEs

# What an attack finds (the fields of `UAEs` by name), and its trace.
Found = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


class Attack(keras.layers.Layer):
    """Base of the attacks: a layer that takes samples and gives their examples.

    A subclass keeps each of its settings as an attribute of the same name, lists the names in
    `nested` and `plain`, and gives the loop, `run`.
    """

    nested: ClassVar[tuple[str, ...]] = ("criterion",)  # settings that are objects
    plain: ClassVar[tuple[str, ...]] = ("epsilon", "steps", "bounds", "seed")

    def __init__(
        self,
        model: keras.Model,
        *,
        criterion: Any,
        epsilon: float,
        steps: int,
        bounds: tuple[float, float],
        seed: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs, autocast=False)
        owner = type(self).__name__
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                f"`model` of {owner} must be a keras.Model that is built: give it an Input, or "
                f"call it once on a batch. Received: model={model!r}."
            )
        self.model = model
        self.criterion = criteria.get(criterion, model, owner)
        self.epsilon = check_number(owner, "epsilon", epsilon, 0)
        self.steps = check_integer(owner, "steps", steps, 1)
        self.bounds = check_bounds(owner, bounds)
        self.seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
        self.built = True
        self._compiled = tf.function(functools.partial(_isolated, self), autograph=False)

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
            x: Array `(n, ...)` inside `bounds`; may be memory-mapped.
            y: Labels `(n,)`, if the criterion takes any. Defaults to `None`.
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
                model takes, or the model or the labels do not suit the criterion.
            GenerationInterrupted: Ctrl-C; carries what was done by then.
        """
        return generate(
            self, x, y, batch_size=batch_size, seed=seed, index=index, trace=trace, verbose=verbose
        )

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
        with keras.StatelessScope():
            self.criterion.check(x, type(self).__name__)

    def values_per_sample(self, shape: tuple[int, ...]) -> int:
        """Number of values that the loop keeps at hand for a sample of `shape`, roughly."""
        return tf.TensorShape(shape).num_elements()

    def compute_output_shape(self, x: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return x

    def compute_output_spec(self, x: Any, index: Any = None, y: Any = None) -> Any:
        del index, y
        return keras.KerasTensor(x.shape, dtype=self.variable_dtype)

    def __repr__(self) -> str:
        names = (*self.nested, *self.plain)
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({self.model.name!r}, {settings})"

    def get_config(self) -> dict[str, Any]:
        if self.criterion.model is not self.model:
            raise ValueError(
                f"`criterion` of {type(self).__name__} must judge the attacked model, or it cannot "
                f"be saved with the attack. Received: criterion={self.criterion!r} for another one."
            )
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in ("model", *self.nested)},
            **{name: getattr(self, name) for name in self.plain},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested ones apart
        for name in ("model", *cls.nested):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


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
