"""The tables of the benchmark as data, from what its JSON holds, and how they are printed."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from experiments.benchmark.cases import CONV, REFERENCE
from experiments.engine import tables
from experiments.engine.tables import Column, Sheet

Content = dict[str, Any]
Row = Mapping[str, Any]

LEGEND = (
    "Time: median over the rounds, after a warm-up call that compiles and is not counted. × PGD: "
    "time as a multiple of our own PGD in the same round, on the same model and batch, median "
    "(lower–upper quartile). Peak RSS: memory of the whole process while the method ran. MINE-UAE "
    "conv: on feature maps; random: on random samples, as in the paper; exact law: on samples of "
    "the same distribution, drawn with less work. Models are untrained; the 8×8×1 images are "
    "digits, all others uniform noise."
)


def print_sheets(sheets: Sequence[Sheet], notes: Sequence[str] = (), *, markdown: bool) -> None:
    """Print tables, and below them a line for each note."""
    console = Console()
    for sheet in sheets:
        if markdown:
            print(f"**{sheet.title}**\n\n{tables.markdown(sheet)}")
        else:
            tables.print_sheet(console, sheet)
    for line in notes:
        if markdown:
            print(line, end="\n\n")
        else:
            console.print(line, style="dim", highlight=False, markup=False)


def median(row: Row) -> float:
    """Milliseconds a sample."""
    return row["summary"]["ms_per_sample"]["median"]


def ratio(row: Row) -> str | None:
    """Median and quartiles of the ratio; nothing where a method is the reference itself."""
    if row["name"] == REFERENCE:
        return None
    value = row["summary"]["ratio"]
    digits = 4 if value["median"] < 0.1 else 2 if value["median"] < 10 else 0
    middle, low, high = (f"{value[name]:.{digits}f}" for name in ("median", "low", "high"))
    return f"{middle} ({low}–{high})"


def short(value: float) -> str:
    """Three figures, and no exponent."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}" if value >= 1e-3 else f"{value:.5f}"


def megabytes(value: float) -> str:
    """Bytes in MB, rounded."""
    return tables.written(value / 1e6, "z.0f")


# of a row that is a method
METHODS = (
    Column("ms per sample", lambda row: short(median(row))),
    Column("samples per s", lambda row: short(1000 / median(row))),
    Column("× PGD", ratio),
    Column("peak RSS, MB", lambda row: megabytes(max(row["memory_peak"]))),
    Column("warm-up, s", "warm_up_seconds", ".1f"),
)
# of a row that is a batch size: its methods by name
BATCHES = (
    Column(f"{REFERENCE}, ms per sample", lambda row: short(median(row[REFERENCE]))),
    Column(f"{CONV}, ms per sample", lambda row: short(median(row[CONV]))),
    Column("× PGD", lambda row: ratio(row[CONV])),
)
# of a row that is a number of images
SIZES = (
    Column("ms per sample", lambda row: short(median(row))),
    Column("seconds", lambda row: min(row["seconds"]), ".1f"),
    Column("peak RSS, MB", lambda row: megabytes(max(row["memory_peak"]))),
    Column("beyond input and output, MB", lambda row: megabytes(max(row["growth"]))),
)


def attack_sheets(content: Content) -> list[Sheet]:
    """One table for each model and batch."""
    return [_case("Attacks", content, case) for case in content["attacks"]["cases"]]


def peer_sheets(content: Content) -> list[Sheet]:
    """PGD of other libraries beside ours, if there is any."""
    return [_case("PGD", content, case) for case in content["peers"]["cases"]]


def _case(title: str, content: Content, case: Row) -> Sheet:
    steps = content["settings"]["steps"]
    title = f"{title} · {case['model']} · batch {case['batch']} · T = {steps}"
    return tables.sheet(title, METHODS, [(row["name"], row) for row in case["methods"]])


def batch_sheets(content: Content) -> list[Sheet]:
    """One row for each batch size."""
    part = content["batches"]
    rows = [
        (
            f"{case['batch']}{' (auto)' if case['auto'] else ''}",
            {row["name"]: row for row in case["methods"]},
        )
        for case in part["cases"]
    ]
    return [tables.sheet(f"Batch sizes · {part['model']}", BATCHES, rows)]


def size_sheets(content: Content) -> list[Sheet]:
    """One row for each number of images."""
    part = content["sizes"]
    title = f"{CONV}.generate · {part['model']} · batch {part['batch']}"
    return [tables.sheet(title, SIZES, [(str(row["samples"]), row) for row in part["rows"]])]


def size_notes(content: Content) -> list[str]:
    """Whether memory grows."""
    calls = content["sizes"]["calls"]
    first, last = megabytes(calls["first"]), megabytes(calls["last"])
    count = len(calls["memory"])
    return [f"Resident memory over {count} calls: first five {first} MB, last five {last} MB."]


def peer_notes(content: Content) -> list[str]:
    """What the peers were checked for, and which are missing."""
    part = content["peers"]
    return [
        *(
            f"{one['name']} checked: {one['steps']} steps, |δ| ≤ {one['largest_change']:.3f}, "
            f"reconstruction error {one['loss_clean']:.5f} → {one['loss']:.5f}, "
            f"ours → {one['loss_ours']:.5f}."
            for one in part["checks"]
        ),
        *part["skipped"],
    ]
