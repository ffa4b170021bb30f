"""What the trainings of a small-data run come to, and their differences with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t

from experiments.small_data.config import Config
from experiments.small_data.rows import Row
from experiments.small_data.settings import SETTINGS
from experiments.summary import Records, by_seed, gains_over, paired, spread

CONFIDENCE = 0.95
TEXTS = {
    "uae": "UAE",
    "gaussian": "Gaussian noise",
    "uniform": "uniform noise",
    "signs": "random signs",
    "shuffled": "shuffled δ",
}


def labels(config: Config) -> dict[str, str]:
    """Names in the files → on the bar."""
    names = {"original": "Original", "duplicate": "Duplicate control"}
    for name, row in config.rows.items():
        if row.kind in TEXTS:
            names[name] = f"{SETTINGS[row.setting].label} · {row.target} · {TEXTS[row.kind]}"
    return names


def summarize(records: Records) -> dict[str, Any]:
    """By row: figures as `{"mean", "std", "count"}`, and for UAEs how they compare.

    `versus` has for each control the fraction by which the test error is lower, `error`, and by how
    much the accuracy of the code is higher, `accuracy`, as `interval` gives them, set by set.
    """
    summary: dict[str, Any] = {}
    for name in dict.fromkeys(record["name"] for record in records):
        rows = by_seed(records, "training", name).values()
        figures = ("test_error", "train_error", "accuracy", "asr", "l2", "seconds")
        summary[name] = {key: spread(row.get(key) for row in rows) for key in figures}
        parts = name.split("-")
        controls = Row(*parts).controls if len(parts) == 3 else {}
        if controls:
            summary[name]["versus"] = {
                control: {
                    "error": interval(gains_over(records, name, other)),
                    "accuracy": interval(
                        one - two
                        for one, two in paired(records, "training", name, other, "accuracy")
                    ),
                }
                for control, other in controls.items()
            }
    return summary


def interval(values: Any) -> dict[str, Any] | None:
    """Mean of differences and its 95 % confidence interval by Student's t.

    `low` and `high` are `None` of a single value.
    """
    values = list(values)
    if not values:
        return None
    mean, count = float(np.mean(values)), len(values)
    found: dict[str, Any] = {"mean": mean, "low": None, "high": None, "count": count}
    if count > 1:
        error = float(np.std(values, ddof=1)) / count**0.5
        width = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
        found.update(low=mean - width, high=mean + width)
    return found


def verdict(versus: dict[str, Any], figure: str, controls: Sequence[str]) -> str:
    """Whether a setting is "better" or "worse" than all the controls, or neither: "open".

    Better means that no interval reaches 0; without intervals nothing is known.
    """
    found = [versus[control][figure] for control in controls if control in versus]
    if not found or any(each is None or each["low"] is None for each in found):
        return "open"
    if all(each["low"] > 0 for each in found):
        return "better"
    return "worse" if all(each["high"] < 0 for each in found) else "open"
