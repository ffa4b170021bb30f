"""Models of one architecture with fresh weights: the same seed, the same weights."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

State = list[np.ndarray]


class FreshModels:
    """Makes compiled models of one architecture, whose initial weights a seed fixes.

    Args:
        build_or_model: Function without arguments, or of a `seed`, that returns a new compiled
            model; or a compiled model, whose architecture and compile settings are cloned. Of a
            clone the weights that change in training are drawn anew by their initializers; what
            is frozen or was set by `adapt` is copied, wherever in the model it is.
        x: Array, two samples or more, with which a model is built that is not.
        compiled: Boolean, whether the models must be compiled. Defaults to `True`.

    Raises:
        ValueError: The model is not compiled, cannot be cloned, no seed changes its weights, or
            two of them share what training changes.
    """

    def __init__(self, build_or_model: Any, x: np.ndarray, *, compiled: bool = True):
        self._example = np.asarray(x[:2], np.float32)
        self._compiled = compiled
        if isinstance(build_or_model, keras.Model):
            self.given: keras.Model | None = build_or_model
            self._make: Callable[..., Any] = lambda: self._clone(build_or_model)
            self._check_compiled(build_or_model)
            self._build(build_or_model)
        elif _is_builder(build_or_model):
            self.given, self._make = None, build_or_model
        else:
            raise ValueError(
                "`build_or_model` of compare must be a compiled keras.Model of Keras 3, or a "
                "function that returns a new one, without arguments or with a `seed`. "
                f"Received: build_or_model={build_or_model!r}."
            )
        self._check_seeds()

    def new(self, seed: int) -> keras.Model:
        """A model with the initial weights of `seed`."""
        keras.utils.set_random_seed(seed)
        takes_seed = "seed" in inspect.signature(self._make).parameters
        model = self._make(seed=seed) if takes_seed else self._make()
        if not isinstance(model, keras.Model):
            raise ValueError(
                "`build_or_model` of compare must return a compiled keras.Model. "
                f"Received: a function that returns {model!r}."
            )
        self._check_compiled(model)
        self._build(model)
        return model

    def check_repeats(self, model: keras.Model) -> None:
        """Raise ValueError if `model`, of seed 0, is another one than is made of seed 0 now."""
        other: list[str] = []
        for _ in range(3):  # a thread that still shuffles for a `fit` before may draw in between
            again = self.new(0)
            pairs = zip(model.weights, again.weights, strict=True)
            other = [a.path for a, b in pairs if not np.array_equal(_values(a), _values(b))]
            if not other:
                return
            model = again
        raise ValueError(
            "`build_or_model` of compare must give the same weights for a seed whenever it is "
            "called, or what is in `out` cannot be gone on with: draw by a generator of the "
            "seed, build(seed=…), or of none of your own, by Keras' initializers. "
            f"Received: other weights each time in {', '.join(other[:3])}."
        )

    def _check_compiled(self, model: keras.Model) -> None:
        if self._compiled and not model.compiled:
            raise ValueError(
                "`build_or_model` of compare must be compiled: model.compile(optimizer, loss), or "
                f"say how it is trained with fit=. Received: model {model.name!r}, not compiled."
            )

    def _build(self, model: keras.Model) -> None:
        if model.built and model.weights:
            return
        try:
            model(self._example)
        except Exception as error:
            # one that has a train_step alone, of parts that are built already
            if not model.weights:
                raise ValueError(
                    "`build_or_model` of compare must be a model that can be called on samples, or "
                    "one whose parts are built: it has no weights otherwise. "
                    f"Received: model {model.name!r} ({error})."
                ) from error

    def _clone(self, given: keras.Model) -> keras.Model:
        try:
            with keras.saving.custom_object_scope(_losses(given)):
                model = _copy(given)
                self._build(model)
                self._copy_what_stays(given, model)
                if given.compiled:  # of the weights that are trainable now
                    model.compile_from_config(given.get_compile_config())
        except Exception as error:
            raise ValueError(
                "`build_or_model` of compare must be a model that Keras can clone with its compile "
                "settings, or a function that builds and compiles it: compare(build, x). "
                f"Received: model {given.name!r} of class {type(given).__name__} "
                f"({_first_sentence(error)})."
            ) from error
        if given.compiled and getattr(model, "optimizer", None) is None:
            raise ValueError(
                "`build_or_model` of compare must be a function that builds and compiles the model "
                "where its class has a compile of its own: compare(build, x). "
                f"Received: model {given.name!r} of class {type(given).__name__}."
            )
        return model

    def _copy_what_stays(self, given: keras.Model, model: keras.Model) -> None:
        """Make the same parts of a clone trainable; copy the weights that training leaves alone."""
        layers, weights = _layers(model), model.weights
        for layer, copy in zip(_layers(given), layers, strict=True):
            copy.trainable = layer.trainable  # also of those inside, which come later
        for weight, copy in zip(given.weights, weights, strict=True):
            copy.trainable = weight.trainable  # its own flag: LoRA freezes a kernel alone
        changing = self._changing(model)
        for weight, copy in zip(given.weights, weights, strict=True):
            if id(copy) not in changing:
                copy.assign(weight)
        for layer in layers:
            if hasattr(layer, "finalize_state"):  # what `adapt` has set is ready for use
                layer.finalize_state()

    def _changing(self, model: keras.Model) -> set[int]:
        """Which weights change in training: trained, or set by a pass as moving statistics are."""
        with keras.StatelessScope() as scope, contextlib.suppress(Exception):
            model(self._example, training=True)  # a model without `call` has none to set
        trained = set(map(id, model.trainable_weights))
        return {
            id(weight)
            for weight in model.weights
            if id(weight) in trained or scope.get_current_value(weight) is not None
        }

    def _check_seeds(self) -> None:
        """Two seeds are to give two models."""
        one, other = self.new(0), self.new(1)
        if one is other:
            raise ValueError(
                "`build_or_model` of compare must be a function that builds a new model each time, "
                f"or the model itself. Received: one that returns the same model, {one.name!r}."
            )
        self._check_apart(one, other)
        pairs = zip(_varied(one).items(), _varied(other).values(), strict=True)
        stuck = {path: value for (path, value), b in pairs if np.array_equal(value, b)}
        # two values are of a pattern, as of an identity or of the bias of a gate; more are drawn
        drawn = [path for path, value in stuck.items() if len(np.unique(value)) > 2]
        if stuck and (len(stuck) == len(_varied(one)) or (self.given is not None and drawn)):
            raise ValueError(
                "`build_or_model` of compare must have weights that a seed changes, or the seeds "
                "are no repetitions: freeze the layer (trainable=False) if it is to stay as it is, "
                "or give a function, build(seed=…), that draws them. "
                f"Received: equal weights for two seeds in {', '.join((drawn or [*stuck])[:3])}."
            )

    def _check_apart(self, one: keras.Model, other: keras.Model) -> None:
        """Nothing that training changes is to be in two models."""
        others = set(map(id, other.weights))
        shared = [each for each in one.weights if id(each) in others]
        changing = self._changing(one) if shared else set()
        names = [each.path for each in shared if id(each) in changing]
        if names:
            raise ValueError(
                "`build_or_model` of compare must make all that is trained anew each time, or one "
                "training goes on from another: make the layers inside of the function (of a "
                "trained one keras.models.clone_model(layer), then set_weights), or freeze them "
                f"(trainable=False). Received: the same weights in two models, "
                f"{', '.join(names[:3])}."
            )
        others = set(map(id, optimizers_of(other)))
        both = [type(each).__name__ for each in optimizers_of(one) if id(each) in others]
        if both:
            raise ValueError(
                "`build_or_model` of compare must make the optimizer anew each time: "
                "model.compile(keras.optimizers.Adam(), loss) inside of the function. "
                f"Received: the same optimizer in two models, {both[0]}."
            )


def state_of(model: keras.Model) -> State:
    """All that training changes: weights, states of generators, and the optimizer's variables."""
    return [_values(each) for each in _variables(model)]


