"""What the figures of a reconstruction run say, in sentences made from the numbers."""

from collections.abc import Mapping
from typing import Any

from experiments import paper
from experiments.datasets import COUNTS
from experiments.reconstruction.config import Config
from experiments.reconstruction.rows import ROWS
from experiments.reconstruction.summary import labels
from experiments.summary import Summary, mean
from experiments.words import not_found, than_controls, than_paper


def sentences(config: Config, summary: Summary) -> list[str]:
    """A sentence for every row of the table, then the best row, then what else differs."""
    names = labels(config)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    lines = []
    for name, row in summary.items():
        base = ROWS[name].base
        ours = _row(name, row, names)
        called = "original" if base == "original" else f"row “{names[base]}”"
        theirs = than_paper(row, printed.get(name, {}), bool(printed), original=called)
        lines.append(f"**{names[name]}**: {ours}{theirs}")
    known = {name: mean(row["test_error"]) for name, row in summary.items()}
    errors = {name: value for name, value in known.items() if value is not None}
    if errors:
        best = min(errors, key=errors.__getitem__)
        lines.append(f"Lowest mean error: {names[best]}, {errors[best]:.5f}.")
    return [*lines, *_caveats(config, bool(printed))]


def _row(name: str, row: dict[str, Any], names: Mapping[str, str]) -> str:
    if row["test_error"] is None:
        return "every training diverged: the loss is not finite."
    adds, base, control = ROWS[name].adds, ROWS[name].base, ROWS[name].control
    references = {
        "original": "the original" if base == "original" else f"“{names[base]}”",
        "duplicate": "the duplicate control",
    }
    if control != "duplicate":
        references["duplicate"] = f"“{names[control]}”"
    text = than_controls("duplicate" if adds == "duplicate" else name, row, **references)
    if ROWS[name].attacks:
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
    published = config.recipe.epochs, config.recipe.retraining_epochs
    if (config.epochs, config.retraining_epochs) != published:
        lines.append(
            f"The paper trains for {published[0]} epochs and retrains for {published[1]}, this run "
            f"for {config.epochs} and {config.retraining_epochs}."
        )
    return lines
