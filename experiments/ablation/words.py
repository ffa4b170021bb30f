"""What the figures of an ablation run say, in sentences made from the numbers."""

import math
from typing import Any

from experiments import paper
from experiments.ablation.config import Config
from experiments.ablation.variants import Variant
from experiments.summary import mean

Rows = list[tuple[Variant, dict[str, Any]]]


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """What each part comes to, and what differs from the paper."""
    found = summary["attacks"]
    rows = {
        part: [(each, found[each.name]) for each in variants.values() if each.name in found]
        for part, variants in config.chosen.items()
    }
    lines = [_default(found.get("mine", {}))]
    if "sensitivity" in rows:
        lines.append(_range("Over the grid of α and β", rows["sensitivity"]))
    if "similarity" in rows:
        lines.append(_similarity(rows["similarity"]))
    if "samples" in rows:
        lines.append(_range("Over what MINE estimates from", rows["samples"]))
    if "penalty" in rows:
        lines.append(_penalty(config, rows["penalty"]))
    if "start" in rows:
        lines.append(_start(rows["start"]))
    if "margin" in rows:
        lines.append(_range("Over κ", rows["margin"]))
    if "time" in rows:
        lines.append(_time(config, summary["timing"]))
    return [line for line in [*lines, *_departures(config)] if line]


def _default(row: dict[str, Any]) -> str:
    again, itself, pairs = (mean(row.get(key)) for key in ("mi_again", "mi_self", "pairs"))
    if again is None or itself is None or pairs is None:
        return "The default attack finds no example."
    return (
        f"The default attack succeeds for {mean(row['asr']):.1%} of the images. Estimated anew, "
        f"its examples share {again:.3f} nats with their images, an image and itself "
        f"{itself:.3f}. From {pairs:.0f} feature maps nothing beyond log {pairs:.0f} = "
        f"{math.log(pairs):.2f} nats can be trusted."
    )


def _range(where: str, rows: Rows) -> str:
    """From which row to which the success rate and the information run."""
    rates = [(mean(row["asr"]) or 0.0, variant.label) for variant, row in rows]
    text = f"{where}, the success rate runs from {_ends(rates, '.1%')}"
    known = [(mean(row["mi_again"]), variant.label) for variant, row in rows]
    there = [(value, label) for value, label in known if value is not None]
    if there:
        text += f", the mutual information from {_ends(there, '.3f')} nats"
    return text + "."


def _ends(values: list[tuple[float, str]], form: str) -> str:
    (low, at_low), (high, at_high) = min(values), max(values)
    return f"{low:{form}} ({at_low}) to {high:{form}} ({at_high})"


def _similarity(rows: Rows) -> str:
    text = _range("Over the similarities", rows)
    there = [(value, each) for each, row in rows if (value := mean(row["mi_again"])) is not None]
    if not there:
        return text
    least = min(there, key=lambda pair: pair[0])[1]
    if least.name == "mine":
        return (
            f"{text} MINE minimises it, and leaves the least by an estimator it has not seen, too."
        )
    return (
        f"{text} MINE minimises it, yet the examples of “{least.label}” share less with their "
        "images by an estimator that neither has seen."
    )


def _penalty(config: Config, rows: Rows) -> str:
    printed = paper.fixed_iterations(config.dataset)
    names = {each.label: name for name, each in config.chosen["penalty"].items()}
    parts = []
    for variant, row in rows:
        text = f"{variant.label} {mean(row['asr']):.1%}"
        theirs = printed.get(names[variant.label])
        parts.append(f"{text} (the paper: {theirs['asr']:.1%})" if theirs else text)
    rates = [mean(row["asr"]) or 0.0 for _, row in rows]
    holds = rates[0] > max(rates[1:])
    verdict = "is the greatest, as in" if holds else "is not the greatest, other than in"
    return (
        f"With {config.steps} iterations in all: {', '.join(parts)}. The success rate of MinMax "
        f"{verdict} the paper."
    )


def _start(rows: Rows) -> str:
    text = _range("Over δ₀ and step rules", rows)
    paper_row = next((row for each, row in rows if each.name == "start_0-raw"), None)
    size = mean(paper_row["l2"]) if paper_row else None
    if size is None:
        return text
    return f"{text} By the letter of Algorithm 1 (0, raw) δ goes {size:.2f} far."


def _time(config: Config, timing: dict[str, Any]) -> str:
    if not {"mine", "l2"} <= timing.keys():
        return ""
    ours = 1 / timing["l2"]["ratio"]["median"]
    text = f"MINE-UAE takes {ours:.2f} times as long as L2-UAE"
    printed = paper.seconds_per_sample(config.dataset)
    if printed:
        theirs = printed["mine"]["seconds"] / printed["l2"]["seconds"]
        text += f"; in the paper {theirs:.2f} times"
    return text + "."


def _departures(config: Config) -> list[str]:
    lines = []
    if config.steps != 40:
        lines.append(f"{config.steps} iterations, not 40")
    lines.append(
        "δ starts in ±0.2 and a step is divided by its largest entry, but for the part start"
    )
    if not config.retrain:
        lines.append("nothing is retrained, so that the paper's test errors have no counterpart")
    return [f"Other than in the paper: {'; '.join(lines)}."]
