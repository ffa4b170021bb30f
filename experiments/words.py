"""How comparisons are put into words."""

from typing import Any

import numpy as np

from experiments.summary import known_mean

HELPS = "So the perturbation itself helps."
NOTHING = (
    "What UAEs bring beyond as many more samples and steps is nothing, or no larger than what the "
    "seeds make."
)


def difference(gain: float) -> str:
    """How an error compares with a reference, from 1 − error / reference: "1.2% lower"."""
    if gain < -1:
        return f"{1 - gain:.1f} times as high"
    size = f"{abs(gain):.1%}"
    return f"{size} {'lower' if gain > 0 else 'higher'}" if float(size[:-1]) else "equal"


def than(gain: float, reference: str) -> str:
    """The same with the reference: "1.2% lower than the original"."""
    return compared(difference(gain), reference)


def compared(words: str, reference: str) -> str:
    """Words such as "lower", "equal" or "twice as high" with what they refer to."""
    link = {"equal": "to", "high": "as"}.get(words.split()[-1], "than")
    return f"{words} {link} {reference}"


def than_controls(
    name: str,
    row: dict[str, Any],
    *,
    original: str = "the original",
    duplicate: str = "the duplicate control",
) -> str:
    """The test error of a row of the summary next to those of the original and the duplicate.

    `original` and `duplicate` are what the two are called. The row is one of them where its name is
    "original" or "duplicate".
    """
    error = row["test_error"]
    if name == "original":
        return f"error {error['mean']:.5f}."
    if row["gain_original"] is None:
        return f"error {error['mean']:.5f}; there is no original to compare it with."
    text = f"error {than(row['gain_original']['mean'], original)}"
    if name == "duplicate":
        text += ", by as many samples and steps alone."
    elif row["gain_duplicate"] is not None:
        seeds = row["gain_duplicate"]["count"]
        text += f", and {than(row['gain_duplicate']['mean'], duplicate)}"
        text += f" (lower in {row['wins']} of {seeds} seed{'s' * (seeds > 1)})."
    return text


def not_found(row: dict[str, Any], samples: str) -> str:
    """A sentence on the samples without a UAE, nothing if all have one."""
    if row["asr"] is None or row["asr"]["mean"] == 1:
        return ""
    return (
        f" No UAE was found for {1 - row['asr']['mean']:.1%} of the {samples}, which are added as "
        "they are."
    )


def than_paper(
    row: dict[str, Any],
    theirs: dict[str, float],
    any_row: bool,
    *,
    original: str = "original",
) -> str:
    """What the paper prints in this row, if it prints `any_row` at all, next to its `original`."""
    if not theirs:
        return " The paper has no such row." if any_row else ""
    text = f" The paper prints {theirs['error']:.5f}"
    if "gain_original" in theirs:
        text += f", {than(theirs['gain_original'], f'its {original}')}"
    if row["test_error"] is not None:
        text += f"; ours is {difference(1 - row['test_error']['mean'] / theirs['error'])}"
    return text + "."


def rates(points: list[dict[str, Any]]) -> str:
    """How a curve of success rates differs from another: `points` of `curve_differences`."""
    gaps = [known_mean(point["difference"]) for point in points]
    lower = sum(gap < 0 for gap in gaps)
    seeds = points[0]["difference"]["count"]
    return (
        f"the ASR of PGD is {_difference_in_points(float(np.mean(gaps)))} on average, lower at "
        f"{lower} of {len(points)} ε (in every one of {seeds} seed{'s' * (seeds > 1)} at "
        f"{_in_every_seed(points)}); the differences run from {signed_points(min(gaps))} to "
        f"{signed_points(max(gaps))} points."
    )


def verdict_on_rates(points: list[dict[str, Any]]) -> str:
    """Whether the perturbation helps: `points` are differences to the duplicate control."""
    gaps = [known_mean(point["difference"]) for point in points]
    if np.mean(gaps) < 0 and _in_every_seed(points) > len(points) / 2:
        return HELPS
    return NOTHING


def signed_points(gap: float, digits: int = 1) -> str:
    """A difference of rates in percentage points: "+1.2"."""
    return f"{100 * gap:+.{digits}f}".replace("-", "−")


def _difference_in_points(gap: float) -> str:
    size = f"{abs(100 * gap):.1f}"
    return f"{size} points {'lower' if gap < 0 else 'higher'}" if float(size) else "equal"


def _in_every_seed(points: list[dict[str, Any]]) -> int:
    return sum(point["lower"] == point["difference"]["count"] for point in points)
