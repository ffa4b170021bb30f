"""Settings of `MinMaxAttack` that have a name."""

from typing import Any

from keras_uae.criteria import Reconstruction

PRESETS: dict[str, dict[str, Any]] = {
    # real perturbations and a high success rate
    "default": {},
    # to train on: with more, a model that is retrained on them does no better than on duplicates
    "augmentation": {"epsilon": 0.02},
    # the letter of Algorithm 1: from δ₀ = 0 and c = 0, with the gradient as it comes
    "paper": {"initial_radius": 0.0, "initial_multiplier": 0.0, "step_rule": "raw"},
    # the published code: c₀, δ₀ and squared norms are not in the paper
    "published_code": {
        "criterion": Reconstruction(squared=True),
        "initial_radius": "glorot",
        "initial_multiplier": 1e-3,
        "step_rule": "raw",
    },
    # baseline of section 4.4: as much reconstruction loss as the criterion allows
    "l2_uae": {"similarity": "reconstruction_loss", "objective": "maximize"},
}
