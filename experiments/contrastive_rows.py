"""What a contrastive run shows of its rows: summary, tables, sentences, figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from experiments.engine import plots, verdicts
from experiments.engine import summary as statistics
from experiments.engine import tables as sheets
from experiments.engine.attacking import attacked, uae_label
from experiments.engine.classifiers import Attacked, one_of_each
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE
from experiments.engine.summary import CONTROLS, Records, by_seed, known_mean, mean, spread, spreads
from experiments.engine.tables import Column, Sheet, sheet, written

# name in the files → in tables and figures; the order in which they are trained and shown
LABELS = {
    "untrained": "Untrained",
    "original": "Original",
    "duplicate": "Duplicate control",
    "mine": "MINE-UAE",
    "gaussian": "Gaussian noise",
    "clae": "CLAE",
}
ATTACKED = (*CONTROLS, "mine")  # their linear classifiers are attacked by PGD
GRID_SIZE = 10  # images of the grid, one of each class
COLORS = dict(zip([*LABELS][1:], (GREY, GREEN, BLUE, LIGHT_GREEN, ORANGE), strict=True))


def point(row: str, epsilon: float) -> str:
    """Name of the attack on the linear classifier of a row with one ε."""
    return f"{row}/pgd-{epsilon:.3g}"


def labels(config: Any) -> dict[str, str]:
    """Names in the files → in tables, in figures and on the bar."""
    names = {**LABELS, "mine": uae_label(config.similarity)}
    points = {
        point(row, epsilon): f"{names[row]}, PGD, ε = {epsilon:.3g}"
        for row in ATTACKED
        for epsilon in config.epsilons
    }
    return {**names, **points}


def summarize(records: Records) -> dict[str, Any]:
    """The "rows" of the tables, "curves" of PGD by row, and their "differences".

    Every figure is `{"mean", "std", "count"}` over the seeds that have it, or `None`. Differences
    are what the curve with UAEs has more than that of each reference, seed by seed.
    """
    rates = statistics.rates(records, "row")
    finished = [each for each in records if each["stage"] == "attack" or "test_loss" in each]
    names = [name for name in LABELS if by_seed(finished, "training", name)]
    return {
        "rows": {name: _row(finished, name) for name in names},
        "curves": {row: statistics.curve(values) for row, values in rates.items()},
        "differences": {
            each: statistics.curve_differences(rates.get("mine", {}), rates.get(each, {}))
            for each in CONTROLS
        },
    }


def _row(records: Records, name: str) -> dict[str, Any]:
    """Figures of a row, and how they compare with those of the controls before it, by control.

    By what fraction the test loss is lower, how much more of the test images the linear classifier
    gets right, and in how many of the seeds.
    """
    rows, order = list(by_seed(records, "training", name).values()), list(LABELS)
    compared: dict[str, dict[str, Any]] = {"loss_gain": {}, "accuracy_gain": {}, "wins": {}}
    for reference in CONTROLS:
        if order.index(reference) < order.index(name):
            losses = statistics.gains_over(records, name, reference, "test_loss")
            pairs = statistics.paired(records, "training", name, reference, "accuracy")
            compared["loss_gain"][reference] = spread(losses)
            compared["accuracy_gain"][reference] = spread(one - other for one, other in pairs)
            compared["wins"][reference] = sum(one > other for one, other in pairs)
    figures = ("test_loss", "accuracy", "train_accuracy", "neighbor_accuracy", "seconds")
    return {
        **spreads(records, "training", name, *figures),
        **statistics.attack(records, name),
        **spreads(records, "attack", name, "asr_unseen"),
        **compared,
        **{figure: rows[0][figure] for figure in ("epochs", "samples", "steps")},
        **{
            curve: [spread(each) for each in zip(*(row[curve] for row in rows), strict=True)]
            for curve in ("losses", "neighbor_accuracies")
        },
    }


def points(rate: float | None) -> float | None:
    """A difference of rates in percentage points."""
    return None if rate is None else 100 * rate


def gained(reference: str) -> Column:
    """How much more accurate the linear classifier is than that of a control."""
    return Column(
        f"vs {reference}", lambda row: points(mean(row["accuracy_gain"].get(reference))), "+.2f"
    )


ACCURACY = (
    Column("linear", "accuracy", ".2%", std=True),
    *map(gained, CONTROLS),
    Column("k-NN", "neighbor_accuracy", ".2%", std=True),
    Column("paper's linear", "paper.accuracy", ".2%"),
    Column("paper, vs original", lambda row: points(row["paper"].get("accuracy_gain")), "+.2f"),
)
LOSS = (
    Column("test loss", "test_loss", ".4f", std=True),
    *(Column(f"vs {each}", f"loss_gain.{each}", "+.1%") for each in CONTROLS),
    Column("paper's loss", "paper.loss", ".4f"),
    Column("paper, vs original", "paper.loss_gain", "+.1%"),
)
DETAILS = (
    Column("ASR", "asr", ".1%"),
    Column("new views", "asr_unseen", ".1%"),
    Column("paper's ASR", "paper.asr", ".0%"),
    Column("L2 of δ", "l2", ".3f"),
    Column("images", "samples", "d"),
    Column("steps", "steps", "d"),
    Column("attack", "attack_seconds", ".0f", " s"),
    Column("training", "seconds", ".0f", " s"),
)
LEGEND = (
    "Linear: test accuracy of logistic regression on the frozen features; k-NN: of the votes of "
    "their nearest neighbors. Loss: NT-Xent of two views of each test image, the same for all rows "
    "of a seed. Mean ± std over the seeds. vs: + is better than the original or the duplicate of "
    "the same seed, accuracies in percentage points, mean over the seeds. ASR: the fraction of "
    "training images whose views the original model tells apart no worse when they are made of the "
    "perturbed image; new views: also by views that the attack has not seen. δ: the perturbation "
    "where it succeeded."
)


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """Accuracy, loss, what both took, and PGD; the paper's figures beside ours where it has any."""
    names, printed = labels(config), config.printed
    rows = list(sheets.beside(summary["rows"], printed, names).values())
    curves = {names[row]: points for row, points in summary["curves"].items()}
    text = "Success rate of PGD on the linear classifiers over ε (Figure 10 b)"
    return [
        sheet(f"Accuracy on the test images (Table 7) · {config.where}", ACCURACY, rows),
        sheet("Contrastive loss on the test images (Table 7)", LOSS, rows),
        sheet("Attack on the training images, budget, time for one seed", DETAILS, rows),
        *([sheets.curves(text, curves)] if curves else []),
    ]


