"""Small immutable objects that hold settings: criteria, similarities, feature maps."""

import dataclasses
from typing import Any, Self

import keras


class Settings:
    """Base of the frozen dataclasses whose fields are the whole of their configuration."""

    def get_config(self) -> dict[str, Any]:
        """The settings by name, ready for JSON."""
        config = {}
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            nested = isinstance(value, Settings)
            config[item.name] = keras.saving.serialize_keras_object(value) if nested else value
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object whose `get_config` gave `config`."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for name, value in config.items()
            }
        )


register = keras.saving.register_keras_serializable(package="keras_uae")
