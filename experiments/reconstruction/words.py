"""What the figures of a reconstruction run say, in sentences made from the numbers."""

from typing import Any

from experiments import paper
from experiments.datasets import COUNTS
from experiments.reconstruction.config import Config
from experiments.reconstruction.summary import labels
from experiments.summary import Summary, mean
from experiments.words import not_found, than_controls, than_paper


def sentences(config: Config, summary: Summary) -> list[str]:
    """A sentence for every row of the table, then the best row, then what else differs."""
    names = labels(config)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    lines = [
        f"**{names[name]}**: {_row(name, row)}"
        f"{than_paper(row, printed.get(name, {}), bool(printed))}"
        for name, row in summary.items()
    ]
    known = {name: mean(row["test_error"]) for name, row in summary.items()}
    errors = {name: value for name, value in known.items() if value is not None}
    if errors:
        best = min(errors, key=errors.__getitem__)
        lines.append(f"Lowest mean error: {names[best]}, {errors[best]:.5f}.")
    return [*lines, *_caveats(config, bool(printed))]


def _row(name: str, row: dict[str, Any]) -> str:
    if row["test_error"] is None:
        return "every training diverged: the loss is not finite."
    text = than_controls(name, row)
    if name in ("mine", "l2"):
        text += not_found(row, "images")
    if row["diverged"]:
        text += f" {row['diverged']} of the trainings diverged and is left out of the mean."
    return text


def _caveats(config: Config, any_row: bool) -> list[str]:
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
