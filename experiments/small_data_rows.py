"""What the trainings of `small_data` add: UAEs of several attacks, and noise as large as these."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras_uae as uae
from keras_uae.attacks.presets import PRESETS
from keras_uae.comparison.noise import KINDS

_FAR: dict[str, Any] = {"initial_radius": 0.02, "steps": 200}
_SMALL: dict[str, Any] = {"epsilon": 0.1}
_L2 = PRESETS["l2_uae"]


@dataclass(frozen=True)
class Setting:
    """An attack, how many examples of an image it makes, and how often."""

    label: str
    attack: dict[str, Any] = field(default_factory=dict)  # what differs from the run
    examples: int = 1  # of every image, each from a δ₀ of its own
    rounds: int = 1  # parts of the training, each with examples of the model as it then is


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


class Row(NamedTuple):
    """What a training adds to the images of its set."""

    setting: str  # name of the attack, in `SETTINGS`
    target: str  # what the model restores of x + δ: "self" (x + δ) or "clean" (x)
    kind: str  # "uae", "duplicate", or one of `KINDS`: noise of the size of the UAEs

    @property
    def name(self) -> str:
        """Its name in the files."""
        return self.kind if self.kind == "duplicate" else "-".join(self)

    @property
    def controls(self) -> dict[str, str]:
        """The rows that it is compared with, by what they add, if it adds UAEs."""
        if self.kind != "uae":
            return {}
        noise = {kind: self._replace(kind=kind).name for kind in KINDS}
        return {"duplicate": "duplicate", **noise}


# as many samples and steps, no perturbation: one serves all settings and targets
DUPLICATE = Row("default", "self", "duplicate")
