"""What the figures of a supervised run say, in sentences made from the numbers."""

import math
from typing import Any

from experiments import paper
from experiments.config import settled
from experiments.summary import mean
from experiments.supervised.config import Config
from experiments.supervised.summary import METHODS, random_row

CLEAR = 0.05  # difference of two figures that is called one


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """What MinMax and penalty come to, what the samplings do, what differs from the paper."""
    lines = []
    if set(METHODS) <= summary["rows"].keys():
        lines += [*_methods(config, summary), *_iterations(summary["pairs"])]
    return [
        *lines,
        *_bound(config, summary["rows"]),
        *_samplings(config, summary["rows"]),
        *_departures(config),
    ]


def _methods(config: Config, summary: dict[str, Any]) -> list[str]:
    minmax, penalty = (summary["rows"][name] for name in METHODS)
    text = (
        f"MinMax succeeds for {mean(minmax['asr']):.1%} of the images, the penalty method for "
        f"{mean(penalty['asr']):.1%}."
    )
    pairs, printed = summary["pairs"], paper.minmax_and_penalty(config.dataset)
    own, anew = mean(pairs["ratio"]), mean(pairs["ratio_again"])
    if own is None or anew is None:
        return [text]
    text += (
        f" Where both do, in {mean(pairs['both']):.0%}, the examples of MinMax have {own:.2f} "
        "times the mutual information of those of the penalty method by the attacks' own estimates"
    )
    if printed:
        text += f" (the paper: {printed['minmax']['mi'] / printed['penalty']['mi']:.2f} times)"
    text += (
        f", and {anew:.2f} times by new ones; it is the greater one in "
        f"{mean(pairs['higher']):.0%} and {mean(pairs['higher_again']):.0%} of these images"
    )
    lines = [f"{text}.", _verdict(own, anew)]
    for name, row in (("MinMax", minmax), ("the penalty method", penalty)):
        claimed, again, itself = (mean(row[key]) for key in ("mi", "mi_again", "mi_self"))
        if claimed is None or again is None or itself is None:
            continue
        if claimed > itself:
            lines.append(
                f"The estimates that {name} reports, {claimed:.3f} nats on average, are more than "
                f"what the same estimator says of an image and itself, {itself:.3f}: the attack "
                "maximises the errors of the one estimate that it sees as well. New estimates of "
                f"its examples say {again:.3f}."
            )
    return lines


def _verdict(own: float, anew: float) -> str:
    claim = "The paper's claim that MinMax attains a higher mutual information"
    if min(own, anew) > 1 + CLEAR:
        return f"{claim} reproduces."
    if own > 1 + CLEAR:
        return f"{claim} reproduces by the attacks' own estimates, and not by new ones."
    return f"{claim} does not reproduce."


def _iterations(pairs: dict[str, Any]) -> list[str]:
    early, late = mean(pairs["best_early"]), mean(pairs["best"])
    if early is None or late is None:
        return []
    return [
        f"The best estimate of MinMax so far stands at {early:.3f} nats after a ninth of the "
        f"iterations, and at {late:.3f} after all. Part of any such rise is that a maximum over "
        "more estimates is greater."
    ]


def _bound(config: Config, rows: dict[str, Any]) -> list[str]:
    printed = paper.minmax_and_penalty(config.dataset)
    count = mean(rows["minmax"]["pairs"]) if "minmax" in rows else None
    if count is None:
        return []
    text = (
        f"The first convolution has {count:.0f} feature maps, and no Donsker–Varadhan estimate "
        f"from so many pairs can be trusted beyond log {count:.0f} = {math.log(count):.2f} nats"
    )
    if printed:
        theirs = [f"{printed[name]['mi']:.2f}" for name in ("penalty", "minmax")]
        text += (
            f". The paper prints {theirs[0]} and {theirs[1]} nats, which cannot be such figures: "
            "compare the order of the two, not their size"
        )
    return [f"{text}."]


def _samplings(config: Config, rows: dict[str, Any]) -> list[str]:
    known = [
        (count, rows[random_row(count)])
        for count in sorted(settled(config.projections))
        if random_row(count) in rows
    ]
    lines = []
    for key, name, form, expected in (
        ("mi_again", "The mutual information", ".3f", "rises"),
        ("frechet", "The Fréchet distance to training images", ".3g", "falls"),
    ):
        values = [(count, mean(row[key])) for count, row in known]
        there = [(count, value) for count, value in values if value is not None]
        if len(there) < 2:
            continue
        (few, first), (many, last) = there[0], there[-1]
        direction = "rises" if last > first else "falls"
        verdict = "as in" if direction == expected else "other than in"
        lines.append(
            f"{name} {direction} from {first:{form}} with K = {few} to "
            f"{last:{form}} with K = {many}, {verdict} the paper's Table 8 (CIFAR-10)."
        )
    conv = mean(rows["conv"]["frechet"]) if "conv" in rows else None
    best = [value for _, row in known if (value := mean(row["frechet"])) is not None]
    if conv is not None and best:
        nearer = "nearer to" if conv < min(best) else "no nearer to"
        lines.append(
            f"Examples from the convolution are {nearer} training images ({conv:.3g}) than those "
            f"from the best random sampling ({min(best):.3g})."
        )
    return lines


def _departures(config: Config) -> list[str]:
    lines = []
    if config.steps != 9000:
        lines.append(f"{config.steps} iterations, not 9000")
    if config.attack_size != 1000:
        lines.append(f"{config.attack_size} images attacked at most, not 1000")
    if config.step_rule != "raw":
        lines.append(f"steps by the rule {config.step_rule}, not along the gradient as it is")
    if config.initial_radius:
        lines.append(f"δ starts in ±{config.initial_radius:g}, not at 0")
    return [f"Other than in the paper: {'; '.join(lines)}."] if lines else []