def sentences(config: Any, summary: dict[str, Any]) -> list[str]:
    """What was learned, a sentence for every retrained row, robustness, what else differs."""
    names, rows, printed = labels(config), summary["rows"], config.printed
    lines = [_learned(rows["untrained"], rows["original"])]
    for name, row in rows.items():
        if row["wins"]:  # it comes after a control
            text = _on_row(row, printed.get(name, {}))
            lines.append(f"**{names[name]}**: {text}{_on_uaes(row) if name == 'mine' else ''}")
    judges: dict[str, Any] = {"duplicate": verdicts.on_help}
    judges["original"] = _as_printed if printed else lambda curve: ""
    for reference, curve in summary["differences"].items():
        if curve:
            text = f"**{names['mine']}** against *{names[reference]}*: {verdicts.on_rates(curve)}"
            lines.append(f"{text} {judges[reference](curve)}".rstrip())
    if not printed:
        return [*lines, f"The paper has no figures for {config.dataset}."]
    return [
        *lines,
        "The linear classifier is a logistic regression on whole images, the paper's a head that "
        "SGD trains on crops. The test loss depends on the batch and the views: it is not in the "
        "paper's unit.",
    ]


def _learned(untrained: dict[str, Any], original: dict[str, Any]) -> str:
    linear, nearest = (
        [known_mean(row[figure]) for row in (untrained, original)]
        for figure in ("accuracy", "neighbor_accuracy")
    )
    text = (
        "Training on the originals takes a linear classifier from {:.1%} to {:.1%} and the nearest "
        "neighbors from {:.1%} to {:.1%} of the test images."
    ).format(*linear, *nearest)
    if any(new <= old for old, new in (linear, nearest)):
        text += " That is too little training to say anything about the rows below."
    return text


