"""The tables of a robustness run."""

from typing import Any

from experiments.robustness.config import PARTS, Config
from experiments.robustness.summary import METHODS, ROWS, titles
from experiments.tables import Sheet, mean_and_std, used

LEGEND = (
    "Success rate of the attack (ASR) for each ε on test images that the classifier gets right, "
    "mean ± std over the seeds; low is robust. Accuracy: on all test images, unperturbed. The "
    "duplicate control is trained on as many images in as many steps as the row with UAEs: what "
    "the UAEs themselves bring is the difference between these two."
)


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """One for each part."""
    seeds = ", ".join(map(str, config.seeds or ()))
    where = f"{config.dataset}, {config.preset} preset · seeds {seeds}"
    return [
        Sheet(f"{title} · {where}", curves(summary, PARTS[part]))
        for part, title in titles(config).items()
    ]


def curves(summary: dict[str, Any], lines: list[tuple[str, str]]) -> dict[str, list[str]]:
    """A row for each classifier and attack, a column for each ε."""
    shown = [
        (row, method, summary["curves"][row][method])
        for row, method in lines
        if method in summary["curves"].get(row, {})
    ]
    columns = {
        "": [f"{ROWS[row]}: {METHODS[method]}" for row, method, _ in shown],
        "accuracy": [mean_and_std(summary["accuracy"].get(row), ".1%") for row, *_ in shown],
    }
    for place, point in enumerate(shown[0][2] if shown else ()):
        rates = [mean_and_std(points[place]["asr"], ".1%") for *_, points in shown]
        columns[f"ε = {point['epsilon']:.3g}"] = rates
    return used(columns)
