"""What a model does that an attack must know: noise, mixed samples, a fixed batch, a state."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae._model_layers import running, runs
from keras_uae.attacks.judgement import JUDGING_DRAWS
from keras_uae.similarity.features import CONVOLUTIONS

_TOLERANCE = 1e-4  # of the largest value, to which two passes with other sums agree


class Behaviour(NamedTuple):
    """What was seen of a model."""

    batch: int | None = None  # the one number of samples that it takes; `None` for any
    noise: str = ""  # "", "seeded" (Keras' own generators) or "unseeded"
    mixes: bool = False  # what it says of a sample depends on the others of the batch
    generators: tuple[keras.Variable, ...] = ()  # states of the seeded noise
    layers: tuple[keras.Layer, ...] = ()  # that have run
    nan: bool = False  # it gives NaN

    @property
    def of_keras(self) -> bool:
        """Whether all code that has run is Keras' own, of which `signature` tells what it holds."""
        modules = {type(each).__module__.partition(".")[0] for each in self.layers}
        return modules == {"keras"} and keras.layers.Lambda not in map(type, self.layers)

    @property
    def convolves(self) -> bool:
        """Whether a convolution has run."""
        return any(isinstance(each, CONVOLUTIONS) for each in self.layers)

    def doubts(self, what: str, owner: str) -> list[str]:
        """What an attack, `owner`, cannot make up for in `what`, model or criterion."""
        doubts = []
        if self.noise == "unseeded":
            doubts.append(
                f"The {what} draws random numbers that no seed of Keras fixes, so that {owner} "
                f"sees others at each step, but those of NumPy or Python always the same. Draw "
                f"them with a keras.random.SeedGenerator. Success is judged on {JUDGING_DRAWS} "
                f"fresh draws, of NumPy or Python on one."
            )
        if self.nan:
            doubts.append(
                f"The {what} gives NaN for some of the samples, as after a training that diverged: "
                f"{owner} finds no examples of them, and leaves them as they are (`frozen`)."
            )
        if self.mixes:
            doubts.append(
                f"What the {what} says of a sample depends on the others in the batch "
                f"(BatchNormalization with training=True, for example): the examples of {owner} "
                f"depend on the batch, too, and may be none in another one."
            )
        return doubts

    def beside(self, other: Self) -> Self:
        """This, and what was seen of something else with samples of the same batch."""
        generators = {id(each): each for each in (*self.generators, *other.generators)}
        return self._replace(
            noise=max(self.noise, other.noise),  # "" < "seeded" < "unseeded"
            mixes=self.mixes or other.mixes,
            nan=self.nan or other.nan,
            generators=tuple(generators.values()),
            layers=tuple(dict.fromkeys((*self.layers, *other.layers))),
        )


