"""The tables of a reconstruction run, on the console and in markdown."""

from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments import paper
from experiments.attacks import AttackConfig
from experiments.summary import Summary, labels

NONE = "–"


class Sheet(NamedTuple):
    """A table of strings: columns by heading, the first one the names of the rows."""

    title: str
    columns: dict[str, list[str]]


def sheets(config: AttackConfig, summary: Summary) -> list[Sheet]:
    """What came out and what it took, the paper's figures beside ours where it has any."""
    names = labels(config.similarity)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    ours = list(summary.values())
    theirs = [printed.get(name, {}) for name in summary]
    rows = [names[name] for name in summary]
    outcome = {
        "": rows,
        "test error": [error(row) for row in ours],
        "vs original": [gain(mean(row["gain_original"])) for row in ours],
        "vs duplicate": [gain(mean(row["gain_duplicate"])) for row in ours],
        "paper's error": [number(row.get("error"), ".5f") for row in theirs],
        "paper, vs original": [gain(row.get("gain_original")) for row in theirs],
    }
    details = {
        "": rows,
        "ASR": [number(mean(row["asr"]), ".1%") for row in ours],
        "paper's ASR": [number(row.get("asr"), ".1%") for row in theirs],
        "L2 of δ": [number(mean(row["l2"]), ".3f") for row in ours],
        "training error": [number(mean(row["train_error"]), ".5f") for row in ours],
        "paper's training error": [number(row.get("train_error"), ".5f") for row in theirs],
        "attack": [number(mean(row["attack_seconds"]), ".1f", " s") for row in ours],
        "training": [number(mean(row["seconds"]), ".1f", " s") for row in ours],
    }
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.dataset}, {config.model} autoencoder, {config.preset} preset"
    return [
        Sheet(f"Reconstruction error on the test images · {title} · seeds {seeds}", _used(outcome)),
        Sheet("Attack on the training images, training error, time for one seed", _used(details)),
    ]


def show(console: Console, config: AttackConfig, summary: Summary) -> None:
    """Print the tables: gains in green, losses in red."""
    for sheet in sheets(config, summary):
        print_sheet(console, sheet)
    console.print(LEGEND, style="dim", highlight=False)


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print a sheet, cells that start with a sign in its colour."""
    table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    for heading, cells in sheet.columns.items():
        # headings are folded, figures are not: all tables fit into 80 columns
        width = max(map(len, [*heading.split(), *cells]))
        table.add_column(heading, justify="right" if heading else "left", width=width)
    for row in zip(*sheet.columns.values(), strict=True):
        table.add_row(*(Text(cell, style=_STYLES.get(cell[:1], "")) for cell in row))
    console.print(table)


def markdown(sheet: Sheet) -> str:
    """A sheet as a markdown table, without its title."""
    columns = list(sheet.columns)
    rule = [":--", *["--:"] * (len(columns) - 1)]
    lines = [columns, rule, *zip(*sheet.columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


LEGEND = (
    "Error: mean squared error per pixel, mean ± std over the seeds. vs: + is a lower error than "
    "that of the original or the duplicate of the same seed, − a higher one, mean over the seeds. "
    "ASR: the fraction of training images that the original model reconstructs from the perturbed "
    "image no worse than before; δ: the perturbation where it succeeded."
)


def error(row: dict[str, Any]) -> str:
    """Mean ± std of the test error of a row of the summary, and whether trainings diverged."""
    value = row["test_error"]
    if value is None:
        return "diverged"
    spread = f" ± {value['std']:.5f}" if value["count"] > 1 else ""
    diverged = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return f"{value['mean']:.5f}{spread}{diverged}"


def gain(value: float | None) -> str:
    """A fraction as a percentage with its sign."""
    return NONE if value is None else f"{value:+.1%}".replace("-", "−")


def mean(spread: dict[str, float] | None) -> float | None:
    """The mean of a figure of the summary, if there is one."""
    return None if spread is None else spread["mean"]


def number(value: float | None, form: str, unit: str = "") -> str:
    """A number, or a dash where there is none."""
    return NONE if value is None else f"{value:{form}}{unit}"


_STYLES = {"+": "green", "−": "red"}


def _used(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """The columns that hold anything."""
    return {heading: cells for heading, cells in columns.items() if set(cells) != {NONE}}
