"""Tables in text files, as their publishers and spreadsheets write them.

Between fields are commas, semicolons, tabs or blanks; a byte order mark, CRLF, blank lines and
quotes do no harm. Missing is what is empty, ?, NA, N/A, NaN, null or none: it becomes NaN.
"""

import contextlib
import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.data.compress import MAGIC, decompress
from experiments.data.tabular import damaged, unfit

_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
_SEPARATORS = (";", "\t", ",")  # a semicolon stands beside decimal commas, so it comes first
_LINE_END = re.compile("\r\n|\r|\n")
_OTHERS = {  # how files begin that are no text
    b"PK\x03\x04": "a zip or Excel file: unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel file: save it as CSV",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"<": "a page of HTML or XML: download the file itself",
}


class Row(NamedTuple):
    """A line that is not blank."""

    line: int
    """Its number, from 1."""
    fields: list[str]


def read_rows(path: Path, width: int | None = None) -> list[Row]:
    """The lines of a text, or of a `.Z` of one, of `width` fields or as many as the first has.

    Raises:
        OSError: The file is damaged.
        ValueError: It is no text in UTF-8, or a line has another number of fields.
    """
    text = _text(path)
    lines = _LINE_END.split(text)
    first = next((line for line in lines if line.strip()), "")
    separator = next((each for each in _SEPARATORS if each in first), None)
    rows: list[Row] = []
    try:
        if separator is None:
            rows = [Row(number, line.split()) for number, line in enumerate(lines, 1)]
        else:
            reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
            for fields in reader:
                rows.append(Row(reader.line_num, fields))
    except csv.Error as error:
        raise unfit(path, "be a table", error, len(rows) + 1) from None
    rows = [row for row in rows if any(map(str.strip, row.fields))]
    for row in rows:
        width = len(row.fields) if width is None else width
        if len(row.fields) != width:
            if row is rows[-1] and len(row.fields) < width and not text.endswith(("\n", "\r")):
                raise damaged(path, f"it ends within line {row.line}")
            must = f"have {width} fields a line, between commas, semicolons, tabs or blanks"
            raise unfit(path, must, len(row.fields), row.line)
    return rows


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        content = decompress(content) if content.startswith(MAGIC) else content
    except ValueError as error:
        raise damaged(path, error) from None
    kind = next((what for magic, what in _OTHERS.items() if content.startswith(magic)), None)
    try:
        if kind is None:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unfit(path, "be text in UTF-8: save it as such", error, line) from None
    raise unfit(path, "be text", kind)


def read_table(path: Path, columns: int) -> tuple[np.ndarray, list[int]]:
    """The numbers `(rows, columns)` of a text without a header, and the line of each row."""
    rows = read_rows(path, columns)
    for line, fields in rows[:1]:
        values = [_value(field) for field in fields]
        if None in values and all(value is None or math.isnan(value) for value in values):
            must = (
                f"have no header, but {columns} numbers with decimal points a line, in their order"
            )
            raise unfit(path, must, ", ".join(map(repr, fields[:3])), line)
    table = np.array([numbers(path, row) for row in rows], np.float64)
    return table.reshape(-1, columns), [row.line for row in rows]


def read_columns(path: Path, names: Sequence[str]) -> tuple[list[Row], list[int]]:
    """The rows below a header, and the places in them of the columns `names`, in any order."""
    header, *rows = read_rows(path) or [Row(1, [])]
    there = [name.strip().lower() for name in header.fields]
    missing = [name for name in names if there.count(name.lower()) != 1]
    if missing:
        must = f"have a header with the columns {', '.join(missing[:3])}"
        must += f" and {len(missing) - 3} more" * (len(missing) > 3) + ", once each"
        received = ", ".join(map(repr, header.fields[:3])) + ", …" * (len(there) > 3)
        raise unfit(path, must, received or "nothing", header.line)
    return rows, [there.index(name.lower()) for name in names]


def numbers(path: Path, row: Row) -> list[float]:
    """The fields of a row as finite numbers, NaN where one is missing."""
    with contextlib.suppress(ValueError):  # of millions of fields nearly all are numbers
        quick = list(map(float, row.fields))
        if all(map(math.isfinite, quick)) and "_" not in "".join(row.fields):
            return quick
    values = [_value(field) for field in row.fields]
    if None in values:
        must = "hold finite numbers with decimal points, and ?, NA or nothing where one is missing"
        raise unfit(path, must, repr(row.fields[values.index(None)][:40]), row.line)
    return values  # type: ignore[return-value]


def _value(field: str) -> float | None:
    """A field as a number, NaN where it is missing, `None` if it is neither."""
    if field.strip().lower() in _MISSING:
        return math.nan
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in field else None