class _Recorded(keras.StatelessScope):
    """A scope that knows which variables have changed in it, also such as no layer owns."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: dict[int, keras.Variable] = {}

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        self.changed[id(update[0])] = update[0]
        super().add_update(update)


def observed(
    forward: Callable[[list[int]], Any], count: int, expected: int | None, owner: str
) -> Behaviour:
    """Run a model, or what is made of it, and say what it does.

    Args:
        forward: Function of the places of samples that gives what the model returns for them.
        count: How many samples there are.
        expected: The batch that the model says it takes, which it may only remember. `None` for
            any.
        owner: For messages.

    Raises:
        ValueError: The model carries a state from one batch to the next, in a layer or a variable,
            or counts in a variable that is none of Keras'.
    """
    other = [0] * (3 if expected == 2 else 2)
    batch = None if expected is None or runs(lambda: forward(other)) else expected
    rows, copies = ([0, *[last] * ((batch or 2) - 1)] for last in (min(1, count - 1), 0))
    layers: list[keras.Layer] = []
    with running(lambda layer, _: layers.append(layer), inline=True):
        first = _evaluate(forward, rows)
    stateful = next((each.name for each in layers if getattr(each, "stateful", False)), None)
    if stateful is not None:
        raise ValueError(
            f"`model` of {owner} must give for a sample what it gives for it alone, but a layer "
            f"carries its state from one batch to the next: build the model with stateful=False "
            f"and load the weights. Received: layer {stateful!r} of the model."
        )
    foreign = [(layer, each) for layer in layers for each in _foreign_variables(layer)]
    before = [each.numpy() for _, each in foreign]
    with _Recorded() as scope:  # the second pass draws on where the first has ended
        same = _alike(*(_flat(forward(rows)) for _ in range(2)))
    for (layer, each), value in zip(foreign, before, strict=True):
        if not np.array_equal(each.numpy(), value):
            each.assign(value)
            raise ValueError(
                f"`model` of {owner} must keep what it counts in a keras.Variable (add_weight), "
                f"which an attack leaves as it is, but a tf.Variable changes with each pass. "
                f"Received: {each.name!r} of layer {layer.name!r}."
            )
    nan = any(np.isnan(each).any() for each in first)
    seen = Behaviour(batch, layers=tuple(dict.fromkeys(layers)), nan=nan)
    if not same:
        if not _alike(first, _evaluate(forward, rows)):
            return seen._replace(noise="unseeded")
        generators = tuple(each for each in scope.changed.values() if is_generator(each))
        moved = [each for each in scope.changed.values() if not is_generator(each)]
        with keras.StatelessScope([(each, scope.get_current_value(each)) for each in moved]):
            drifts = bool(moved) and not _alike(first, _flat(forward(rows)))
        if drifts:
            raise ValueError(
                f"`model` of {owner} must give for a sample what it gives for it alone, but its "
                f"variables carry a state from one batch to the next: change them where "
                f"training=True alone, and draw noise with a keras.random.SeedGenerator. "
                f"Received: variables {[each.path for each in moved]} that change with each pass."
            )
        return seen._replace(noise="seeded", generators=generators)
    beside, alone = ([each[0] for each in of] for of in (first, _evaluate(forward, copies)))
    return seen._replace(mixes=not _alike(beside, alone))


def is_generator(variable: keras.Variable) -> bool:
    """Whether a variable is the state of a SeedGenerator: a seed, and a count."""
    return "int" in keras.backend.standardize_dtype(variable.dtype) and variable.shape == (2,)


def _foreign_variables(layer: keras.Layer) -> list[tf.Variable]:
    """Variables of TensorFlow that a layer has as attributes, of which Keras does not know."""
    return [each for each in vars(layer).values() if isinstance(each, tf.Variable)]


def magnified(layers: Sequence[keras.Layer], span: float) -> list[str]:
    """Which Normalization of features that never varied an attack cannot get past, to be warned of.

    Keras divides them by 1e-7. `span` is the range of the data.
    """
    constant = {
        each: int(np.sum(np.asarray(each.variance) <= (1e-6 * span) ** 2))
        for each in layers
        if isinstance(each, keras.layers.Normalization) and not each.invert
    }
    return [
        f"Layer {layer.name!r} divides {count} features by 1e-7, since they were the same in all "
        f"the data that it has adapted to: the least step of one outweighs all others, so that an "
        f"attack finds hardly any example. Leave them as they are by bounds='features' or "
        f"frozen_features."
        for layer, count in constant.items()
        if count
    ]


def other_mode(model: keras.Model, x: tf.Tensor, owner: str) -> list[str]:
    """Whether a model is attacked in another mode than it predicts in, to be warned of.

    predict() tells a `call` without `training` no mode, and Keras leaves its layers that of the
    last one with a default of its own, which is True of Resizing and of random augmentations.
    """
    if "training" in inspect.signature(model.call).parameters:
        return []
    if _alike(_evaluate(lambda _: model(x), []), _evaluate(lambda _: model(x, training=False), [])):
        return []
    return [
        f"The model {model.name!r} predicts otherwise than with training=False, as {owner} runs "
        f"it: its `call` has no `training`, so that the layers after a Resizing or a random "
        f"augmentation train. Examples may be none by predict(). Write call(self, x, "
        f"training=False), or attack the model as it predicts: {owner}(lambda x: model(x))."
    ]


def _evaluate(forward: Callable[[list[int]], Any], rows: list[int]) -> list[np.ndarray]:
    with keras.StatelessScope():
        return _flat(forward(rows))


def _flat(outputs: Any) -> list[np.ndarray]:
    parts = [each for each in keras.tree.flatten(outputs) if each is not None]
    return [np.asarray(tf.convert_to_tensor(each), np.float64) for each in parts]


def _alike(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(_close(a, b) for a, b in zip(first, second, strict=True))


def _close(first: np.ndarray, second: np.ndarray) -> bool:
    # a sample of which the model says NaN tells nothing, and hides nothing of the others
    known = np.isfinite(first)
    if not np.array_equal(known, np.isfinite(second)):
        return False
    first, second = first[known], second[known]
    size = max(float(np.max(np.abs(first), initial=0)), 1e-30)
    return bool(np.all(np.abs(first - second) <= _TOLERANCE * size))