def set_state(model: keras.Model, state: State) -> None:
    """Take a model back to where `state_of` has seen it."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def left_alone(model: keras.Model) -> Iterator[None]:
    """Undo what is done to the weights of a model, and to what is trainable of it."""
    layers, weights = _layers(model), model.weights
    values, flags = model.get_weights(), [each.trainable for each in (*layers, *weights)]
    try:
        yield
    finally:
        # layers set those inside of them and their weights, which come later
        for each, flag in zip((*layers, *weights), flags, strict=True):
            if each.trainable != flag:
                each.trainable = flag
        model.set_weights(values)


def _is_builder(given: Any) -> bool:
    """Whether it can be called for a new model: no class, and no model of another library."""
    if not callable(given) or isinstance(given, type) or hasattr(given, "fit"):
        return False
    signature = inspect.signature(given)
    try:
        signature.bind(**({"seed": 0} if "seed" in signature.parameters else {}))
    except TypeError:
        return False
    return True


def optimizers_of(model: keras.Model) -> list[Any]:
    """The optimizer of a model, and those that it has beside it."""
    return [each for each in vars(model).values() if isinstance(each, keras.optimizers.Optimizer)]


def steps_of(optimizer: keras.optimizers.Optimizer) -> int:
    """How many steps it has done."""
    # int() does not take a variable that has a copy on each of several devices
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def is_plain(model: keras.Model) -> bool:
    """Whether Keras' own `fit` trains it: then its state is all that there is to set back."""
    own = ("train_step", "compile", "fit", "make_train_function")
    base: Any = keras.Model
    return all(getattr(type(model), name) is getattr(base, name) for name in own)


