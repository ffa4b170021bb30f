"""Tables of strings, on the console and in markdown, and how numbers are written in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from experiments.summary import mean

NONE = "–"

Rows = Sequence[Mapping[str, Any]]


class Sheet(NamedTuple):
    """A table of strings: columns by heading, the first one the names of the rows."""

    title: str
    columns: dict[str, list[str]]


def show(console: Console, sheets: Iterable[Sheet], legend: str) -> None:
    """Print tables: gains in green, losses in red."""
    for sheet in sheets:
        print_sheet(console, sheet)
    console.print(legend, style="dim", highlight=False)


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print a sheet, cells that start with a sign in its colour."""
    table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    for heading, cells in sheet.columns.items():
        # headings are folded, so that most tables fit into 80 columns
        width = max(map(len, [*heading.split(), *cells]))
        table.add_column(heading, justify="right" if heading else "left", width=width)
    for row in zip(*sheet.columns.values(), strict=True):
        table.add_row(*(Text(cell, style=_STYLES.get(cell[:1], "")) for cell in row))
    # figures are neither folded nor cut: a table that does not fit goes beyond the border
    widths = [column.width or 0 for column in table.columns]
    options = console.options.update_width(max(console.width, sum(widths) + 2 * len(widths)))
    console.print(Segments(console.render(table, options)), soft_wrap=True, end="")


def markdown(sheet: Sheet) -> str:
    """A sheet as a markdown table, without its title."""
    columns = list(sheet.columns)
    rule = [":--", *["--:"] * (len(columns) - 1)]
    lines = [columns, rule, *zip(*sheet.columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def outcome(names: list[str], ours: Rows, theirs: Rows) -> dict[str, list[str]]:
    """Test errors of rows of the summary next to their controls, and what the paper prints."""
    return {
        "": names,
        "test error": [error(row) for row in ours],
        "vs original": [gain(mean(row["gain_original"])) for row in ours],
        "vs duplicate": [gain(mean(row["gain_duplicate"])) for row in ours],
        "paper's error": [number(row.get("error"), ".5f") for row in theirs],
        "paper, vs original": [gain(row.get("gain_original")) for row in theirs],
    }


def error(row: Mapping[str, Any]) -> str:
    """Mean ± std of the test error of a row of the summary, and whether trainings diverged."""
    value = row["test_error"]
    if value is None:
        return "diverged"
    diverged = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return mean_and_std(value, ".5f") + diverged


def mean_and_std(value: dict[str, float] | None, form: str) -> str:
    """A figure of the summary; without ± if there is but one value."""
    if value is None:
        return NONE
    spread = f" ± {value['std']:{form}}" if value["count"] > 1 else ""
    return f"{value['mean']:{form}}{spread}"


def gain(value: float | None) -> str:
    """A fraction as a percentage with its sign."""
    return NONE if value is None else f"{value:+.1%}".replace("-", "−")


def number(value: float | None, form: str, unit: str = "") -> str:
    """A number, or a dash where there is none."""
    return NONE if value is None else f"{value:{form}}{unit}"


def used(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """The columns that hold anything."""
    return {heading: cells for heading, cells in columns.items() if set(cells) != {NONE}}


_STYLES = {"+": "green", "−": "red"}
