"""What the figures of a small-data run say, in sentences made from the numbers."""

from typing import Any

from experiments.small_data.config import Config
from experiments.small_data.noise import KINDS
from experiments.small_data.settings import SETTINGS
from experiments.small_data.summary import CONFIDENCE, verdict
from experiments.small_data.tables import TARGETS, difference

FIGURES = {"error": ("test error", "%"), "accuracy": ("accuracy of the code", "points")}


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """For each target and figure, which settings beat every noise; and how far to trust that."""
    lines = []
    for target in config.targets:
        versus = {
            name: summary[f"{name}-{target}-uae"]["versus"]
            for name in config.settings
            if f"{name}-{target}-uae" in summary
        }
        for figure in FIGURES:
            lines.append(f"{TARGETS[target]}, {_compared(versus, figure)}")
    tests = len(config.settings) * len(config.targets) * len(FIGURES)
    if tests > 1:
        lines.append(
            f"These are {tests} comparisons. Of as many in which nothing differs, one in "
            f"{2 / (1 - CONFIDENCE):.0f} has an interval above 0 for any one noise: what is best "
            "here is to be confirmed on sets that it was not chosen on."
        )
    return lines


def _compared(versus: dict[str, Any], figure: str) -> str:
    name, unit = FIGURES[figure]
    if all(row["duplicate"][figure]["low"] is None for row in versus.values()):
        return f"{name}: {_of_one_set(versus, figure)}"
    found = {
        setting: verdict(row, figure, ("duplicate", *KINDS)) for setting, row in versus.items()
    }
    better = [setting for setting, each in found.items() if each == "better"]
    worse = [s for s in versus if verdict(versus[s], figure, tuple(KINDS)) == "worse"]
    over = sum(verdict(row, figure, ("duplicate",)) == "better" for row in versus.values())
    start = f"{name}: {over} of {len(versus)} settings beat the duplicate control; "
    if better:
        texts = "; ".join(f"{SETTINGS[s].label} ({_over(versus[s], figure, unit)})" for s in better)
        return f"{start}every noise of its size as well do {texts}."
    text = "none beats every noise of its size as well"
    if worse:
        text += f", and {len(worse)} {'is' if len(worse) == 1 else 'are'} worse than all of them"
    best = _best(versus, figure)
    if best is None:
        return f"{start}{text}."
    nearest = f"{SETTINGS[best].label} ({_over(versus[best], figure, unit)})"
    return f"{start}{text}. The nearest is {nearest}."


def _of_one_set(versus: dict[str, Any], figure: str) -> str:
    """Without intervals: how many are ahead, which decides nothing."""
    over, every = (
        [
            setting
            for setting, row in versus.items()
            if all(row[control][figure]["mean"] > 0 for control in controls)
        ]
        for controls in (("duplicate",), ("duplicate", *KINDS))
    )
    names = f": {', '.join(SETTINGS[setting].label for setting in every)}" if every else ""
    return (
        f"on the only set {len(over)} of {len(versus)} settings are better than the duplicate "
        f"control, and {len(every)} than every noise of their size as well{names}. One set decides "
        "nothing."
    )


def _best(versus: dict[str, Any], figure: str) -> str | None:
    """The setting whose lesser gain over a noise is the largest."""
    worst = {
        setting: min(row[noise][figure]["mean"] for noise in KINDS)
        for setting, row in versus.items()
        if all(row.get(noise, {}).get(figure) for noise in KINDS)
    }
    return max(worst, key=lambda setting: worst[setting]) if worst else None


def _over(row: dict[str, Any], figure: str, unit: str) -> str:
    return ", ".join(f"{difference(row[noise][figure])} {unit} over {noise}" for noise in KINDS)
