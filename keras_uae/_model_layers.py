"""The layers of any model: list them, see them run, read what one of them returns."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

_RUNNING = threading.RLock()
_SETTING = (bool, float, str)  # not integers, in which a layer may count its calls
# What build, compile, fit, evaluate and predict set, which is none of what a model computes
_OF_KERAS = ("built", "compiled", "loss", "stop_training", "stop_evaluating", "stop_predicting")
_GUESSED_SIZE = 32  # of an axis that a model leaves open

# Told of a layer that has run, and of what it has returned
Note = Callable[[keras.Layer, Any], None]


class CallableModel(keras.Model):
    """A function of tensors that calls Keras layers, as a model. It cannot be saved."""

    def __init__(self, function: Callable[[tf.Tensor], Any]):
        super().__init__(name=getattr(function, "__name__", type(function).__name__).strip("<>_"))
        # past Keras' own __setattr__: what the function calls is not the attack's
        self.__dict__["function"] = function
        self.built = True

    def __call__(self, x: tf.Tensor, *, training: bool | None = None) -> Any:
        # What the function leaves open is up to its layers, as where it is called by itself: Keras
        # would hand them the mode of this call, and that of a training around it
        del training
        return super().__call__(x, training=None)

    def call(self, x: tf.Tensor, training: bool | None = None) -> Any:
        return self.function(x)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            "Make the callable a keras.Model, for example keras.Model(inputs, outputs), to save an "
            f"attack on it. Received: model={self.function!r}."
        )


def as_model(model: Any) -> keras.Model:
    """A model or layer as it is; a function as a model."""
    return model if isinstance(model, keras.Layer) else CallableModel(model)


ATTACK_ONE = (
    "attack one of several by MinMaxAttack(model, attacked=…), and train it on batches of its "
    "examples and the other inputs"
)
EVALUATE_ONE = (
    "evaluate it as a function of one of several, lambda x: model({'image': x, …}), with the "
    "others of all samples as tensors and batch_size=len(x)"
)


def check_one_input(owner: str, model: Any, way: str = ATTACK_ONE) -> None:
    """Raise ValueError, which says the `way` out, if a model takes several inputs."""
    held = isinstance(model, HeldInputs)  # there is nothing to hold outside of an attack
    inputs = getattr(model.model if held else model, "input_shape", None)
    if held or (isinstance(inputs, (list, dict)) and len(inputs) > 1):
        raise ValueError(
            f"`model` of {owner} must have one input; {way}. "
            f"Received: model {model.name!r} with inputs of shape {inputs}."
        )


class _Mode(keras.layers.Layer):
    """Gives back what it gets."""

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return x


def with_mode(x: tf.Tensor, training: bool | None) -> tf.Tensor:
    """`x`; the layers after it run in this mode, inside of the layer that is being called.

    Keras leaves them that of the last layer that was called with a `training` of its own.
    """
    return _Mode(autocast=False)(x, training=training)


class HeldInputs(keras.Model):
    """A model of several inputs as a function of one of them, the others held where they are.

    Args:
        model: Takes a list or a dict of inputs.
        attacked: Place or name of the input that is left free.
    """

    def __init__(self, model: keras.Model, attacked: int | str):
        super().__init__(name=model.name)
        self.__dict__.update(model=model, attacked=attacked, held={})  # past Keras' tracking
        self.built = True

    @contextlib.contextmanager
    def holding(self, held: Mapping[Any, tf.Tensor]) -> Iterator[None]:
        """The other inputs, row for row, while the context is open."""
        before = self.held
        self.__dict__["held"] = held
        try:
            yield
        finally:
            self.__dict__["held"] = before

    def call(self, x: tf.Tensor, training: bool | None = None) -> Any:
        inputs = {**self.held, self.attacked: x}
        if isinstance(self.attacked, str):
            return self.model(inputs, training=training)
        return self.model([inputs[place] for place in sorted(inputs)], training=training)


def flat_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model in order, those of nested models in their place."""
    layers: list[keras.Layer] = []
    for layer in model.layers:
        layers += flat_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return layers


def signature(layers: Iterable[keras.Layer]) -> tuple[tuple[Any, ...], ...]:
    """What a graph of layers holds beside the values of their variables, to be compared.

    Each row begins with the layer: then its parts or its variables, and the settings that it keeps
    in public. It differs once a layer was added, an activation or a flag swapped, LoRA put in.
    """
    return tuple((layer, *_held_by(layer)) for layer in layers)


def _held_by(layer: keras.Layer) -> list[Any]:
    model = isinstance(layer, keras.Model)
    settings = [
        (name, value)
        for name, value in vars(layer).items()
        if name[0] != "_"
        and name not in _OF_KERAS
        and (isinstance(value, _SETTING) or (callable(value) and not model))
    ]
    return [*map(id, layer.layers if model else layer.variables), *settings]


def example(model: keras.Model) -> tf.Tensor | None:
    """Zeros of the shape that the model takes, as far as it knows one.

    They are two, or the one number of samples that it runs with: a size of the batch that it
    states may be one that it only remembers, and large.
    """
    if isinstance(model, (CallableModel, HeldInputs)):
        return None
    shape = getattr(model, "input_shape", None)
    if shape is None and model.built:
        shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not all(
        size is None or isinstance(size, int) for size in shape
    ):
        return None
    x = tf.zeros([2, *(size or _GUESSED_SIZE for size in shape[1:])], keras.config.floatx())
    if shape[0] not in (None, 2) and not runs(lambda: model(x, training=False)):
        x = tf.zeros([shape[0], *x.shape[1:]], x.dtype)
    return x


