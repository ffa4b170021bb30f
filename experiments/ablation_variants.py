"""The rows of an ablation run: the attack with one setting other than the default, part by part."""

from dataclasses import dataclass, field
from typing import Any

import keras_uae as uae
from experiments.engine.attacking import SAMPLING_WORK
from keras_uae.attacks.presets import PRESETS
from keras_uae.similarity import MINE, BivariateSampling

PARTS = {
    "sensitivity": "Step sizes α and β (Table 12)",
    "similarity": "What is minimised (Table 13)",
    "samples": "Random projections K of MINE",
    "penalty": "MinMax and the penalty method, as many iterations (supplement 6.6)",
    "start": "Where δ starts, and what a step follows",
    "margin": "Margin κ of the criterion",
    "time": "Time (Table 9)",
}
ALPHAS, BETAS = (0.01, 0.05), (0.05, 0.1, 0.5)  # of Table 12
SEARCHES = (2, 4)  # values of c of the penalty method, supplement 6.6
RADII = {"0": 0.0, "Glorot": "glorot", "±0.2": 0.2}
KAPPAS = (0.0, 0.01, 0.05, 0.1)
SIMILARITIES = {
    "l2_features": "L2 on features",
    "cosine": "Cosine on features",
    "feature_scattering": "Feature scattering",
    "gaussian": "Gaussian, closed form",
}
DEFAULT = ("mine", "minmax", "alpha_0.01-beta_0.1", "start_0.2-max", "kappa_0")
PROJECTIONS = 500  # K of the unit in which the work of sampling is counted


@dataclass(frozen=True)
class Variant:
    """An attack and how it is called."""

    name: str  # in the files; one that several parts share is made once
    label: str  # in the table of a part
    settings: dict[str, Any] = field(default_factory=dict)  # what differs from the experiment
    attack: Any = uae.MinMaxAttack
    work: int = 1  # what an iteration counts for in the progress, in samples


def every_part(steps: int, samples: tuple[int, ...]) -> dict[str, dict[str, Variant]]:
    """The rows of all parts, by part and by the name that `experiments.paper` has for them.

    The default attack is a row of every part, by one of the names in `DEFAULT`.
    """
    mine, l2 = Variant("mine", "MINE-UAE"), Variant("l2", "L2-UAE", PRESETS["l2_uae"])
    similarities = [
        Variant(name, label, {"similarity": name.removesuffix("_features")})
        for name, label in SIMILARITIES.items()
    ]
    projections = [_projections(count) for count in samples]
    parts = {
        "sensitivity": [_step_sizes(alpha, beta) for alpha in ALPHAS for beta in BETAS],
        "similarity": [mine, *similarities],
        "samples": [mine, *projections],
        "penalty": [Variant("minmax", "MinMax"), *(_penalty(b, steps // b) for b in SEARCHES)],
        "start": [
            *(_start(radius, rule) for radius in RADII for rule in ("raw", "max", "sign")),
            Variant("published", "published code", PRESETS["published_code"]),
        ],
        "margin": [_margin(kappa) for kappa in KAPPAS],
        "time": [mine, *similarities, l2, *projections[-1:]],
    }
    return {
        part: {row.name: Variant("mine", row.label) if row.name in DEFAULT else row for row in rows}
        for part, rows in parts.items()
    }


def _step_sizes(alpha: float, beta: float) -> Variant:
    settings = {"step_size": alpha, "multiplier_step_size": beta}
    return Variant(f"alpha_{alpha:g}-beta_{beta:g}", f"α = {alpha:g}, β = {beta:g}", settings)


def _start(radius: str, rule: str) -> Variant:
    settings = {"initial_radius": RADII[radius], "step_rule": rule}
    name = f"start_{radius.removeprefix('±').lower()}-{rule}"
    return Variant(name, f"δ₀ {radius}, {rule}", settings)


def _margin(kappa: float) -> Variant:
    settings = {"criterion": uae.Reconstruction(kappa=kappa)}
    return Variant(f"kappa_{kappa:g}", f"κ = {kappa:g}", settings)


def _projections(count: int) -> Variant:
    settings = {"similarity": MINE(features=BivariateSampling(samples=count))}
    work = max(1, SAMPLING_WORK["bivariate"] * count // PROJECTIONS)
    return Variant(f"random_{count}", f"MINE, K = {count}", settings, work=work)


def _penalty(searches: int, steps: int) -> Variant:
    name, label = f"penalty_{searches}x{steps}", f"Penalty, {searches} × {steps}"
    settings = {"search_steps": searches, "steps": steps}
    return Variant(name, label, settings, attack=uae.PenaltyAttack)
