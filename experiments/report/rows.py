"""The rows of a run for a table of the documentation: by name, what they are called and figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import paper
from experiments.engine.tables import beside
from experiments.report import restored
from experiments.report.runs import FoundRun
from experiments.robustness_curves import METHODS
from experiments.small_data_rows import SETTINGS

Rows = Mapping[str, tuple[str, Mapping[str, Any]]]


def read(run: FoundRun) -> Rows:
    """What a run is summarised as, what the paper prints beside."""
    summary = restored.summary(run)
    return beside(summary.get("rows", summary), printed(run), restored.labels(run))


def printed(run: FoundRun) -> paper.Rows:
    """What the paper prints, whatever was minimised in its place."""
    name, dataset = run.settings["experiment"], run.settings["dataset"]
    if name == "reconstruction":
        return paper.reconstruction(dataset, run.settings["model"])
    if name == "supervised":
        return paper.printed("methods", dataset)
    known = getattr(paper, name, None)
    return known(dataset) if known else {}


def small_data(run: FoundRun) -> Rows:
    """The rows of UAEs, by the setting of the attack."""
    summary = restored.summary(run)
    chosen = {name.split("-")[0]: name for name in summary if name.endswith("-uae")}
    return {each: (SETTINGS[each].label, summary[name]) for each, name in chosen.items()}


def robustness(run: FoundRun) -> Rows:
    """Accuracy and success rates of PGD by ε."""
    summary = restored.summary(run)
    return {
        row: (
            restored.labels(run)[row],
            {"accuracy": summary["accuracy"].get(row), **_rates(curves["pgd"])},
        )
        for row, curves in summary["curves"].items()
        if "pgd" in curves
    }


def trades(run: FoundRun) -> Rows:
    """Success rates by ε of both attacks on the network of TRADES."""
    curves = restored.summary(run)["curves"]["trades"]
    return {name: (METHODS[name], _rates(curve)) for name, curve in curves.items()}


def _rates(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{each['epsilon']:.3g}": each["asr"] for each in curve}


def ablation(run: FoundRun) -> Rows:
    """The attacks, with their times."""
    summary, dataset = restored.summary(run), run.settings["dataset"]
    theirs = paper.printed("similarity", dataset) | paper.printed("penalty", dataset)
    figures = {
        name: {**row, "timing": summary["timing"].get(name)}
        for name, row in summary["attacks"].items()
    }
    return beside(figures, theirs, restored.labels(run))


def retrained(run: FoundRun) -> Rows:
    """The trainings on the examples of each attack."""
    return beside(restored.summary(run)["trainings"], {}, restored.labels(run))
