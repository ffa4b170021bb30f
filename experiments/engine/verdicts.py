"""What came out, in sentences: one for a claim."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.engine.summary import known_mean
from keras_uae.comparison.statistics import FEWEST_SEEDS
from keras_uae.comparison.verdicts import no_verdict, sentence


def difference(gain: float) -> str:
    """How an error compares with a reference, from 1 − error / reference: "1.2% lower"."""
    if gain < -1:
        return f"{1 - gain:.1f} times as high"
    size = f"{abs(gain):.1%}"
    return f"{size} {'lower' if gain > 0 else 'higher'}" if float(size[:-1]) else "equal"


def than(gain: float, reference: str) -> str:
    """The same with the reference: "1.2% lower than the original"."""
    words = difference(gain)
    link = {"equal": "to", "high": "as"}.get(words.split()[-1], "than")
    return f"{words} {link} {reference}"


def on_error(
    row: Mapping[str, Any],
    *,
    original: str = "the original",
    duplicate: str = "the duplicate control",
) -> str:
    """The test error of a row next to its controls, as they are called, and the paper's gain."""
    if row["test_error"] is None:
        return "every training diverged: the loss is not finite."
    parts = []
    if row["gain_original"]:
        parts.append(than(row["gain_original"]["mean"], original))
    if found := row.get("vs_control"):
        said = sentence({duplicate: found})
        parts.append(f"against {duplicate} {said}" if found["outcome"] == "none" else said)
    text = "error " + ("; ".join(parts) or f"{row['test_error']['mean']:.5f}")
    gain = row.get("paper", {}).get("gain_original")
    if gain is not None:
        text += f"; the paper's: {than(gain, original)}"
    if row["diverged"]:
        text += f"; {row['diverged']} of the trainings diverged and is left out of the mean"
    return text + "."


def lowest(summary: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """A sentence on the row with the lowest test error, nothing if all have diverged."""
    errors = {name: row["test_error"] for name, row in summary.items() if row["test_error"]}
    if not errors:
        return []
    best = min(errors, key=lambda name: errors[name]["mean"])
    return [f"Lowest mean error: {names[best]}, {errors[best]['mean']:.5f}."]


def not_found(row: Mapping[str, Any], samples: str) -> str:
    """A sentence on the samples without a UAE, nothing if all have one."""
    if row.get("asr") is None or row["asr"]["mean"] == 1:
        return ""
    missing = f"{1 - row['asr']['mean']:.1%}"
    return f" No UAE was found for {missing} of the {samples}, which are added as they are."


def departures(config: Any, published: Mapping[str, Any]) -> list[str]:
    """A sentence on the settings that are not the published ones, nothing if all of them are."""
    others = [
        f"{name.replace('_', ' ')} {_plain(getattr(config, name))}, not {_plain(value)}"
        for name, value in published.items()
        if getattr(config, name) != value
    ]
    return [f"Other than in the paper: {'; '.join(others)}."] if others else []


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def on_rates(points: Sequence[Mapping[str, Any]]) -> str:
    """How a curve of success rates of PGD differs from another: points of `curve_differences`."""
    gaps = [known_mean(point["difference"]) for point in points]
    gap, lower = sum(gaps) / len(gaps), sum(gap < 0 for gap in gaps)
    size = f"{abs(100 * gap):.1f}"
    words = f"{size} points {'lower' if gap < 0 else 'higher'}" if float(size) else "equal"
    return f"the ASR of PGD is {words} on average, lower at {lower} of {len(gaps)} ε."


def on_help(points: Sequence[Mapping[str, Any]], what: str = "the perturbation itself") -> str:
    """Whether `what` helps: `points` are differences to a control that has all but that."""
    seeds = min(point["difference"]["count"] for point in points)
    if seeds < FEWEST_SEEDS:  # one is lower than another in all seeds soon
        return f"{no_verdict(seeds).capitalize()}."
    gaps = [known_mean(point["difference"]) for point in points]
    always = [point for point in points if point["lower"] == point["difference"]["count"]]
    if sum(gaps) < 0 and len(always) > len(points) / 2:
        return f"So {what} helps."
    nothing = "what it brings is nothing, or no larger than what the seeds make."
    if not always:
        return f"So {nothing}"
    where = ", ".join(f"{point['epsilon']:.3g}" for point in always)
    return f"It is lower in all seeds at ε = {where}; elsewhere {nothing}"