def _on_row(row: dict[str, Any], theirs: dict[str, float]) -> str:
    """Loss and accuracy next to the controls, and the paper's."""
    called = {"original": "the original", "duplicate": "the duplicate control"}
    parts = []
    for reference, wins in row["wins"].items():
        loss, gain = (row[figure][reference] for figure in ("loss_gain", "accuracy_gain"))
        parts.append(
            f"loss {verdicts.than(loss['mean'], called[reference])}, linear accuracy "
            f"{written(100 * gain['mean'], '+.2f')} points (higher in {wins} of {gain['count']}, "
            "by seed)"
        )
    if theirs:
        loss = f", loss {verdicts.difference(theirs['loss_gain'])}" if "loss_gain" in theirs else ""
        points = written(100 * theirs["accuracy_gain"], "+.2f")
        parts.append(f"the paper's, against its original: {points} points{loss}")
    return "; ".join(parts) + "."


def _on_uaes(row: dict[str, Any]) -> str:
    """Whether it is the perturbation that helps, beyond the duplicates; and how many there are."""
    gain = row["accuracy_gain"]["duplicate"]
    errors = {"difference": {**gain, "mean": -gain["mean"]}, "lower": row["wins"]["duplicate"]}
    return (
        f" {verdicts.on_help([errors])} Of the training images {known_mean(row['asr']):.1%} have a "
        "UAE by the views that the attack compares (the others are added as they are), "
        f"{known_mean(row['asr_unseen']):.1%} by other views as well."
    )


def _as_printed(curve: Sequence[Mapping[str, Any]]) -> str:
    small = [known_mean(each["difference"]) for each in curve if each["epsilon"] <= 0.02]
    verdict = "so it is here" if small and max(small) < 0 else "here it is not at every ε"
    return f"The paper finds it significantly lower, especially for ε ≤ 0.02: {verdict}."


def draw_training(job: Job[Any], path: Path) -> None:
    """Loss by epoch, but for CLAE's, and k-NN accuracy, over the steps of the optimizer."""
    rows = job.run.summary["rows"]
    with plots.canvas(path, (11, 4.4), 1, 2) as (_, (left, right)):
        for name, color in COLORS.items():
            row, label = rows[name], job.labels[name]
            each = row["steps"] / row["epochs"]
            epochs = np.arange(1, row["epochs"] + 1)
            accuracies = [rows["untrained"]["neighbor_accuracy"], *row["neighbor_accuracies"]]
            looks = np.minimum(job.config.every * np.arange(len(accuracies)), epochs[-1])
            if name != "clae":  # the sum of two losses
                plots.band(left, each * epochs, row["losses"], label, color, "-")
            plots.band(right, each * looks, accuracies, label, color, "o-")
        left.set_title("training loss, mean of an epoch")
        right.set_title("k-NN accuracy on the test images")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        for axes in (left, right):
            axes.set_xlabel("steps")
            axes.grid(axis="y")
        right.legend(loc="lower right")


def draw_robustness(job: Job[Any], path: Path) -> None:
    """Figure 10 (b): success rate of PGD over ε, mean ± std over the seeds."""
    with plots.canvas(path, (5.6, 4)) as (_, axes):
        for name, points in job.run.summary["curves"].items():
            plots.curve(axes, points, job.labels[name], COLORS[name])
        plots.rates_over_epsilon(axes)


def draw_examples(job: Job[Any], path: Path) -> None:
    """Originals of the first seed, their UAEs, and the perturbation: grey is no change."""
    found, x = job.uaes("mine", job.config.seeds[0]), attacked(job)
    rows = one_of_each(Attacked(x, job.data.y_train[: len(x)]), GRID_SIZE)
    x, z, success = x[rows], found.x[rows], found.success[rows]
    change = z - x
    scale = float(np.abs(change).max()) or 1.0
    norms = np.linalg.norm(change.reshape(len(x), -1), axis=1)
    sizes = [f"L2 {norm:.2f}" if norm else "none found" for norm in norms]
    blank, whole = [""] * len(x), [False] * len(x)
    panel = plots.Panel(
        title="",
        rows=["original", "UAE", "perturbation"],
        images=[x, z, 0.5 + change / (2 * scale)],
        words=[blank, blank, sizes],
        crossed=[whole, list(~success), whole],
    )
    plots.image_grids(path, [panel])
