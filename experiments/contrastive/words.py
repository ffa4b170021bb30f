"""What the figures of a contrastive run say, in sentences made from the numbers."""

from typing import Any

from experiments import paper
from experiments.config import settled
from experiments.contrastive.config import Config
from experiments.contrastive.summary import RETRAINED, labels
from experiments.data import COUNTS
from experiments.summary import CONTROLS, known_mean
from experiments.words import (
    HELPS,
    NOTHING,
    compared,
    difference,
    rates,
    signed_points,
    verdict_on_rates,
)

REFERENCES = {"original": "the original", "duplicate": "the duplicate control"}


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """What was learned, a sentence for every retrained row, robustness, what else differs."""
    names, rows = labels(config), summary["rows"]
    printed = paper.contrastive(config.dataset, config.similarity)
    lines = [_learned(rows)]
    for name in RETRAINED:
        if name in rows:
            text = _row(name, rows[name]) + _paper(printed.get(name, {}))
            lines.append(f"**{names[name]}**: {text}")
    for reference, points in summary["differences"].items():
        if points:
            text = f"**{names['mine']}** against *{names[reference]}*: {rates(points)}"
            lines.append(f"{text} {_robustness(reference, points, bool(printed))}".strip())
    return [*lines, *_departures(config, bool(printed))]


def _learned(rows: dict[str, Any]) -> str:
    before, after = rows["untrained"], rows["original"]
    pairs = {
        text: [known_mean(row[figure]) for row in (before, after)]
        for text, figure in (
            ("a linear classifier", "accuracy"),
            ("the nearest neighbors", "neighbor_accuracy"),
        )
    }
    parts = [f"{text} from {old:.1%} to {new:.1%}" for text, (old, new) in pairs.items()]
    text = f"Training on the originals takes {' and '.join(parts)} of the test images."
    if any(new <= old for old, new in pairs.values()):
        text += " That is too little training to say anything about the rows below."
    return text


def _row(name: str, row: dict[str, Any]) -> str:
    """Loss and accuracy next to the controls, and of the UAEs what decides."""
    text = "; ".join(_against(row, each) for each in CONTROLS if each in row["wins"]) + "."
    if name == "duplicate":
        return text[:-1] + ", by as many images and steps alone."
    if name == "mine":
        text += f" {_verdict(row)}"
    if row["asr_unseen"] is not None:
        text += (
            f" Of the training images {known_mean(row['asr']):.1%} have a UAE by the views that "
            "the attack compares (the others are added as they are), "
            f"{known_mean(row['asr_unseen']):.1%} by other views as well."
        )
    if row["sigma"] is not None:
        text += f" Its σ is {known_mean(row['sigma']):.3f}."
    return text


def _verdict(row: dict[str, Any]) -> str:
    """Whether it is the perturbation that helps: next to the duplicate control, in every seed."""
    gained, wins = row["accuracy_gain"]["duplicate"], row["wins"]["duplicate"]
    if gained["count"] == 1:
        return "One seed cannot tell that from chance."
    return HELPS if gained["mean"] > 0 and wins == gained["count"] else NOTHING


def _against(row: dict[str, Any], reference: str) -> str:
    loss, accuracy = (known_mean(row[f"{each}_gain"][reference]) for each in ("loss", "accuracy"))
    seeds = row["accuracy_gain"][reference]["count"]
    return (
        f"loss {compared(difference(loss), REFERENCES[reference])}, linear accuracy "
        f"{signed_points(accuracy, 2)} points (higher in {row['wins'][reference]} of {seeds} "
        f"seed{'s' * (seeds > 1)})"
    )


def _paper(theirs: dict[str, float]) -> str:
    if not theirs:
        return ""
    text = f" The paper prints {signed_points(theirs['accuracy_gain'], 2)} points against its "
    text += "original"
    if "loss_gain" in theirs:
        return f"{text}, and a loss {difference(theirs['loss_gain'])}."
    return f"{text}, as its authors report them."


def _robustness(reference: str, points: list[dict[str, Any]], printed: bool) -> str:
    if reference == "duplicate":
        return verdict_on_rates(points)
    if not printed:
        return ""
    small = [point for point in points if point["epsilon"] <= 0.02]
    holds = small and all(known_mean(point["difference"]) < 0 for point in small)
    verdict = "so it is here" if holds else "here it is not at every ε"
    return f"The paper finds it significantly lower, especially for ε ≤ 0.02: {verdict}."


def _departures(config: Config, printed: bool) -> list[str]:
    if not printed:
        return [f"The paper has no figures for {config.dataset}."]
    published = {
        "train_size": (COUNTS["cifar10"][0], "training images"),
        "epochs": (1000, "epochs"),
        "retraining_epochs": (1500, "epochs with additions"),
        "batch_size": (512, "images a step"),
        "depth": (18, "layers"),
        "width": (64, "maps in the first of them"),
        "pairs": (50, "pairs of views in the attack's criterion"),
        "pgd_size": (1000, "images under PGD"),
        "pgd_steps": (100, "steps of PGD"),
    }
    lines = [
        f"{value} {text}, not {theirs}"
        for name, (theirs, text) in published.items()
        if (value := settled(getattr(config, name))) != theirs
    ]
    if config.optimizer != "lars":
        lines.append(f"{config.optimizer} in place of LARS")
    lines.append(
        "logistic regression on the features of whole images in place of a head trained by SGD on "
        "crops"
    )
    lines.append(
        "the test loss, which depends on the batch and the views, is not in the paper's unit"
    )
    return [f"Other than in the paper: {'; '.join(lines)}."]
