"""The rows of a small-data run: what each adds, what is tabulated, said and drawn of them.

They add UAEs of several attacks, and noise as large as these.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import keras_uae as uae
from experiments.engine import plots
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, ORANGE, RED
from experiments.engine.summary import Records, deciding, gains_over, judged, names, paired, spreads
from experiments.engine.tables import Column, Sheet, hundredths, sheet
from keras_uae.attacks.presets import PRESETS
from keras_uae.comparison.noise import KINDS
from keras_uae.comparison.statistics import FEWEST_SEEDS

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

TARGETS = {"self": "x + δ restores x + δ", "clean": "x + δ restores x"}
MEASURED = ("test_error", "averaged_error", "train_error", "accuracy", "asr", "l2", "seconds")
COLORS = (BLUE, ORANGE, GREEN, RED)  # of the kinds of noise
CONTROLS = {"original": "Original", "duplicate": "Duplicate control"}


def labels(config: Any) -> dict[str, str]:
    """Names in the files → on the bar."""
    kinds = {"uae": "UAE", **{name: kind.label for name, kind in KINDS.items()}}
    return CONTROLS | {
        name: f"{SETTINGS[row.setting].label} · {row.target} · {kinds[row.kind]}"
        for name, row in config.rows.items()
        if row.kind in kinds
    }


def summarize(records: Records) -> dict[str, Any]:
    """By row: figures as `{"mean", "std", "count"}`, and for UAEs how they compare.

    `versus` has for each control the fraction by which the test error is lower, `error`, and by how
    much the accuracy of the code is higher, `accuracy`, as `judged` gives them, set by set.
    """
    rows = names(records, "training")
    summary = {name: spreads(records, "training", name, *MEASURED) for name in rows}
    pairs = {
        (name, control): other
        for name in rows
        if name.endswith("-uae")
        for control, other in Row(*name.split("-")).controls.items()
    }
    error = deciding(records, "test_error", "averaged_error")
    accuracy = deciding(records, "accuracy", "averaged_accuracy")
    errors = judged({key: gains_over(records, key[0], pairs[key], error) for key in pairs})
    accuracies = judged(
        {
            key: [a - b for a, b in paired(records, "training", key[0], pairs[key], accuracy)]
            for key in pairs
        },
        ratio=False,
    )
    for name, control in pairs:
        versus = {"error": errors[name, control], "accuracy": accuracies[name, control]}
        summary[name].setdefault("versus", {})[control] = versus
    return summary


OF_CONTROLS = (
    Column("test error", "test_error", ".5f", std=True),
    Column("averaged weights", "averaged_error", ".5f", std=True),
    Column("training error", "train_error", ".5f", std=True),
    Column("accuracy", "accuracy", ".1%", std=True),
)
FIGURES = {
    "error": (
        "Test error",
        (
            Column("ASR", "asr", ".0%"),
            Column("L2 of δ", "l2", ".2f"),
            Column("UAE", "test_error", ".5f"),
            Column("averaged", "averaged_error", ".5f"),
        ),
    ),
    "accuracy": ("Accuracy of the code", (Column("UAE", "accuracy", ".1%"),)),
}
HEADINGS = ("duplicate", *KINDS)


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """The controls, then for each target what is restored and what the code is worth."""
    controls = [(text, summary[name]) for name, text in CONTROLS.items() if name in summary]
    found = [sheet(f"Controls · {config.where}", OF_CONTROLS, controls)]
    for target in (each for each in TARGETS if each in config.targets):
        rows = [(SETTINGS[s].label, row) for s, row in _of_target(config, summary, target).items()]
        for figure, (title, columns) in FIGURES.items():
            compared = [_compared(control, figure) for control in HEADINGS]
            heading = f"{title} · {TARGETS[target]} · {config.where}"
            found.append(sheet(heading, [*columns, *compared], rows))
    return found


def _of_target(config: Any, summary: dict[str, Any], target: str) -> dict[str, dict[str, Any]]:
    """The rows of UAEs with this target, by setting."""
    names = {setting: Row(setting, target, "uae").name for setting in config.settings}
    return {setting: summary[name] for setting, name in names.items() if name in summary}


def _compared(control: str, figure: str) -> Column:
    return Column(
        f"vs {control}", lambda row: hundredths(row["versus"].get(control, {}).get(figure))
    )


def verdicts(config: Any, summary: dict[str, Any]) -> list[str]:
    """For each target and figure, which settings beat every noise; and how far to trust that."""
    lines = []
    for target in config.targets:
        versus = {s: row["versus"] for s, row in _of_target(config, summary, target).items()}
        for figure, (title, _) in FIGURES.items():
            judged = _judged(versus, figure)
            lines.append(f"{TARGETS[target]}, {title[0].lower()}{title[1:]}: {judged}")
    return [*lines, CORRECTED]


CORRECTED = (
    "A difference counts at the 5 % level, corrected by Holm for all comparisons of the table."
)


def _judged(versus: dict[str, Any], figure: str) -> str:
    noises, count = tuple(KINDS), len(versus)
    found = [each[figure] for row in versus.values() for each in row.values()]
    if any(each is None or each["outcome"] == "none" for each in found):
        return f"no verdict, which takes {FEWEST_SEEDS} sets."

    def judged(wanted: str, *controls: str) -> list[str]:
        return [
            SETTINGS[setting].label
            for setting, row in versus.items()
            if all(row[control][figure]["outcome"] == wanted for control in controls)
        ]

    said = f"{len(judged('better', 'duplicate'))} of {count} settings beat the duplicate control; "
    if better := judged("better", "duplicate", *noises):
        return f"{said}every noise of its size as well do {'; '.join(better)}."
    worse = judged("worse", *noises)
    than_noise = f", and {len(worse)} are worse than all of them" if worse else ""
    return f"{said}none beats every noise of its size as well{than_noise}."


TITLES = {"error": "test error lower by (%)", "accuracy": "accuracy of the code higher by (points)"}


def draw(job: Job[Any], path: Path) -> None:
    """By how much UAEs are better than noise of their size, with 95 % confidence intervals."""
    config, summary = job.config, job.run.summary
    settings, lines = [SETTINGS[name].label for name in config.settings], len(config.targets)
    size = (11, (0.36 * len(settings) + 1.3) * lines)
    shape: dict[str, Any] = {"squeeze": False, "sharey": True}
    with plots.canvas(path, size, lines, len(TITLES), **shape) as (figure, grid):
        for line, target in zip(grid, config.targets, strict=True):
            rows = _of_target(config, summary, target).values()
            for axes, (name, title) in zip(line, TITLES.items(), strict=True):
                shifts = np.linspace(-0.24, 0.24, len(KINDS))
                for shift, noise, color in zip(shifts, KINDS, COLORS, strict=False):
                    found = [row["versus"].get(noise, {}).get(name) for row in rows]
                    mark = {"color": color, "label": f"than {KINDS[noise].label}"}
                    _differences(axes, found, shift, **mark)
                axes.axvline(0, color=GREY, lw=1.4, ls="--")
                axes.set_title(f"{title}, target {target}")
                axes.grid(axis="x")
        grid[0, 0].set_yticks(range(len(settings)), settings)
        # the first setting on top; the panels share the axis
        grid[0, 0].set_ylim(len(settings) - 0.5, -0.5)
        handles, texts = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=len(KINDS))


def _differences(axes: Any, found: list[dict[str, Any] | None], shift: float, **mark: Any) -> None:
    """Means with their intervals, a line for each setting, `shift` below it; `None` is left out."""
    known = [(place + shift, each) for place, each in enumerate(found) if each is not None]
    # a single value has no interval
    ends = [each["mean"] if each["low"] is None else each["high"] for _, each in known]
    means = 100 * np.array([each["mean"] for _, each in known])
    if known:
        mark |= {"xerr": 100 * np.array(ends) - means, "fmt": "o", "ms": 4.5, "lw": 1.6}
        axes.errorbar(means, [place for place, _ in known], **mark)
