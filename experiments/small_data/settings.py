"""The attacks that are tried: what differs from the default, and how often it is done."""

from dataclasses import dataclass, field
from typing import Any

import keras_uae as uae
from keras_uae.attacks.presets import PRESETS

_FAR: dict[str, Any] = {"initial_radius": 0.02, "steps": 200}
_SMALL: dict[str, Any] = {"epsilon": 0.1}
_L2 = PRESETS["l2_uae"]


@dataclass(frozen=True)
class Setting:
    """An attack, how many examples of an image it makes, and how often.

    Attributes:
        label: Its name in tables.
        attack: Keyword arguments of the attack, where they are not those of the run.
        examples: Examples of every image, each from a δ₀ of its own.
        rounds: Equal parts of the training, each with examples of the model as it then is.
    """

    label: str
    attack: dict[str, Any] = field(default_factory=dict)
    examples: int = 1
    rounds: int = 1


SETTINGS = {
    "default": Setting("default: δ₀ ±0.2"),
    # where δ starts
    "start_0": Setting("δ₀ = 0", {"initial_radius": 0.0}),
    "start_0.05": Setting("δ₀ ±0.05", {"initial_radius": 0.05}),
    "start_0.35": Setting("δ₀ ±0.35", {"initial_radius": 0.35}),
    # how far it goes
    "epsilon_0.05": Setting("ε = 0.05", {"epsilon": 0.05}),
    "epsilon_0.1": Setting("ε = 0.1", _SMALL),
    "epsilon_0.2": Setting("ε = 0.2, δ₀ ±0.3", {"epsilon": 0.2, "initial_radius": 0.3}),
    "epsilon_0.1_far": Setting("ε = 0.1, T = 200", {**_SMALL, "steps": 200}),
    "far": Setting("δ₀ ±0.02, T = 200", _FAR),
    "alpha_0.05": Setting("δ₀ ±0.02, α = 0.05", {"initial_radius": 0.02, "step_size": 0.05}),
    # what a step follows, and the margin
    "far_sign": Setting("δ₀ ±0.02, T = 200, sign", {**_FAR, "step_rule": "sign"}),
    "raw": Setting("raw gradient", {"step_rule": "raw"}),
    "kappa_0.05": Setting("κ = 0.05", {"criterion": uae.Reconstruction(kappa=0.05)}),
    # what is minimised
    "mine": Setting("MINE, exact law", {"similarity": "bivariate"}),
    "l2_features": Setting("L2 on features", {"similarity": "l2"}),
    "cosine": Setting("cosine on features", {"similarity": "cosine"}),
    "l2_uae": Setting("L2-UAE", _L2),
    "l2_uae_epsilon_0.1": Setting("L2-UAE, ε = 0.1", {**_L2, **_SMALL}),
    "l2_uae_far": Setting("L2-UAE, δ₀ ±0.02, T = 200", {**_L2, **_FAR}),
    # how many, and of which model
    "examples_3": Setting("3 an image", examples=3),
    "examples_3_epsilon_0.1": Setting("3 an image, ε = 0.1", _SMALL, examples=3),
    "rounds_6": Setting("6 rounds", rounds=6),
    "rounds_6_epsilon_0.1": Setting("6 rounds, ε = 0.1", _SMALL, rounds=6),
}
