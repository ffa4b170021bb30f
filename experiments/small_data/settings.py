"""The attacks that are tried: what differs from the default, and how often it is done."""

from dataclasses import dataclass, field
from typing import Any

import keras_uae as uae
from keras_uae.attack import PRESETS

_NEAR: dict[str, Any] = {"initial_radius": 0.02}
_FAR: dict[str, Any] = {**_NEAR, "steps": 200}


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
    "start_0": Setting("δ₀ = 0", {"initial_radius": 0.0}),
    "start_0.05": Setting("δ₀ ±0.05", {"initial_radius": 0.05}),
    "start_0.35": Setting("δ₀ ±0.35", {"initial_radius": 0.35}),
    "epsilon_0.1": Setting("ε = 0.1", {"epsilon": 0.1}),
    "epsilon_0.3": Setting("ε = 0.3, δ₀ ±0.3", {"epsilon": 0.3, "initial_radius": 0.3}),
    "kappa_0.5": Setting("κ = 0.5", {"criterion": uae.Reconstruction(kappa=0.5)}),
    "far": Setting("δ₀ ±0.02, T = 200", _FAR),
    "far_sign": Setting("δ₀ ±0.02, T = 200, sign", {**_FAR, "step_rule": "sign"}),
    "far_kappa": Setting(
        "δ₀ ±0.02, T = 200, κ = 0.5", {**_FAR, "criterion": uae.Reconstruction(kappa=0.5)}
    ),
    "alpha_0.05": Setting("δ₀ ±0.02, α = 0.05", {**_NEAR, "step_size": 0.05}),
    "raw": Setting("step: raw", {"step_rule": "raw"}),
    "mine": Setting("MINE, exact law", {"similarity": "bivariate"}),
    "l2_features": Setting("L2 on features", {"similarity": "l2"}),
    "cosine": Setting("cosine on features", {"similarity": "cosine"}),
    "l2_uae": Setting("L2-UAE", PRESETS["l2_uae"]),
    "l2_uae_far": Setting("L2-UAE, δ₀ ±0.02, T = 200", {**PRESETS["l2_uae"], **_FAR}),
    "examples_3": Setting("3 examples an image", examples=3),
    "rounds_6": Setting("6 rounds", rounds=6),
    "rounds_6_far": Setting("6 rounds, δ₀ ±0.02, T = 200", _FAR, rounds=6),
}
