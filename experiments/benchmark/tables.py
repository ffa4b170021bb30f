"""The tables of the benchmark, from what its JSON holds."""

from typing import Any

from experiments.benchmark.cases import CONV, REFERENCE
from experiments.tables import NONE, Sheet

Content = dict[str, Any]


def sheets(content: Content) -> list[Sheet]:
    """All tables of the sections that were run."""
    parts = {"attacks": attacks, "sizes": sizes, "batches": batches, "peers": peers}
    return [sheet for name, make in parts.items() if name in content for sheet in make(content)]


def attacks(content: Content) -> list[Sheet]:
    """One table for each model and batch."""
    return [case_sheet("Attacks", content, case) for case in content["attacks"]["cases"]]


def peers(content: Content) -> list[Sheet]:
    """PGD of other libraries beside ours, if there is any."""
    return [case_sheet("PGD", content, case) for case in content["peers"]["cases"]]


def case_sheet(title: str, content: Content, case: dict[str, Any]) -> Sheet:
    """The methods of a case, one a row."""
    steps = content["settings"]["steps"]
    title = f"{title} · {case['model']} · batch {case['batch']} · T = {steps}"
    return Sheet(title, compared(case))


def compared(case: dict[str, Any]) -> dict[str, list[str]]:
    """The columns of `case_sheet`."""
    rows = case["methods"]
    ms = [row["summary"]["ms_per_sample"]["median"] for row in rows]
    return {
        "": [row["name"] for row in rows],
        "ms per sample": [short(value) for value in ms],
        "samples per s": [short(1000 / value) for value in ms],
        "× PGD": [ratio(row) for row in rows],
        "peak RSS, MB": [megabytes(max(row["memory_peak"])) for row in rows],
        "warm-up, s": [f"{row['warm_up_seconds']:.1f}" for row in rows],
    }


def batches(content: Content) -> list[Sheet]:
    """One row for each batch size."""
    cases = content["batches"]["cases"]
    named = [{row["name"]: row for row in case["methods"]} for case in cases]

    def ms(name: str) -> list[str]:
        return [short(rows[name]["summary"]["ms_per_sample"]["median"]) for rows in named]

    columns = {
        "": [f"{case['batch']}{' (auto)' if case['auto'] else ''}" for case in cases],
        f"{REFERENCE}, ms per sample": ms(REFERENCE),
        f"{CONV}, ms per sample": ms(CONV),
        "× PGD": [ratio(rows[CONV]) for rows in named],
    }
    return [Sheet(f"Batch sizes · {content['batches']['model']}", columns)]


def sizes(content: Content) -> list[Sheet]:
    """One row for each number of samples."""
    part = content["sizes"]
    rows = part["rows"]
    columns = {
        "": [f"{row['samples']}" for row in rows],
        "ms per sample": [short(row["summary"]["ms_per_sample"]["median"]) for row in rows],
        "seconds": [f"{min(row['seconds']):.1f}" for row in rows],
        "peak RSS, MB": [megabytes(max(row["memory_peak"])) for row in rows],
        "beyond input and output, MB": [megabytes(max(row["growth"])) for row in rows],
    }
    return [Sheet(f"{CONV}.generate · {part['model']} · batch {part['batch']}", columns)]


def notes(content: Content) -> list[str]:
    """What else there is to say, a line each."""
    lines = [LEGEND]
    if "sizes" in content:
        calls = content["sizes"]["calls"]
        first, last = megabytes(calls["first"]), megabytes(calls["last"])
        count = len(calls["memory"])
        lines.append(
            f"Resident memory over {count} calls: first five {first} MB, last five {last} MB."
        )
    if "peers" in content:
        part = content["peers"]
        lines += [
            f"{one['name']} checked: {one['steps']} steps, |δ| ≤ {one['largest_change']:.3f}, "
            f"reconstruction error {one['loss_clean']:.5f} → {one['loss']:.5f}, "
            f"ours → {one['loss_ours']:.5f}."
            for one in part["checks"]
        ]
        lines += part["skipped"]
    return lines


LEGEND = (
    "Time: median over the rounds, after a warm-up call that compiles and is not counted. × PGD: "
    "time as a multiple of our own PGD in the same round, on the same model and batch, median "
    "(lower–upper quartile). Peak RSS: memory of the whole process while the method ran. MINE-UAE "
    "conv: on feature maps; random: on random samples, as in the paper; exact law: on samples of "
    "the same distribution, drawn with less work. Models are untrained; the 8×8×1 images are "
    "digits, all others uniform noise."
)


def ratio(row: dict[str, Any]) -> str:
    """Median and quartiles of the ratio; nothing where a method is the reference itself."""
    if row["name"] == REFERENCE:
        return NONE
    value = row["summary"]["ratio"]
    digits = 4 if value["median"] < 0.1 else 2 if value["median"] < 10 else 0
    median, low, high = (f"{value[name]:.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} ({low}–{high})"


def short(value: float) -> str:
    """Three figures, and no exponent."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}" if value >= 1e-3 else f"{value:.5f}"


def megabytes(value: float) -> str:
    """Bytes in MB, rounded."""
    return f"{round(value / 1e6)}".replace("-", "−")
