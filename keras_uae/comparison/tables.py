"""The table of a comparison: cells, and plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_uae.comparison.verdicts import interval

NONE = "–"
_HEADING = 16  # characters of a line of a heading


def cells(summary: Mapping[str, Any], metrics: Sequence[str] | None = None) -> list[list[str]]:
    """The table of a `Comparison.summary`, cell by cell, the headings first.

    Columns that hold nothing are left out, but for the figures that decide, and the metrics that
    are not among `metrics`.
    """
    rows, decides = summary["rows"], summary["decides"]
    kept = {""}
    columns = [["", *("  " * bool(row["noise"]) + row["label"] for row in rows.values())]]
    for metric in summary["headings"] if metrics is None else metrics:
        heading = summary["headings"][metric]
        for weights in ("averaged", "last"):
            figures = [_figure(row["metrics"][metric][weights]) for row in rows.values()]
            columns.append([f"{heading}, {weights} weights", *figures])
        kept.add(f"{heading}, {decides} weights")
        over = [_over_original(row, metric) for row in rows.values()]
        columns.append(["vs original", *over])
        for label, noise in _controls(rows).items():
            gains = [_gain(rows, row, noise, metric, decides) for row in rows.values()]
            columns.append([f"vs {label}", *gains])
    for heading, key, form in (("examples", "success", ".0%"), ("L2 of δ", "l2", ".3g")):
        columns.append([heading, *(_written(row[key], form) for row in rows.values())])
    used = [each for each in columns if each[0] in kept or set(each[1:]) != {NONE}]
    return [list(line) for line in zip(*used, strict=True)]


def text(lines: Sequence[Sequence[str]]) -> str:
    """Cells as columns of plain text, headings broken between words."""
    heads = [_folded(each) for each in lines[0]]
    height = max(map(len, heads))
    top = zip(*([""] * (height - len(each)) + each for each in heads), strict=True)
    body = [*top, *lines[1:]]
    widths = [max(map(len, column)) for column in zip(*body, strict=True)]
    written = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in body
    ]
    rule = "─" * max(map(len, written))
    return "\n".join([*written[:height], rule, *written[height:]])


def _controls(rows: Mapping[str, Any]) -> dict[str, str]:
    """What rows are compared with: labels, and the kind of noise, "" for the duplicates."""
    names = [name for row in rows.values() for name in row["against"]]
    return {rows[name]["label"]: rows[name]["noise"] for name in names}


def _over_original(row: Mapping[str, Any], metric: str) -> str:
    found = (row["over_original"] or {}).get(metric)
    if not found or found["mean"] is None:
        return NONE
    return interval(found, found["ratio"])


def _gain(
    rows: Mapping[str, Any], row: Mapping[str, Any], noise: str, metric: str, decides: str
) -> str:
    controls = [name for name in row["against"] if rows[name]["noise"] == noise]
    if not controls:
        return NONE
    found = row["against"][controls[0]][metric]
    return NONE if found[decides]["mean"] is None else interval(found[decides], found["ratio"])


def _figure(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return NONE
    several = f" ± {spread['std']:.2g}" if spread["count"] > 1 else ""
    return f"{spread['mean']:.4g}{several}"


def _written(value: float | None, form: str) -> str:
    return NONE if value is None else f"{value:{form}}"


def _folded(heading: str) -> list[str]:
    words = [""]
    for word in heading.split():
        if words[-1] and len(words[-1]) + len(word) + 1 > _HEADING:
            words.append(word)
        else:
            words[-1] = f"{words[-1]} {word}".strip()
    return words
