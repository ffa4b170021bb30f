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
    "(lower–upper quartile); processor: the same of processor seconds, which other work on the "
    "machine disturbs less. PGD again is the same once more, which shows what the machine makes of "
    "a ratio of 1. Peak RSS: memory of the whole process while the method ran. MINE-UAE "
    "conv: on feature maps; random: on random samples, as in the paper; exact law: on samples of "
    "the same distribution, drawn with less work. Models are untrained; the 8×8×1 images are "
    "digits, all others uniform noise."
)


def print_sheets(sheets: Sequence[Sheet], notes: Sequence[str] = (), *, markdown: bool) -> None:
    """Print tables, and below them a line for each note."""
    if markdown:
        for sheet in sheets:
            print(f"**{sheet.title}**\n\n{tables.markdown(sheet)}")
        print(*notes, sep="\n\n", end="\n\n" * bool(notes))
    else:
        tables.show(Console(), sheets, *notes)


def median(row: Row) -> float:
    """Milliseconds a sample."""
    return row["summary"]["ms_per_sample"]["median"]


def ratio(row: Row, name: str = "ratio") -> str | None:
    """Median and quartiles of the ratio; nothing where a method is the reference itself."""
    if row["name"] == REFERENCE:
        return None
    value = row["summary"][name]
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
    Column("× PGD", ratio),
    Column("processor", "summary.processor_ratio.median", ".2f"),
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


def attack_sheets(
    content: Content, section: str = "attacks", title: str = "Attacks"
) -> list[Sheet]:
    """One table for each model and batch."""
    steps = content["settings"]["steps"]
    return [
        tables.sheet(
            f"{title} · {case['model']} · batch {case['batch']} · T = {steps}",
            METHODS,
            [(row["name"], row) for row in case["methods"]],
        )
        for case in content[section]["cases"]
    ]


def peer_sheets(content: Content) -> list[Sheet]:
    """PGD of other libraries beside ours, if there is any."""
    return attack_sheets(content, "peers", "PGD")


def batch_sheets(content: Content) -> list[Sheet]:
    """One row for each batch size."""
    part, rows = content["batches"], []
    for case in part["cases"]:
        name = f"{case['batch']}{' (auto)' if case['auto'] else ''}"
        rows.append((name, {row["name"]: row for row in case["methods"]}))
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
    return [
        f"Resident memory over {len(calls['memory'])} calls: first five {first} MB, last five "
        f"{last} MB."
    ]


def peer_notes(content: Content) -> list[str]:
    """What the peers were checked for, and which are missing."""
    text = (
        "{name} checked: {steps} steps, |δ| ≤ {largest_change:.3f}, reconstruction error "
        "{loss_clean:.5f} → {loss:.5f}, ours → {loss_ours:.5f}."
    )
    part = content["peers"]
    return [*(text.format(**figures) for figures in part["checks"]), *part["skipped"]]
