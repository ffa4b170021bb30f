"""What the records of a run say of a claim: the lines of its answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from experiments import paper
from experiments.ablation_rows import SIMILARITIES
from experiments.engine.summary import CONTROLS, by_seed, deciding, gains_over, names, paired
from experiments.engine.summary import rates as by_epsilon
from experiments.reconstruction_rows import ROWS
from experiments.report.answers import Line
from experiments.report.runs import FoundRun

ACCURACY: dict[str, Any] = {"measure": "more accuracy (points)", "ratio": False}

Gains = Sequence[Sequence[float]]  # over what the paper compares with, and over the control
Rates = Mapping[float, Mapping[int, float]]  # by ε and seed


def reconstruction(run: FoundRun, rows: Iterable[str]) -> Iterator[Line]:
    """Test errors of the autoencoders of `rows`, next to the one that they build on."""
    model = run.settings["model"]
    printed = paper.reconstruction(run.settings["dataset"], model)
    for name in (each for each in rows if each in names(run.records, "training")):
        theirs = printed.get(name, {}).get("gain_original")
        gains = _errors(run, name, ROWS[name].base, ROWS[name].control)
        yield _line(run, run.labels[name], gains, theirs, model)


def selection(run: FoundRun) -> Iterator[Line]:
    """Test errors of feature selectors, and how well trees classify by their features."""
    printed = paper.feature_selection(run.settings["dataset"])
    for name in (each for each in ("published", "mine") if each in names(run.records, "training")):
        theirs, label = printed.get(name, {}), run.labels[name]
        errors = _errors(run, name, "original", "duplicate")
        yield _line(run, label, errors, theirs.get("gain_original"))
        more = theirs["accuracy"] - printed["original"]["accuracy"] if theirs else None
        yield _line(run, label, _accuracies(run, "features", name), more, **ACCURACY)


def contrastive(run: FoundRun) -> Iterator[Line]:
    """Accuracy of a linear classifier on the features, and the contrastive loss."""
    theirs, label = paper.contrastive(run.settings["dataset"]).get("mine", {}), run.labels["mine"]
    accuracies = _accuracies(run, "training", "mine")
    yield _line(run, label, accuracies, theirs.get("accuracy_gain"), **ACCURACY)
    losses = [gains_over(run.records, "mine", each, "test_loss") for each in CONTROLS]
    yield _line(run, label, losses, theirs.get("loss_gain"), measure="less loss")


def methods(run: FoundRun) -> Iterator[Line]:
    """Mutual information by MinMax and by the penalty method; new estimates are the control."""
    theirs = {name: row["mi"] for name, row in _printed(run, "methods").items()}
    compared = by_seed(run.records, "comparison", "minmax").values()
    ratios = [
        [each[figure] - 1 for each in compared if each[figure] is not None]
        for figure in ("ratio", "ratio_again")
    ]
    gain = theirs["minmax"] / theirs["penalty"] - 1 if theirs else None
    attacked: dict[str, Any] = {"images": run.settings["attack_size"]}
    yield _line(run, "MinMax", ratios, gain, measure="more information", **attacked)


def similarities(run: FoundRun) -> Iterator[Line]:
    """Test errors after retraining on UAEs by MINE, next to those by other similarities."""
    printed, called = _printed(run, "similarity"), run.labels
    trained = names(run.records, "training")
    for name in (each for each in SIMILARITIES if {"mine", each} <= {*trained}):
        errors, theirs = _errors(run, "mine", name, "duplicate"), printed.get(name)
        gain = None if theirs is None else 1 - printed["mine"]["error"] / theirs["error"]
        yield _line(run, f"MINE for {called[name]}", errors, gain, "conv")


def robustness(run: FoundRun, kind: str) -> Iterator[Line]:
    """Success rates of PGD on classifiers trained with UAEs, ε by ε."""
    rates = by_epsilon(run.records, "row", "method")
    curves = [rates.get((f"{kind}{each}", "pgd"), {}) for each in ("-uae", "", "-duplicate")]
    return _lower(run, curves, _printed(run, "robustness").get(kind, {}))


def contrastive_robustness(run: FoundRun) -> Iterator[Line]:
    """The same of linear classifiers on the features of SimCLR."""
    rates = by_epsilon(run.records, "row")
    return _lower(run, [rates.get(each, {}) for each in ("mine", *CONTROLS)], {}, "SimCLR")


def _line(
    run: FoundRun, added: str, gains: Gains, theirs: float | None, model: str = "", **more: Any
) -> Line:
    found = {
        "images": run.settings["train_size"],
        "version": run.versions.get("keras_uae", ""),
        **more,
    }
    return Line(run.data(model), added=added, gains=gains[0], over=gains[1], paper=theirs, **found)


def _errors(run: FoundRun, name: str, original: str, control: str) -> Gains:
    """By the last weights, as in the paper, and by the averaged ones where there are any."""
    figure = deciding(run.records, "test_error", "averaged_error")
    figures = {original: "test_error", control: figure}
    return [gains_over(run.records, name, *each) for each in figures.items()]


def _accuracies(run: FoundRun, stage: str, name: str) -> Gains:
    pairs = [paired(run.records, stage, name, each, "accuracy") for each in CONTROLS]
    return [[one - other for one, other in each] for each in pairs]


def _lower(
    run: FoundRun, curves: Sequence[Rates], printed: Mapping[str, float], model: str = ""
) -> Iterator[Line]:
    """By how much the first curve is below the second and the third."""
    for epsilon, found in sorted(curves[0].items()):
        others = [curve.get(epsilon, {}) for curve in curves[1:]]
        gains = [
            [each[s] - found[s] for s in sorted(found.keys() & each.keys())] for each in others
        ]
        measure: dict[str, Any] = {"measure": "fewer successes of PGD (points)", "ratio": False}
        added = f"UAEs, ε = {epsilon:.3g}"
        yield _line(run, added, gains, printed.get(f"{epsilon:.3g}"), model, **measure)


def _printed(run: FoundRun, table: str) -> paper.Rows:
    """What the paper prints of the data set, of which a run may have but a part."""
    return paper.printed(table, run.settings["dataset"].removesuffix("_first5k"))
