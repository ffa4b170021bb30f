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
PROJECTIONS = 500  # K of the unit in which the work of sampling is counted


@dataclass(frozen=True)
class Variant:
    """An attack and how it is called.

    Attributes:
        name: Its name in the files; one that several parts share is made once.
        label: Its name in the table of a part.
        settings: Keyword arguments, where they are not those of the experiment.
        attack: Its class.
        work: What an iteration counts for in the progress, in samples.
    """

    name: str
    label: str
    settings: dict[str, Any] = field(default_factory=dict)
    attack: Any = uae.MinMaxAttack
    work: int = 1


def every_part(steps: int, samples: tuple[int, ...]) -> dict[str, dict[str, Variant]]:
    """The rows of all parts, by part and by the name that `experiments.paper` has for them.

    The default attack, "mine", is a row of every part.
    """
    minmax = {"mine": _variant("mine", "MINE-UAE", {})}
    projections = {f"random_{count}": _projections(count) for count in samples}
    similarities = {
        "l2_features": "L2 on features",
        "cosine": "Cosine on features",
        "feature_scattering": "Feature scattering",
        "gaussian": "Gaussian, closed form",
    }
    other = {
        name: _variant(name, label, {"similarity": name.removesuffix("_features")})
        for name, label in similarities.items()
    }
    penalties = {f"penalty_{b}x{steps // b}": _penalty(b, steps // b) for b in SEARCHES}
    baseline = {"l2": _variant("l2", "L2-UAE", PRESETS["l2_uae"])}
    return {
        "sensitivity": {
            f"alpha_{alpha:g}-beta_{beta:g}": _variant(
                f"alpha_{alpha:g}-beta_{beta:g}",
                f"α = {alpha:g}, β = {beta:g}",
                {"step_size": alpha, "multiplier_step_size": beta},
                default=(alpha, beta) == (0.01, 0.1),
            )
            for alpha in ALPHAS
            for beta in BETAS
        },
        "similarity": {**minmax, **other},
        "samples": {**minmax, **projections},
        "penalty": {"minmax": _variant("mine", "MinMax", {}), **penalties},
        "start": _starts(),
        "margin": {
            f"kappa_{kappa:g}": _variant(
                f"kappa_{kappa:g}",
                f"κ = {kappa:g}",
                {"criterion": uae.Reconstruction(kappa=kappa)},
                default=kappa == 0,
            )
            for kappa in KAPPAS
        },
        "time": {**minmax, **other, **baseline, **dict(list(projections.items())[-1:])},
    }


def _starts() -> dict[str, Variant]:
    rows = {}
    for radius, value in RADII.items():
        for rule in ("raw", "max", "sign"):
            name = f"start_{radius.removeprefix('±').lower()}-{rule}"
            settings = {"initial_radius": value, "step_rule": rule}
            default = (value, rule) == (0.2, "max")
            rows[name] = _variant(name, f"δ₀ {radius}, {rule}", settings, default=default)
    published = PRESETS["published_code"]
    return {**rows, "published": _variant("published", "published code", published)}


def _projections(count: int) -> Variant:
    mine = MINE(features=BivariateSampling(samples=count))
    work = max(1, SAMPLING_WORK["bivariate"] * count // PROJECTIONS)
    name, label = f"random_{count}", f"MINE, K = {count}"
    return Variant(name, label, {"similarity": mine}, work=work)


def _penalty(searches: int, steps: int) -> Variant:
    settings = {"search_steps": searches, "steps": steps}
    name, label = f"penalty_{searches}x{steps}", f"Penalty, {searches} × {steps}"
    return Variant(name, label, settings, attack=uae.PenaltyAttack)


def _variant(name: str, label: str, settings: dict[str, Any], *, default: bool = False) -> Variant:
    """A row of MinMax; by its name the default is the same in all parts."""
    return Variant("mine", label) if default else Variant(name, label, settings)
