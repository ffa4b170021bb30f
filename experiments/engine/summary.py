"""Mean and standard deviation over the seeds, and comparisons within a seed, from the records.

Experiments that retrain a model have rows of one name each: "original" is the model that was
attacked, "duplicate" the control of equal budget, the others are what the experiment asks about.
Their trainings are records of the stage "training", their attacks of the stage "attack".
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from experiments.engine.records import Records
from keras_uae.comparison import statistics as comparisons

CONTROLS = ("original", "duplicate")  # nothing to compare with the duplicate control

Key = TypeVar("Key", bound=Hashable)
Summary = dict[str, dict[str, Any]]


def spread(values: Iterable[float | None]) -> dict[str, float] | None:
    """Mean, standard deviation and count of what is there."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": float(np.mean(known)), "std": float(np.std(known)), "count": len(known)}


def mean(spread: dict[str, float] | None) -> float | None:
    """The mean of a figure of the summary, if there is one."""
    return None if spread is None else spread["mean"]


def known_mean(spread: dict[str, float] | None) -> float:
    """The mean of a figure that must be there."""
    if spread is None:
        raise ValueError("`spread` of known_mean must have a mean. Received: None.")
    return spread["mean"]


def names(records: Records, stage: str) -> list[str]:
    """The rows of a stage, in the order of the work."""
    return list(dict.fromkeys(row["name"] for row in records if row["stage"] == stage))


def by_seed(records: Records, stage: str, name: str) -> dict[int, dict[str, Any]]:
    """The records of a stage and a row."""
    return {row["seed"]: row for row in records if (row["stage"], row["name"]) == (stage, name)}


def spreads(records: Records, stage: str, name: str, *figures: str) -> dict[str, Any]:
    """Figures of a stage and a row over the seeds, as far as their pieces are finished."""
    rows = by_seed(records, stage, name).values()
    return {figure: spread(row.get(figure) for row in rows) for figure in figures}


def errors(
    records: Records,
    name: str,
    *,
    original: str = "original",
    duplicate: str | None = "duplicate",
) -> dict[str, Any]:
    """The reconstruction errors of a row, and how they compare with its controls.

    `gain_original` is the fraction by which the test error of the last weights is lower than that
    of the row `original` in the same seed, as in the paper. `duplicate` is the row that `judge`
    compares with; `diverged` counts the seeds without a finite error.
    """
    rows = by_seed(records, "training", name).values()
    gains = [] if name == "original" else gains_over(records, name, original)
    return {
        **spreads(records, "training", name, "test_error", "averaged_error", "train_error"),
        "gain_original": spread(gains),
        "control": None if name in CONTROLS else duplicate,
        "diverged": sum(row["test_error"] is None for row in rows),
        **spreads(records, "training", name, "seconds"),
    }


def judge(records: Records, summary: Summary) -> Summary:
    """The summary with what each row is worth next to its `control`, all rows judged together.

    `vs_control` is of the test errors, as `judged` gives it, by the averaged weights where all rows
    of the run have them.
    """
    figure = deciding(records, "test_error", "averaged_error")
    controls = {name: row["control"] for name, row in summary.items() if row.get("control")}
    found = judged({n: gains_over(records, n, other, figure) for n, other in controls.items()})
    for name, each in found.items():
        summary[name]["vs_control"] = each
    return summary


def deciding(records: Records, last: str, averaged: str) -> str:
    """The figure of the averaged weights where all trainings have it, or that of the last ones."""
    trained = [row for row in records if row["stage"] == "training"]
    return averaged if all(averaged in row for row in trained) else last


def judged(
    gains: Mapping[Key, Sequence[float]], *, ratio: bool = True
) -> dict[Key, dict[str, Any] | None]:
    """Comparisons, all in one: mean and interval, Holm's p-value, outcome; `None` without a seed.

    Args:
        gains: Differences by seed of each comparison, + is better.
        ratio: Boolean, whether they are fractions of the control's figure.
    """
    found = {key: comparisons.paired(each) for key, each in gains.items()}
    outcomes = comparisons.judged(found)
    return {
        key: {**comparisons.figures(each), **outcomes[key], "ratio": ratio} if each.count else None
        for key, each in found.items()
    }


def attack(records: Records, name: str) -> dict[str, Any]:
    """What the attack of a row came to."""
    figures = spreads(records, "attack", name, "asr", "l2", "seconds")
    figures["attack_seconds"] = figures.pop("seconds")
    return figures


def gains_over(
    records: Records, name: str, reference: str, figure: str = "test_error"
) -> list[float]:
    """1 − error / error of the reference, for the seeds in which both are finite."""
    pairs = paired(records, "training", name, reference, figure)
    return [1 - error / other for error, other in pairs]


def paired(
    records: Records, stage: str, name: str, reference: str, figure: str
) -> list[tuple[float, float]]:
    """A figure of a row and of a reference, for the seeds in which both have it."""
    rows, others = (by_seed(records, stage, each) for each in (name, reference))
    pairs = [(rows[seed].get(figure), others[seed].get(figure)) for seed in rows if seed in others]
    return [(one, other) for one, other in pairs if one is not None and other is not None]


def collapsed(records: Records) -> dict[str, list[int]]:
    """Seeds whose classifier gives one class to all test images, by row."""
    found: dict[str, list[int]] = {}
    for each in records:
        if each["stage"] == "training" and each.get("classes") == 1:
            found.setdefault(each["name"], []).append(each["seed"])
    return found


def rates(records: Records, *keys: str) -> dict[Any, dict[float, dict[int, float]]]:
    """Success rates over ε by ε and seed: a curve for each value, or values, of `keys`.

    Those of a classifier that has `collapsed` are left out: nothing leaves its class.
    """
    curves: dict[Any, dict[float, dict[int, float]]] = {}
    out = {(row, seed) for row, seeds in collapsed(records).items() for seed in seeds}
    for each in records:
        if "epsilon" in each and "asr" in each and (each.get("row"), each["seed"]) not in out:
            found = curves.setdefault(itemgetter(*keys)(each), {})
            found.setdefault(each["epsilon"], {})[each["seed"]] = each["asr"]
    return curves


def curve(rates: dict[float, dict[int, float]]) -> list[dict[str, Any]]:
    """Success rates by ε and seed as one point for each ε."""
    return [
        {"epsilon": epsilon, "asr": spread(values.values())}
        for epsilon, values in sorted(rates.items())
    ]


def curve_differences(
    found: dict[float, dict[int, float]], other: dict[float, dict[int, float]]
) -> list[dict[str, Any]]:
    """Success rates less those of another curve, seed by seed, for every ε.

    `difference` is their spread, `lower` counts the seeds in which the first is lower.
    """
    points = []
    for epsilon in sorted(found.keys() & other.keys()):
        seeds = found[epsilon].keys() & other[epsilon].keys()
        gaps = [found[epsilon][seed] - other[epsilon][seed] for seed in sorted(seeds)]
        lower = sum(gap < 0 for gap in gaps)
        points.append({"epsilon": epsilon, "difference": spread(gaps), "lower": lower})
    return points
