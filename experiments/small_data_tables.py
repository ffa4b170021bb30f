"""What a small-data run shows of its rows: summary, tables, sentences, figure."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from experiments.engine import plots
from experiments.engine.job import Job
from experiments.engine.plots import GREY
from experiments.engine.summary import Records, gains_over, names, paired, spreads
from experiments.engine.tables import NONE, Column, Sheet, sheet
from experiments.small_data_rows import KINDS, SETTINGS, Row

TARGETS = {"self": "x + δ restores x + δ", "clean": "x + δ restores x"}
CONFIDENCE = 0.95
MEASURED = ("test_error", "train_error", "accuracy", "asr", "l2", "seconds")
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
    much the accuracy of the code is higher, `accuracy`, as `interval` gives them, set by set.
    """
    summary: dict[str, Any] = {}
    for name in names(records, "training"):
        summary[name] = spreads(records, "training", name, *MEASURED)
        if name.endswith("-uae"):
            others = Row(*name.split("-")).controls
            summary[name]["versus"] = {
                control: _versus(records, name, other) for control, other in others.items()
            }
    return summary


def _versus(records: Records, name: str, other: str) -> dict[str, Any]:
    accuracies = paired(records, "training", name, other, "accuracy")
    return {
        "error": interval(gains_over(records, name, other)),
        "accuracy": interval(one - two for one, two in accuracies),
    }


def interval(values: Iterable[float]) -> dict[str, Any] | None:
    """Mean of differences and its 95 % confidence interval by Student's t.

    `low` and `high` are `None` of a single value.
    """
    values = list(values)
    if not values:
        return None
    mean, count = float(np.mean(values)), len(values)
    found: dict[str, Any] = {"mean": mean, "low": None, "high": None, "count": count}
    if count > 1:
        error = float(stats.sem(values))
        width = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
        found |= {"low": mean - width, "high": mean + width}
    return found


def verdict(versus: dict[str, Any], figure: str, controls: Sequence[str]) -> str:
    """Whether a setting is "better" or "worse" than all the controls, or neither: "open".

    Better means that no interval reaches 0; without intervals nothing is known.
    """
    found = [versus[control][figure] for control in controls]
    if any(each is None or each["low"] is None for each in found):
        return "open"
    better, worse = min(each["low"] for each in found) > 0, max(each["high"] for each in found) < 0
    return "better" if better else "worse" if worse else "open"


OF_CONTROLS = (
    Column("test error", "test_error", ".5f", std=True),
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
        ),
    ),
    "accuracy": ("Accuracy of the code", (Column("UAE", "accuracy", ".1%"),)),
}
HEADINGS = {"duplicate": "duplicate", **{name: kind.heading for name, kind in KINDS.items()}}


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """The controls, then for each target what is restored and what the code is worth."""
    controls = [(text, summary[name]) for name, text in CONTROLS.items() if name in summary]
    found = [sheet(f"Controls · {config.where}", OF_CONTROLS, controls)]
    for target in (each for each in TARGETS if each in config.targets):
        rows = [(SETTINGS[s].label, row) for s, row in _of_target(config, summary, target).items()]
        for figure, (title, columns) in FIGURES.items():
            compared = [
                _compared(f"vs {text}", control, figure) for control, text in HEADINGS.items()
            ]
            heading = f"{title} · {TARGETS[target]} · {config.where}"
            found.append(sheet(heading, [*columns, *compared], rows))
    return found


def _of_target(config: Any, summary: dict[str, Any], target: str) -> dict[str, dict[str, Any]]:
    """The rows of UAEs with this target, by setting."""
    names = {setting: Row(setting, target, "uae").name for setting in config.settings}
    return {setting: summary[name] for setting, name in names.items() if name in summary}


def _compared(heading: str, control: str, figure: str) -> Column:
    return Column(heading, lambda row: difference(row["versus"].get(control, {}).get(figure)))


def difference(found: dict[str, Any] | None) -> str:
    """A mean with half of its interval, in hundredths: "+1.2 ± 0.4"."""
    if found is None:
        return NONE
    text = f"{100 * found['mean']:+.1f}".replace("-", "−")
    if found["low"] is None:
        return text
    return f"{text} ± {100 * (found['high'] - found['low']) / 2:.1f}"


def verdicts(config: Any, summary: dict[str, Any]) -> list[str]:
    """For each target and figure, which settings beat every noise; and how far to trust that."""
    lines = []
    for target in config.targets:
        versus = {s: row["versus"] for s, row in _of_target(config, summary, target).items()}
        for figure, (title, _) in FIGURES.items():
            judged = _judged(versus, figure)
            lines.append(f"{TARGETS[target]}, {title[0].lower()}{title[1:]}: {judged}")
    tests = len(config.settings) * len(config.targets) * len(FIGURES)
    if tests > 1:
        lines.append(
            f"These are {tests} comparisons. Of as many in which nothing differs, one in "
            f"{2 / (1 - CONFIDENCE):.0f} has an interval above 0 for any one noise: what is best "
            "here is to be confirmed on sets that it was not chosen on."
        )
    return lines


def _judged(versus: dict[str, Any], figure: str) -> str:
    noises, count = tuple(KINDS), len(versus)
    if all(row["duplicate"][figure]["low"] is None for row in versus.values()):
        means = {
            s: {c: each[figure]["mean"] for c, each in row.items()} for s, row in versus.items()
        }
        over = [setting for setting, each in means.items() if each["duplicate"] > 0]
        best = _labels(setting for setting, each in means.items() if min(each.values()) > 0)
        return (
            f"on the only set {len(over)} of {count} settings are better than the duplicate "
            f"control, and {len(best)} than every noise of their size as well"
            f"{': ' * bool(best)}{', '.join(best)}. One set decides nothing."
        )

    def judged(wanted: str, *controls: str) -> list[str]:
        return [s for s, row in versus.items() if verdict(row, figure, controls) == wanted]

    over = judged("better", "duplicate")
    said = f"{len(over)} of {count} settings beat the duplicate control; "
    if better := judged("better", "duplicate", *noises):
        return f"{said}every noise of its size as well do {'; '.join(_labels(better))}."
    worse = judged("worse", *noises)
    than_noise = f", and {len(worse)} are worse than all of them" if worse else ""
    return f"{said}none beats every noise of its size as well{than_noise}."


def _labels(settings: Iterable[str]) -> list[str]:
    return [SETTINGS[each].label for each in settings]


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
                for shift, (noise, kind) in zip(shifts, KINDS.items(), strict=True):
                    found = [row["versus"].get(noise, {}).get(name) for row in rows]
                    mark = {"color": kind.color, "label": f"than {kind.label}"}
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
