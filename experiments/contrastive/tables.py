"""The tables of a contrastive run."""

from typing import Any

from experiments import paper
from experiments.contrastive.config import Config
from experiments.contrastive.summary import labels
from experiments.summary import mean
from experiments.tables import NONE, Sheet, gain, mean_and_std, number, used
from experiments.words import signed_points

LEGEND = (
    "Linear: test accuracy of logistic regression on the frozen features; k-NN: of the votes of "
    "their nearest neighbors. Loss: NT-Xent of two views of each test image, the same for all rows "
    "of a seed. Mean ± std over the seeds. vs: + is better than the original or the duplicate of "
    "the same seed, accuracies in percentage points, mean over the seeds. ASR: the fraction of "
    "training images whose views the original model tells apart no worse when they are made of the "
    "perturbed image; new views: also by views that the attack has not seen. δ: the perturbation "
    "where it succeeded."
)


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """Accuracy, loss, what both took, and PGD; the paper's figures beside ours where it has any."""
    names, rows = labels(config), summary["rows"]
    printed = paper.contrastive(config.dataset, config.similarity)
    ours, theirs = list(rows.values()), [printed.get(name, {}) for name in rows]
    first = [names[name] for name in rows]
    accuracy = {
        "": first,
        "linear": [mean_and_std(row["accuracy"], ".2%") for row in ours],
        "vs original": [points(row["accuracy_gain"].get("original")) for row in ours],
        "vs duplicate": [points(row["accuracy_gain"].get("duplicate")) for row in ours],
        "k-NN": [mean_and_std(row["neighbor_accuracy"], ".2%") for row in ours],
        "paper's linear": [number(row.get("accuracy"), ".2%") for row in theirs],
        "paper, vs original": [signed(row.get("accuracy_gain")) for row in theirs],
    }
    loss = {
        "": first,
        "test loss": [mean_and_std(row["test_loss"], ".4f") for row in ours],
        "vs original": [gain(mean(row["loss_gain"].get("original"))) for row in ours],
        "vs duplicate": [gain(mean(row["loss_gain"].get("duplicate"))) for row in ours],
        "paper's loss": [number(row.get("loss"), ".4f") for row in theirs],
        "paper, vs original": [gain(row.get("loss_gain")) for row in theirs],
    }
    details = {
        "": first,
        "ASR": [number(mean(row["asr"]), ".1%") for row in ours],
        "new views": [number(mean(row["asr_unseen"]), ".1%") for row in ours],
        "paper's ASR": [number(row.get("asr"), ".0%") for row in theirs],
        "L2 of δ": [number(mean(row["l2"]), ".3f") for row in ours],
        "images": [str(row["samples"]) for row in ours],
        "steps": [str(row["steps"]) for row in ours],
        "attack": [number(mean(row["attack_seconds"]), ".0f", " s") for row in ours],
        "training": [number(mean(row["seconds"]), ".0f", " s") for row in ours],
    }
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.dataset}, {config.preset} preset · seeds {seeds}"
    sheets = [
        Sheet(f"Accuracy on the test images (Table 7) · {title}", used(accuracy)),
        Sheet("Contrastive loss on the test images (Table 7)", used(loss)),
        Sheet("Attack on the training images, budget, time for one seed", used(details)),
    ]
    if summary["curves"]:
        text = "Success rate of PGD on the linear classifiers over ε (Figure 10 b)"
        sheets.append(Sheet(text, curves(summary, names)))
    return sheets


def curves(summary: dict[str, Any], names: dict[str, str]) -> dict[str, list[str]]:
    """A row for each classifier, a column for each ε."""
    columns = {"": [names[row] for row in summary["curves"]]}
    for each in zip(*summary["curves"].values(), strict=True):
        cells = [mean_and_std(point["asr"], ".1%") for point in each]
        columns[f"ε = {each[0]['epsilon']:.3g}"] = cells
    return columns


def points(spread: dict[str, float] | None) -> str:
    """The mean of a difference of rates, in percentage points."""
    return signed(mean(spread))


def signed(difference: float | None) -> str:
    """A difference of rates in percentage points, or a dash."""
    return NONE if difference is None else signed_points(difference, digits=2)
