"""An attack without its model as plain JSON, and back."""

import json
from typing import Any

import keras

from keras_uae._checks import check_choice
from keras_uae.attacks.base import Attack, with_units
from keras_uae.attacks.minmax import MinMaxAttack
from keras_uae.attacks.penalty import PenaltyAttack
from keras_uae.attacks.pgd import PGDAttack
from keras_uae.attacks.presets import PRESETS

ATTACKS: dict[str, type[Attack]] = {
    each.__name__: each for each in (MinMaxAttack, PGDAttack, PenaltyAttack)
}
_PACKAGE = "keras_uae>"  # what is registered under another name is not made from a file


def describe_attack(attack: Attack) -> dict[str, Any]:
    """Class and settings of an attack, ready for JSON."""
    config = attack.get_config()
    for name in ("model", "name", "trainable", "seed"):  # the seed of a call is none of a file
        config.pop(name, None)
    config["dtype"] = attack.dtype_policy.name
    return json.loads(json.dumps({"class_name": type(attack).__name__, "config": config}))


def completed(description: Any) -> Any:
    """A described attack, also of an older version, with all settings that there are now."""
    config = description.get("config") if isinstance(description, dict) else None
    if not isinstance(config, dict) or "dtype" not in config:  # by hand: the defaults hold
        return description
    since = {"frozen_features": None, "attacked": None}
    return {**description, "config": {**since, **with_units(config)}}


def measure_of(description: Any) -> str:
    """What the similarity of a described attack measures; empty if it has none, or nobody knows."""
    settings = description.get("config")
    similarity = settings.get("similarity") if isinstance(settings, dict) else None
    name = similarity.get("registered_name") if isinstance(similarity, dict) else None
    found = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    return str(getattr(found, "measure", ""))


def build_attack(
    model: keras.Model,
    description: Any = None,
    *,
    preset: str = "default",
    **settings: Any,
) -> Attack:
    """The attack on `model` that a preset, a description and settings make, the last one first.

    Raises:
        ValueError: The description is malformed, or a setting is not valid.
    """
    description = (
        {"class_name": "MinMaxAttack", "config": {}} if description is None else description
    )
    if (
        not isinstance(description, dict)
        or description.keys() != {"class_name", "config"}
        or not isinstance(description["config"], dict)
    ):
        raise ValueError(
            "The configuration of an attack must be an object with the keys class_name and "
            f"config. Received: {str(description)[:200]}"
        )
    name = check_choice("the configuration", "class_name", description["class_name"], ATTACKS)
    check_choice("build_attack", "preset", preset, PRESETS)
    start = PRESETS[preset] if name == "MinMaxAttack" else {}
    config = {key: _revive(value) for key, value in completed(description)["config"].items()}
    try:
        return ATTACKS[name](model, **{**start, **config, **settings})
    except TypeError as error:  # an unknown setting
        raise ValueError(f"The configuration of {name} is not valid: {error}.") from error


def _revive(value: Any) -> Any:
    """A setting from JSON: an object of this package where it describes one."""
    if not isinstance(value, dict):
        return value
    for part in _objects(value):
        registered = part.get("registered_name")
        if not isinstance(registered, str) or not registered.startswith(_PACKAGE):
            raise ValueError(
                f"The configuration of an attack may hold objects of keras_uae only. "
                f"Received: {registered!r}."
            )
    try:
        return keras.saving.deserialize_keras_object(value, safe_mode=True)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"The configuration of an attack is not valid: {error}.") from error


def _objects(value: dict[str, Any]) -> list[dict[str, Any]]:
    """`value`, which describes an object, and all objects within it."""
    inside = value.get("config")
    nested = inside.values() if isinstance(inside, dict) else ()
    return [value, *(part for item in nested if isinstance(item, dict) for part in _objects(item))]
