"""What tells one comparison from another: models, functions and arrays as SHA-256 sums."""

import dis
import functools
import hashlib
import inspect
import json
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae.comparison.arms import Adversarial, Augmented, Given, Row
from keras_uae.comparison.metrics import Metric

# What is installed goes by its name: the code is another one in every version
_INSTALLED = tuple({sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib")})
_BY_NAME = ("keras_uae", *sys.builtin_module_names)
# Of a configuration: what is counted through in a session, or tells how an object was made
_PASSING = {"name", "module", "registered_name", "build_config", "build_input_shape"}
_PLAIN = (bool, int, float, str)
_CHANGING = (list, dict, set, bytearray, tf.Variable, keras.Variable)

# A stack has other ones once it was called, and is known by the layers in it
_OF_SHAPES = (keras.layers.InputLayer, keras.Sequential)

MADE_BY = "made by"


def sums_of(
    model: keras.Model,
    other: keras.Model,
    x: np.ndarray,
    rows: Iterable[Row],
    metrics: Iterable[Metric],
    fit: Any,
) -> dict[str, str]:
    """Sums by what they are of; what they were `MADE_BY` says with which they can be compared.

    Args:
        model, other: As they are built for two seeds.
        x: The samples.
        rows, metrics, fit: What else is compared, and how.
    """
    arms = {row.name: row.arm for row in rows if row.arm is not None and not row.noise}
    found = {
        "model": _Description().of_architecture(model),
        "set of weights that no seed changes": _equal_weights(model, other),
        "optimizer or loss": [getattr(model, name, None) for name in ("optimizer", "loss")],
        "weighting of the losses": _loss_weights(model),
        **{f"metric {each.name!r}": each.function for each in metrics},
        **{f"row {name!r}": _addition(arm, x) for name, arm in arms.items()},
        "fit": fit,
    }
    python = ".".join(platform.python_version_tuple()[:2])
    made_by = {MADE_BY: f"Python {python}, Keras {keras.__version__}"}
    return {**made_by, **{name: identity(value) for name, value in found.items()}}


def identity(value: Any) -> str:
    """A sum that is the same in every process, of what computes the same as far as can be told.

    Functions and classes of the user go by their code and by what it reads of outside: numbers,
    strings, arrays, models, other functions. Lists and dictionaries that a function finds outside
    are left out: it may fill them.
    """
    text = json.dumps(_Description().of(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest(array: Any) -> str:
    """Sum of an array with its dtype and shape."""
    array = np.ascontiguousarray(array)
    head = f"{array.dtype} {array.shape}\n".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def _loss_weights(model: keras.Model) -> Any:
    # the public way, the configuration of `compile`, warns of a lambda among the losses
    return getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)


def _equal_weights(model: keras.Model, other: keras.Model) -> list[str]:
    """Sums of what is frozen, was adapted or loaded: it is the same for two seeds."""
    pairs = zip(_values(model), _values(other), strict=False)
    return [digest(one) if np.array_equal(one, two) else "" for one, two in pairs]


def _values(layer: keras.Layer) -> Iterator[np.ndarray]:
    return (keras.ops.convert_to_numpy(each) for each in layer.weights)


def _addition(arm: Any, x: np.ndarray) -> Any:
    if isinstance(arm, Adversarial):
        return [arm.make_attack, arm.settings]
    if isinstance(arm, Augmented):
        return arm.function
    return arm.samples(x) if isinstance(arm, Given) else None


class _Description:
    """Values as JSON; what was met before, as a function that calls itself, by its number."""

    def __init__(self) -> None:
        self._met: dict[int, tuple[int, Any]] = {}  # the value, too: its id is not given away

    def of(self, value: Any) -> Any:
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, (np.ndarray, np.generic, tf.Tensor)):
            array = np.asarray(value)
            return self.of(array.tolist()) if array.dtype.hasobject else digest(array)
        if isinstance(value, dict):
            return {str(key): self.of(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.of(each) for each in value]
        if isinstance(value, (set, frozenset)):
            return sorted(json.dumps(self.of(each), sort_keys=True) for each in value)
        if isinstance(value, (bytes, complex, range, slice, type(...))):
            return repr(value)
        if isinstance(value, ModuleType):
            return value.__name__
        if isinstance(value, CodeType):
            return self._of_code(value)
        if id(value) in self._met:
            return {"met": self._met[id(value)][0]}
        self._met[id(value)] = len(self._met), value
        return self._of_object(value)

    def of_architecture(self, layer: keras.Layer) -> list[Any]:
        """A layer or model without its weights' values."""
        # of the public ways none looks into a layer
        parts = [each for each in layer._flatten_layers() if type(each) not in _OF_SHAPES]
        shapes = [list(weight.shape) for weight in layer.weights]
        return [shapes, *([self.of(type(each)), *self._settings(each)] for each in parts)]

    def _of_object(self, value: Any) -> Any:
        if isinstance(value, type):
            return self._of_class(value)
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if inspect.ismethod(value):
            return [self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, functools.partial):
            return [self.of(each) for each in (value.func, value.args, value.keywords)]
        if isinstance(value, keras.Layer):
            return [self.of_architecture(value), [digest(each) for each in _values(value)]]
        if hasattr(value, "python_function"):  # of tf.function
            return self.of(value.python_function)
        if isinstance(getattr(value, "__qualname__", None), str):  # built into Python or NumPy
            return value.__qualname__
        return [self.of(type(value)), *self._settings(value)]

    def _of_class(self, kind: type) -> Any:
        if _is_installed(kind):
            return kind.__qualname__
        members = {}
        for name, member in vars(kind).items():
            member = getattr(member, "__func__", getattr(member, "fget", member))
            constant = isinstance(member, (*_PLAIN, tuple)) and not name.startswith("__")
            if constant or isinstance(member, FunctionType):
                members[name] = self.of(member)
        return [kind.__qualname__, [self.of(base) for base in kind.__bases__], members]

    def _of_function(self, function: FunctionType) -> Any:
        cells = [self._outside(each) for each in _contents(function)]
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        given = [cells, [self._outside(each) for each in defaults]]
        if _is_installed(function):
            return [function.__qualname__, *given]
        known = function.__globals__
        read = sorted(name for name in _globals_of(function.__code__) if name in known)
        return [
            self._of_code(function.__code__),
            *given,
            {name: self._outside(known[name]) for name in read},
        ]

    def _of_code(self, code: CodeType) -> list[Any]:
        return [code.co_code.hex(), self.of([code.co_consts, code.co_names, code.co_varnames])]

    def _outside(self, value: Any) -> Any:
        """What a function finds outside of itself."""
        return type(value).__name__ if isinstance(value, _CHANGING) else self.of(value)

    def _settings(self, value: Any) -> list[Any]:
        """What an object was made with: its configuration, and by their names the functions in it.

        Without a configuration, all that it keeps under the names of its arguments.
        """
        try:
            config = value.get_config()
        except Exception:  # it has none, or cannot be saved
            config = None
        kept = {name: each for name, each in _arguments(value) if config is None or callable(each)}
        # the code of a Lambda in its configuration is another one in every process
        return [self.of(_renamed(config, _names(config, {}))), self.of(kept)]


def _is_installed(value: Any) -> bool:
    module = getattr(value, "__module__", None) or "builtins"
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.split(".")[0] in _BY_NAME or file.startswith(_INSTALLED)


def _contents(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it has none yet
            yield None


def _globals_of(code: CodeType) -> set[str]:
    """Names of globals that a function reads, or one inside of it."""
    read = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    return read.union(*(_globals_of(each) for each in code.co_consts if isinstance(each, CodeType)))


def _arguments(value: Any) -> Iterator[tuple[str, Any]]:
    try:
        names = list(inspect.signature(type(value)).parameters)
    except (TypeError, ValueError):
        return
    for name in names:
        for known in (name, f"_{name}"):
            if known in getattr(value, "__dict__", {}):
                yield name, vars(value)[known]


def _names(config: Any, found: dict[str, str]) -> dict[str, str]:
    """The names of layers in a configuration, each with its number."""
    if isinstance(config, dict):
        if isinstance(config.get("name"), str):
            found.setdefault(config["name"], f"#{len(found)}")
        config = list(config.values())
    for each in config if isinstance(config, (list, tuple)) else ():
        _names(each, found)
    return found


def _renamed(config: Any, names: dict[str, str]) -> Any:
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__":
            return None
        return {key: _renamed(each, names) for key, each in config.items() if key not in _PASSING}
    if isinstance(config, (list, tuple)):
        return [_renamed(each, names) for each in config]
    return names.get(config, config) if isinstance(config, str) else config