def _variables(model: keras.Model) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    return [*model.variables, *(optimizer.variables if optimizer is not None else ())]


def _copy(model: keras.Model) -> keras.Model:
    """A model of the same architecture, whose initializers draw by no seed of their own."""

    def copy(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return _copy(layer)
        return type(layer).from_config(_unseeded(layer.get_config()))

    if isinstance(model, keras.Sequential) or hasattr(model, "operations"):
        return keras.models.clone_model(model, clone_function=copy)
    return type(model).from_config(_unseeded(model.get_config()))


def _unseeded(config: Any) -> Any:
    """A configuration in which the initializers have no seeds."""
    if isinstance(config, dict):
        found = {key: _unseeded(each) for key, each in config.items()}
        if found.get("module") == "keras.initializers" and "seed" in (found["config"] or {}):
            found["config"] = {**found["config"], "seed": None}
        return found
    return [_unseeded(each) for each in config] if isinstance(config, list) else config


def _losses(model: keras.Model) -> dict[str, Any]:
    """The functions among the losses of a model, which are registered nowhere."""
    found = [each for each in keras.tree.flatten(getattr(model, "loss", None)) if callable(each)]
    functions = {each.__name__: each for each in found if inspect.isfunction(each)}
    return functions | {type(each).__name__: type(each) for each in found}


def _layers(layer: Any) -> list[keras.Layer]:
    """A layer or model and all layers in it, those in wrappers and in layers too, in order."""
    # a model is cloned without what was attached to it; into a layer no public way looks
    is_model = isinstance(layer, keras.Model)
    parts = layer.layers if is_model else layer._flatten_layers(include_self=False, recursive=False)
    return [layer, *(each for part in parts for each in _layers(part))]


def _varied(model: keras.Model) -> dict[str, np.ndarray]:
    """The trainable weights that are not all one value, as zeros and ones are."""
    values = {each.path: _values(each) for each in model.trainable_weights}
    return {path: each for path, each in values.items() if each.size > 1 and np.ptp(each) > 0}


def _values(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))  # a copy: the variable moves on


def _first_sentence(error: Exception) -> str:
    # Keras breaks its lines within sentences
    return " ".join(str(error).split()).split(". ")[0].rstrip(".") or type(error).__name__