def runs(function: Callable[[], Any]) -> bool:
    """Whether a pass of a model, `function`, runs, with no effect on the model."""
    try:
        with keras.StatelessScope():
            function()
    except Exception:  # whatever the model raises
        return False
    return True


@contextlib.contextmanager
def running(note: Note, *, inline: bool = False) -> Iterator[None]:
    """Tell `note` of every layer that runs in this thread while the context is open.

    Any layer is seen, also of a subclassed model or one that a function calls. It acts while a
    graph is traced, and leaves nothing behind. Threads that watch wait for one another.

    Args:
        note: Function of the layer and what it has returned.
        inline: Boolean, run every `tf.function` as the Python function that it is: what a layer
            returns inside of one cannot be used outside. Defaults to `False`.
    """
    thread = threading.get_ident()
    with _RUNNING:
        before, eagerly = keras.Layer.__call__, tf.config.functions_run_eagerly()

        def noting(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
            output = before(layer, *args, **kwargs)
            if threading.get_ident() == thread:
                note(layer, output)
            return output

        keras.Layer.__call__ = noting
        if inline:
            tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            keras.Layer.__call__ = before
            if inline:
                tf.config.run_functions_eagerly(eagerly)


@contextlib.contextmanager
def capture(layer: keras.Layer | None, *, inline: bool = False) -> Iterator[list[tf.Tensor]]:
    """Collect what `layer` returns while the context is open.

    This is how the estimator reads the features of the very forward pass that evaluates the
    criterion, for any model: a second pass would cost as much again.
    """
    outputs: list[tf.Tensor] = []
    if layer is None:
        yield outputs
        return

    def note(each: keras.Layer, output: Any) -> None:
        if each is layer:
            outputs.append(output)

    with running(note, inline=inline):
        yield outputs


class _Seen(BaseException):
    """Ends a run of the model where what was looked for has been seen."""


def first_that_sees(
    model: keras.Model, x: tf.Tensor, wanted: Callable[[keras.Layer], bool]
) -> keras.Layer | None:
    """The first layer that is `wanted` and depends on the input when the model runs on `x`.

    It follows the tensors, not the order of attributes: a decoder that is defined before its
    encoder runs after it, and a layer that does not run, or not on x, is none. In a graph none is
    one inside a loop or a branch either, which keeps what it returns to itself.
    """
    found: list[keras.Layer] = []
    looking = False
    x = tf.identity(x)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)

        def note(layer: keras.Layer, output: Any) -> None:
            nonlocal looking
            if looking or not wanted(layer):
                return
            looking = True  # a gradient may run layers once more, as tf.recompute_grad does
            with tape.stop_recording():
                parts = [each for each in keras.tree.flatten(output) if each is not None]
                parts = [each for each in parts if _graph(each) is _graph(x)]
                if any(tape.gradient(each, x) is not None for each in parts):
                    found.append(layer)
                    raise _Seen
            looking = False

        with contextlib.suppress(_Seen), running(note, inline=True), keras.StatelessScope():
            model(x, training=False)
    return found[0] if found else None


def in_the_open(layer: keras.Layer, model: keras.Model, x: tf.Tensor) -> bool:
    """Whether what `layer` returns of `x` can be read where a graph calls `model`.

    A loop or a branch (`while_loop`, `map`, `cond`) keeps it to itself.
    """
    found: list[keras.Layer | None] = []
    trace = tf.function(
        lambda x: found.append(first_that_sees(model, x, lambda each: each is layer)),
        autograph=False,
    )
    trace.get_concrete_function(x)
    return found[0] is layer


def _graph(x: tf.Tensor) -> tf.Graph | None:
    """The graph that a tensor belongs to; `None` for one that has its values."""
    return x.graph if tf.is_symbolic_tensor(x) else None


def needs_inline(layer: keras.Layer, model: keras.Model, x: tf.Tensor) -> bool:
    """Whether `layer` runs inside a `tf.function` of the model's, where `capture` is to inline."""
    with capture(layer) as seen, keras.StatelessScope():
        model(x, training=False)
    # one that was traced before runs no layer
    return not seen or any(_graph(each) is not _graph(x) for each in keras.tree.flatten(seen))


def outputs_of(layer: keras.Layer, model: keras.Model, x: tf.Tensor) -> tuple[list[tf.Tensor], int]:
    """All that `layer` returns when `model` is called on `x`, and the place of what is about x.

    A layer may run on something else first: a stored prototype, an input that is held.
    """
    x = tf.identity(x)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        with capture(layer, inline=True) as seen, keras.StatelessScope():
            model(x, training=False)

    def sees(output: Any) -> bool:
        return any(tape.gradient(each, x) is not None for each in keras.tree.flatten(output))

    return seen, next((place for place, each in enumerate(seen) if sees(each)), 0)


def output_of(layer: keras.Layer | None, model: keras.Model, x: tf.Tensor, owner: str) -> tf.Tensor:
    """What `layer` returns of `x` when `model` is called on it; `x` itself for `None`.

    Raises:
        ValueError: The layer does not run, or not on a row a sample, which `owner` is told.
    """
    if layer is None:
        return x
    seen, place = outputs_of(layer, model, x)
    if not seen:
        raise ValueError(
            f"`similarity` of {owner} reads a layer that does not run when the model is called. "
            f"Received: layer {layer.name!r} of model {model.name!r}."
        )
    shape = getattr(seen[place], "shape", x.shape)
    if shape[0] != x.shape[0]:
        raise ValueError(
            f"`similarity` of {owner} reads a layer that does not give a row a sample, such as one "
            f"that runs on patches or sample by sample: choose similarity='gaussian', which reads "
            f"the input. Received: layer {layer.name!r} of model {model.name!r}, which gives shape "
            f"{tuple(shape)} for {x.shape[0]} samples."
        )
    return seen[place]
