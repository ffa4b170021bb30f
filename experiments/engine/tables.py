"""Tables as data: columns that find and write a figure of each row of a summary."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from keras_uae.comparison.verdicts import interval

NONE = "–"


class Sheet(NamedTuple):
    """A table of strings: columns by heading, the first one the names of the rows."""

    title: str
    columns: dict[str, list[str]]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    A figure is found by its key, by keys with dots between them (`"paper.error"`), or by a function
    of the row. It may be a number, text, `{"mean", "std", "count"}`, or missing.
    """

    heading: str
    figure: str | Callable[[Mapping[str, Any]], Any]
    form: str = ".3g"  # one with a sign (`"+.1%"`) is shown in the colour of it
    unit: str = ""
    std: bool = False  # whether ± is shown, if there are several values

    def cell(self, row: Mapping[str, Any]) -> str:
        """The figure of a row of the summary in writing."""
        if callable(self.figure):
            return written(self.figure(row), self.form, self.unit, std=self.std)
        value: Any = row
        for key in self.figure.split("."):
            value = None if value is None else value.get(key)
        return written(value, self.form, self.unit, std=self.std)


def sheet(
    title: str, columns: Iterable[Column], rows: Sequence[tuple[str, Mapping[str, Any]]]
) -> Sheet:
    """The table of rows with a name each; columns that hold nothing are left out."""
    cells = {each.heading: [each.cell(row) for _, row in rows] for each in columns}
    used = {heading: column for heading, column in cells.items() if set(column) != {NONE}}
    return Sheet(title, {"": [name for name, _ in rows], **used})


def curves(title: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], **first: Any) -> Sheet:
    """The success rates of each row over ε; before them `first`, a rate by row each."""
    found = {
        name: {
            **{heading: each.get(name) for heading, each in first.items()},
            **{f"ε = {point['epsilon']:.3g}": point["asr"] for point in points},
        }
        for name, points in rows.items()
    }
    headings = dict.fromkeys(heading for figures in found.values() for heading in figures)
    columns = [Column(each, itemgetter(each), ".1%", std=True) for each in headings]
    return sheet(title, columns, list(found.items()))


def written(value: Any, form: str, unit: str = "", *, std: bool = False) -> str:
    """A number or a mean, with its ± if there are several; a dash where there is none."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    spread = ""
    if isinstance(value, Mapping):
        if std and value["count"] > 1:
            spread = f" ± {value['std']:{form}}"
        value = value["mean"]
    text = f"{value:{form}}"
    return (f"−{text[1:]}" if text.startswith("-") else text) + spread + unit


def error(row: Mapping[str, Any]) -> str:
    """Mean ± std of the test error of a row of the summary, and whether trainings diverged."""
    if row.get("test_error") is None:
        return "diverged" if row.get("diverged") else NONE
    diverged = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    return written(row["test_error"], ".5f", std=True) + diverged


def versus(row: Mapping[str, Any]) -> str | None:
    """How a row compares with its control, with half of the interval of the mean."""
    found = row.get("vs_control")
    return interval(found, found["ratio"]) if found else None


def hundredths(found: Mapping[str, Any] | None) -> str:
    """A mean with half of its interval, in hundredths: "+1.2 ± 0.4"."""
    if found is None:
        return NONE
    text = f"{100 * found['mean']:+.1f}".replace("-", "−")
    if found["low"] is None:
        return text
    return f"{text} ± {100 * (found['high'] - found['low']) / 2:.1f}"


def counted(number: int) -> str:
    """A number of samples in writing."""
    return f"{number:,}".replace(",", " ")


# by the averaged weights, where there are any
VS_DUPLICATE = Column("vs duplicate", versus)
# what attack and training of a row took
SECONDS = (
    Column("attack", "attack_seconds", ".1f", " s"),
    Column("training", "seconds", ".1f", " s"),
)
# test errors next to their controls; `paper` of a row is what the paper prints in it
OUTCOME = (
    Column("test error", error),
    Column("vs original", "gain_original", "+.1%"),
    Column("averaged weights", "averaged_error", ".5f", std=True),
    VS_DUPLICATE,
    Column("paper's error", "paper.error", ".5f"),
    Column("paper, vs original", "paper.gain_original", "+.1%"),
)


def beside(
    summary: Mapping[str, Mapping[str, Any]], printed: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The rows of a summary by name, with their labels and what the paper prints in them."""
    return {
        name: (labels[name], {**row, "paper": printed.get(name, {})})
        for name, row in summary.items()
    }


def show(console: Console, sheets: Iterable[Sheet], *legend: str) -> None:
    """Print tables: gains in green, losses in red; then lines on them."""
    for sheet in sheets:
        print_sheet(console, sheet)
    for line in legend:
        console.print(line, style="dim", highlight=False, markup=False)


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
    # words stand on the left
    _, *others = sheet.columns.values()
    rule = ["--:" if any(map(_is_figure, cells)) else ":--" for cells in others]
    lines = [columns, [":--", *rule], *zip(*sheet.columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _is_figure(cell: str) -> bool:
    return cell[:1] in {*"0123456789+−"}


_STYLES = {"+": "green", "−": "red"}
