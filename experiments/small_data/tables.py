"""The tables of a small-data run."""

from typing import Any

from experiments.small_data.config import Config
from experiments.small_data.settings import SETTINGS
from experiments.summary import mean
from experiments.tables import NONE, Sheet, mean_and_std, number, used

LEGEND = (
    "vs: by how much UAEs are better (+) or worse (−) than the duplicate control and than noise of "
    "the same L2 norm, image by image: Gaussian, uniform, signs at random, and δ itself with its "
    "values on other pixels of the image (shuffled). Mean over the sets ± half of the 95 % "
    "confidence interval; in % of the test error, and in percentage points of the test accuracy of "
    "logistic regression on the code. ASR and L2 of δ are those of the first round."
)
TARGETS = {"self": "x + δ restores x + δ", "clean": "x + δ restores x"}
HEADINGS = {
    "duplicate": "vs duplicate",
    "gaussian": "vs Gaussian",
    "uniform": "vs uniform",
    "signs": "vs signs",
    "shuffled": "vs shuffled",
}


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """The controls, then for each target what is restored and what the code is worth."""
    sets = ", ".join(map(str, config.seeds or ()))
    where = f"{config.dataset}, {config.model}, sets of {config.train_size}: {sets}"
    found = [Sheet(f"Controls · {where}", controls(summary))]
    for target in config.targets:
        for figure, title in (("error", "Test error"), ("accuracy", "Accuracy of the code")):
            columns = compared(config, summary, target, figure)
            found.append(Sheet(f"{title} · {TARGETS[target]} · {where}", used(columns)))
    return found


def controls(summary: dict[str, Any]) -> dict[str, list[str]]:
    """The original and the duplicates."""
    names = {"original": "Original", "duplicate": "Duplicate control"}
    rows = [summary[name] for name in names if name in summary]
    return {
        "": [text for name, text in names.items() if name in summary],
        "test error": [mean_and_std(row["test_error"], ".5f") for row in rows],
        "training error": [mean_and_std(row["train_error"], ".5f") for row in rows],
        "accuracy": [mean_and_std(row["accuracy"], ".1%") for row in rows],
    }


def compared(
    config: Config, summary: dict[str, Any], target: str, figure: str
) -> dict[str, list[str]]:
    """A row for each setting."""
    rows = {
        SETTINGS[name].label: summary[f"{name}-{target}-uae"]
        for name in config.settings
        if f"{name}-{target}-uae" in summary
    }
    ours = list(rows.values())
    columns = {"": list(rows)}
    if figure == "error":
        columns["ASR"] = [number(mean(row["asr"]), ".0%") for row in ours]
        columns["L2 of δ"] = [number(mean(row["l2"]), ".2f") for row in ours]
        columns["UAE"] = [number(mean(row["test_error"]), ".5f") for row in ours]
    else:
        columns["UAE"] = [number(mean(row["accuracy"]), ".1%") for row in ours]
    for control, heading in HEADINGS.items():
        columns[heading] = [difference(row["versus"].get(control, {}).get(figure)) for row in ours]
    return columns


def difference(found: dict[str, Any] | None) -> str:
    """A mean with half of its interval, in hundredths: "+1.2 ± 0.4"."""
    if found is None:
        return NONE
    text = f"{100 * found['mean']:+.1f}".replace("-", "−")
    if found["low"] is None:
        return text
    return f"{text} ± {100 * (found['high'] - found['low']) / 2:.1f}"
