"""Small immutable objects that hold settings: criteria, similarities, feature maps."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

import keras
import numpy as np

from keras_uae._checks import checked


class Settings:
    """Base of the frozen dataclasses whose fields are the whole of their configuration.

    The annotation of a field may hold its check: `steps: Annotated[int, Integer(1)] = 20`.
    """

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name, value in checked(type(self).__name__, type(self), values).items():
            object.__setattr__(self, name, value)

    def get_config(self) -> dict[str, Any]:
        """The settings by name, ready for JSON."""
        return {
            item.name: serialized(getattr(self, item.name))
            for item in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object whose `get_config` gave `config`."""
        return cls(**{name: revived(value) for name, value in config.items()})


def keep(target: Any, init: Callable[..., None], given: Mapping[str, Any]) -> None:
    """Keep the arguments of `init` among `given` as attributes of `target`, each checked.

    `given` is the `locals()` of the `__init__` that calls this.
    """
    owner = type(target).__name__
    arguments = [
        each.name
        for each in list(inspect.signature(init).parameters.values())[1:]
        if each.kind is not each.VAR_KEYWORD
    ]
    for name, value in checked(owner, init, {name: given[name] for name in arguments}).items():
        setattr(target, name, value)


def serialized(value: Any) -> Any:
    """A setting ready for JSON: an object of settings by its class and its own settings."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [serialized(each) for each in value] if _has_arrays(value) else value
    nested = isinstance(value, Settings)
    return keras.saving.serialize_keras_object(value) if nested else value


def _has_arrays(values: tuple[Any, ...]) -> bool:
    return any(isinstance(each, np.ndarray) for each in values)


def revived(value: Any) -> Any:
    """The setting that `serialized` gave."""
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


register = keras.saving.register_keras_serializable(package="keras_uae")
