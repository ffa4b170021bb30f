"""What the figures of a reconstruction run say, in sentences made from the numbers."""

from typing import Any

from experiments import paper
from experiments.attacks import AttackConfig
from experiments.datasets import COUNTS
from experiments.summary import Summary, labels
from experiments.tables import mean


def sentences(config: AttackConfig, summary: Summary) -> list[str]:
    """A sentence for every row of the table, then the best row, then what else differs."""
    names = labels(config.similarity)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    lines = [
        f"**{names[name]}**: {_row(name, row)}{_paper(row, printed.get(name, {}), bool(printed))}"
        for name, row in summary.items()
    ]
    known = {name: mean(row["test_error"]) for name, row in summary.items()}
    errors = {name: value for name, value in known.items() if value is not None}
    if errors:
        best = min(errors, key=errors.__getitem__)
        lines.append(f"Lowest mean error: {names[best]}, {errors[best]:.5f}.")
    return [*lines, *_caveats(config, bool(printed))]


def difference(gain: float) -> str:
    """How an error compares with a reference, from 1 − error / reference: "1.2% lower"."""
    if gain < -1:
        return f"{1 - gain:.1f} times as high"
    size = f"{abs(gain):.1%}"
    return f"{size} {'lower' if gain > 0 else 'higher'}" if float(size[:-1]) else "equal"


def _row(name: str, row: dict[str, Any]) -> str:
    error = row["test_error"]
    if error is None:
        return "every training diverged: the loss is not finite."
    if name == "original":
        text = f"error {error['mean']:.5f}."
    elif row["gain_original"] is None:
        text = f"error {error['mean']:.5f}; there is no original to compare it with."
    else:
        text = f"error {_than(row['gain_original'], 'the original')}"
        if name == "duplicate":
            text += ", by as many samples and steps alone."
        elif row["gain_duplicate"] is not None:
            seeds = row["gain_duplicate"]["count"]
            text += f", and {_than(row['gain_duplicate'], 'the duplicate control')}"
            text += f" (lower in {row['wins']} of {seeds} seed{'s' * (seeds > 1)})."
    if name in ("mine", "l2") and row["asr"] is not None and row["asr"]["mean"] < 1:
        text += f" No UAE was found for {1 - row['asr']['mean']:.1%} of the images, which are "
        text += "added as they are."
    if row["diverged"]:
        text += f" {row['diverged']} of the trainings diverged and is left out of the mean."
    return text


def _than(gain: dict[str, float], reference: str) -> str:
    words = difference(gain["mean"])
    link = {"equal": "to", "high": "as"}.get(words.split()[-1], "than")
    return f"{words} {link} {reference}"


def _paper(row: dict[str, Any], theirs: dict[str, float], any_row: bool) -> str:
    if not theirs:
        return " The paper has no such row." if any_row else ""
    text = f" The paper prints {theirs['error']:.5f}"
    if "gain_original" in theirs:
        text += f", {_than({'mean': theirs['gain_original']}, 'its original')}"
    if row["test_error"] is not None:
        text += f"; ours is {difference(1 - row['test_error']['mean'] / theirs['error'])}"
    return text + "."


def _caveats(config: AttackConfig, any_row: bool) -> list[str]:
    if not any_row:
        return [f"The paper has no figures for a {config.model} autoencoder on {config.dataset}."]
    lines = []
    whole = COUNTS[config.dataset][0]
    if config.train_size != whole:
        lines.append(
            f"The paper trains on {whole} images and this run on {config.train_size}, so compare "
            "the differences rather than the errors."
        )
    if config.dataset != "mnist":
        lines.append(
            "The model and its training are those of the paper's MNIST experiments; for "
            f"{config.dataset} the paper takes a larger one."
        )
    return lines
