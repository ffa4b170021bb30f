"""What a comparison comes to, in plain words, and what limits it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_uae.comparison.run import RATE
from keras_uae.comparison.statistics import FEWEST_SEEDS

FEWEST_SAMPLES = 20  # test samples, below which nothing is said
FEWEST_EXAMPLES = 0.5  # share of the samples, below which a row of UAEs is called what it is


def sentence(against: Mapping[str, Mapping[str, Any]]) -> str:
    """What the comparisons of a row with its controls say.

    Args:
        against: By the label of a control, the fields of the `Difference`, `outcome` and `seeds`
            of `statistics.outcome`, and whether it is a `ratio`.
    """
    parts: dict[str, list[str]] = {}
    for label, found in against.items():
        if found["outcome"] == "none":
            return no_verdict(found["count"])
        parts.setdefault(found["outcome"], []).append(_compared(label, found))
    heads = {"better": "better than", "worse": "worse than", "open": "not distinguishable from"}
    return "; ".join(f"{heads[outcome]} {', '.join(parts[outcome])}" for outcome in parts)


def no_verdict(seeds: int) -> str:
    """Why nothing is said of fewer than `FEWEST_SEEDS`."""
    return f"no verdict: {seeds} seed{'s' * (seeds != 1)}, and it takes {FEWEST_SEEDS}"


def _compared(label: str, found: Mapping[str, Any]) -> str:
    if found["outcome"] != "open":
        size = signed(abs(found["mean"]), found["ratio"], sign="")
        if not float(size.rstrip("%")):
            size = f"less than {'0.1%' if found['ratio'] else '0.0001'}"
        return f"{label} by {size} (in {found['agree']} of {found['count']} seeds)"
    if found["std"] == 0 and not found["mean"]:
        return f"{label} (equal in all {found['count']} seeds)"
    if found["std"] == 0:
        size = signed(found["mean"], found["ratio"])
        return f"{label} ({size} in all {found['count']} seeds: no spread to test it by)"
    needed = found["seeds"]
    more = f"about {needed} seeds would tell" if needed else "more than 1000 seeds would tell"
    return f"{label} ({interval(found, found['ratio'])}; {more})"


def signed(value: float, ratio: bool, *, sign: str = "+") -> str:
    """A difference in writing, a ratio in percent."""
    return f"{value:{sign}{'.1%' if ratio else '.4f'}}".replace("-", "−")


def interval(difference: Mapping[str, Any], ratio: bool) -> str:
    """A mean difference with half of its interval, if it has one: "+1.2% ± 0.4%"."""
    text = signed(difference["mean"], ratio)
    if difference["low"] is None:
        return text
    return f"{text} ± {signed((difference['high'] - difference['low']) / 2, ratio, sign='')}"


def limits(
    settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]], decides: str
) -> list[str]:
    """What limits the verdicts, a sentence each."""
    found, count = [], settings["test_samples"]
    if count < FEWEST_SAMPLES:
        samples = f"{count} test sample{'s' * (count != 1)}"
        found.append(f"No verdict: {samples}, and it takes {FEWEST_SAMPLES}.")
    sums = settings.get("data", {})
    if sums and sums["x"] == sums["x_test"]:
        found.append("The test samples are those that the models were trained on.")
    found += _without_examples(settings, records)
    if RATE in settings:
        found.append(
            f"All models are trained at the learning rate {settings[RATE]:.3g}, with which the "
            "given one was left by its own training: if a callback has lowered it, compile it anew."
        )
    if decides == "averaged" and _still_learning(settings, records):
        found.append(
            "The averaged weights of the duplicates are worse than their last ones: the training "
            "has not come to rest, and more epochs would make the verdicts sharper."
        )
    if unequal := unequal_steps(records):
        shown = ", ".join(f"{row} {_span(numbers)}" for row, numbers in unequal.items())
        found.append(f"The rows were not trained for equally many steps: {shown}.")
    if records and decides == "last":
        found.append(
            f"{_no_averages(records)}: the last ones decide, though they differ more from seed to "
            "seed."
        )
    return found


def _without_examples(
    settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Which rows of UAEs have hardly any, so that they are duplicates for the most part."""
    for name, row in settings["rows"].items():
        rates = [each["success"] for each in records if each["row"] == name and "success" in each]
        if rates and (rate := sum(rates) / len(rates)) < FEWEST_EXAMPLES:
            yield (
                f"{row['label']}: an example was found for {rate:.0%} of the samples, and all "
                "others are added as they are, as the duplicates are."
            )


def unequal_steps(records: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Steps of each row but the original, seed by seed, if they differ within a seed."""
    rows: dict[str, list[int]] = {}
    seeds: dict[int, set[int]] = {}
    for each in records:
        if each["row"] != "original":
            steps = each.get("steps") or 0  # `None` without an optimizer
            rows.setdefault(each["row"], []).append(steps)
            seeds.setdefault(each["seed"], set()).add(steps)
    return rows if any(len(steps) > 1 for steps in seeds.values()) else {}


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _no_averages(records: Sequence[Mapping[str, Any]]) -> str:
    """Why there are no averaged weights to decide."""
    without = [each for each in records if not each["averaged"]]
    early = [each for each in without if each.get("ended_early")]
    if not early and len(without) == len(records):
        return (
            "There are no averaged weights, which a fit= that takes `callbacks` and hands them on "
            "has"
        )
    first = (early or without)[0]
    return (
        f"{len(without)} of {len(records)} trainings ended before their last quarter, over which "
        f"weights are averaged, because fit= or a loss that is not finite stopped them "
        f"({first['row']} of seed {first['seed']} was the first)"
    )


def _still_learning(settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the first metric is worse of averaged weights, in the mean over the seeds."""
    metric = settings["metrics"][0]
    name, sign = metric["name"], 1 if metric["better"] == "lower" else -1
    pairs = [
        (each["averaged"][name], each["last"][name])
        for each in records
        if each["row"] == "duplicates"
    ]
    known = [sign * (one - other) for one, other in pairs if None not in (one, other)]
    return sum(known) > 0
