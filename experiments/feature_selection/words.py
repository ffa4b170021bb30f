"""What the figures of a feature selection run say, in sentences made from the numbers."""

from typing import Any

from experiments import paper
from experiments.config import settled
from experiments.data import TABULAR
from experiments.feature_selection.config import EPOCHS, PROJECTIONS, SAMPLINGS, Config
from experiments.feature_selection.summary import BASELINES, NETWORKS, labels
from experiments.summary import Summary, mean
from experiments.words import compared, difference, not_found, than, than_controls, than_paper

PAPER_STEPS = 40


def sentences(config: Config, summary: Summary) -> list[str]:
    """A sentence for every row, then what they come to, then what differs from the paper."""
    names = labels(config)
    printed = paper.feature_selection(config.dataset, config.similarity)
    lines = []
    for name, row in summary.items():
        if name in NETWORKS:
            text = _network(name, row, printed.get(name, {}), bool(printed))
        else:
            text = _baseline(row, summary.get("original"))
        lines.append(f"**{names[name]}**: {text}")
    return [*lines, *_augmentation(summary), *_training(names, summary), *_departures(config)]


def points(gain: float) -> str:
    """A difference of two accuracies: "1.2 points higher"."""
    size = f"{abs(100 * gain):.1f}"
    if size == "0.0":
        return "equal"
    return f"{size} point{'s' * (size != '1.0')} {'higher' if gain > 0 else 'lower'}"


def _network(name: str, row: dict[str, Any], theirs: dict[str, float], any_row: bool) -> str:
    text = than_controls(name, row) + than_paper(row, theirs, any_row)
    text += f" ExtraTrees accuracy {_mean(row, 'accuracy'):.2%}"
    text += f" (the paper: {theirs['accuracy']:.2%})." if theirs else "."
    if name == "mine":
        text += not_found(row, "samples")
    seeds = row["seconds"]["count"]
    if row["settled"] < seeds:
        text += (
            f" In {seeds - row['settled']} of {seeds} seed{'s' * (seeds > 1)} not all units had "
            f"settled on one feature (mean greatest probability {_mean(row, 'max_probability'):.4f}"
            "); longer training might select others."
        )
    return text


def _baseline(row: dict[str, Any], original: dict[str, Any] | None) -> str:
    accuracy, linear = _mean(row, "accuracy"), _mean(row, "linear_error")
    if original is None:
        return f"ExtraTrees accuracy {accuracy:.2%}, linear error {linear:.5f}."
    higher = points(accuracy - _mean(original, "accuracy"))
    lower = difference(1 - linear / _mean(original, "linear_error"))
    return (
        f"ExtraTrees accuracy {accuracy:.2%}, {compared(higher, 'the original')}; linear error "
        f"{linear:.5f}, {compared(lower, 'the original')}."
    )


def _augmentation(summary: Summary) -> list[str]:
    """Whether UAEs are better than duplicates."""
    if not {"duplicate", "mine"} <= summary.keys():
        return []
    mine, duplicate = summary["mine"], summary["duplicate"]
    gain, wins = mine["gain_duplicate"], mine["wins"]
    seeds = f"{wins} of {gain['count']} seed{'s' * (gain['count'] > 1)}"
    if gain["count"] == 1:
        verdict = "One seed cannot tell whether UAEs help"
    elif wins == gain["count"]:
        verdict = "UAEs lower the test error more than duplicates do"
    elif wins:
        verdict = "The seeds do not agree on whether UAEs help more than duplicates"
    else:
        verdict = "UAEs help no more than duplicates do"
    accuracy = points(_mean(mine, "accuracy") - _mean(duplicate, "accuracy"))
    return [
        f"{verdict}: with UAEs the error is {than(gain['mean'], 'with duplicates')} on average "
        f"(lower in {seeds}), the ExtraTrees accuracy {accuracy}."
    ]


def _training(names: dict[str, str], summary: Summary) -> list[str]:
    """Whether features that took no training are as good."""
    lines = []
    for figure, sign, what, form in (
        ("accuracy", -1, "ExtraTrees accuracy", ".2%"),
        ("linear_error", 1, "linear error", ".5f"),
    ):
        ranked = sorted(summary, key=lambda name: sign * _mean(summary[name], figure))
        trained = next((name for name in ranked if name in NETWORKS), None)
        simple = next((name for name in ranked if name in BASELINES), None)
        if trained is None or simple is None:
            continue
        better = ranked.index(simple) < ranked.index(trained)
        values = [
            f"{names[name]} {_mean(summary[name], figure):{form}}" for name in (simple, trained)
        ]
        if better:
            text = f"needs no network: {values[0]}, the best one with a network {values[1]}"
        else:
            text = f"comes with a network: {values[1]}, the best one without {values[0]}"
        both = summary[simple][figure], summary[trained][figure]
        if abs(both[0]["mean"] - both[1]["mean"]) < max(each["std"] for each in both):
            text += ", no more apart than the seeds are"
        lines.append(f"The best {what} {text}.")
    return lines


def _departures(config: Config) -> list[str]:
    """What this run does otherwise than the paper."""
    theirs = paper.feature_selection_setting(config.dataset)
    if not theirs:
        return [f"The paper has no figures for {config.dataset}."]
    lines = []
    if config.features != theirs["features"]:
        lines.append(f"{config.features} features, not {theirs['features']}")
    if config.train_size != theirs["samples"][0]:
        lines.append(f"{config.train_size} training samples, not {theirs['samples'][0]}")
    if settled(config.attack_size) < settled(config.train_size):
        lines.append(f"{config.attack_size} of them attacked, not all")
    if config.dataset in TABULAR and config.protocol == "clean":
        lines.append("scaled and filled in by the training samples alone, not by all")
    if (config.selector, config.epochs) != ("published", EPOCHS["published"]):
        lines.append(
            f"the {config.selector} settings of the selector for {config.epochs} epochs, not the "
            f"published ones for {EPOCHS['published']}"
        )
    lines.append("one try of the selector, not up to five")
    if config.steps != PAPER_STEPS:
        lines.append(f"{config.steps} iterations of the attack, not {PAPER_STEPS}")
    if config.similarity not in SAMPLINGS:
        lines.append(f"an attack by {config.similarity}, not by MINE")
    elif config.projections != PROJECTIONS:
        lines.append(f"MINE from {config.projections} projections, not {PROJECTIONS}")
    return [f"Other than in the paper: {'; '.join(lines)}."]


def _mean(row: dict[str, Any], figure: str) -> float:
    """The mean of a figure that the row must have."""
    value = mean(row[figure])
    if value is None:
        raise ValueError(f"`row` must have a mean of {figure}. Received: {row}.")
    return value
