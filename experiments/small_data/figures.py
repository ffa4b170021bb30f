"""The figure of a small-data run."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import plots
from experiments.plots import BLUE, GREEN, GREY, ORANGE, RED, STYLE
from experiments.small_data.config import Config
from experiments.small_data.settings import SETTINGS
from experiments.small_data.summary import TEXTS

COLORS = {"gaussian": BLUE, "uniform": ORANGE, "signs": GREEN, "shuffled": RED}
SHIFTS = (-0.24, -0.08, 0.08, 0.24)
TITLES = {"error": "test error lower by (%)", "accuracy": "accuracy of the code higher by (points)"}


def gains(path: Path, config: Config, summary: dict[str, Any]) -> None:
    """By how much UAEs are better than noise of their size, with 95 % confidence intervals."""
    settings = [SETTINGS[name].label for name in config.settings]
    height = 0.36 * len(settings) + 1.3
    with rc_context(STYLE):
        size = (11, height * len(config.targets))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(config.targets), len(TITLES), squeeze=False, sharey=True)
        for line, target in zip(grid, config.targets, strict=True):
            rows = [summary.get(f"{name}-{target}-uae", {}) for name in config.settings]
            for axes, (name, title) in zip(line, TITLES.items(), strict=True):
                for shift, noise in zip(SHIFTS, COLORS, strict=True):
                    found = [row.get("versus", {}).get(noise, {}).get(name) for row in rows]
                    differences(axes, found, shift, COLORS[noise], f"than {TEXTS[noise]}")
                axes.axvline(0, color=GREY, lw=1.4, ls="--")
                axes.set_title(f"{title}, target {target}")
                axes.grid(axis="x")
        grid[0, 0].set_yticks(range(len(settings)), settings)
        # the first setting on top; the panels share the axis
        grid[0, 0].set_ylim(len(settings) - 0.5, -0.5)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(COLORS))
        plots.save(figure, path)


def differences(
    axes: Axes, found: list[dict[str, Any] | None], shift: float, color: str, label: str
) -> None:
    """Means with their intervals, a line for each setting, `shift` below it; `None` is left out."""
    known = [(place + shift, each) for place, each in enumerate(found) if each is not None]
    if not known:
        return
    places, values = zip(*known, strict=True)
    means = [100 * each["mean"] for each in values]
    # a single value has no interval
    widths = [
        100 * (each["high"] - each["mean"]) if each["low"] is not None else 0 for each in values
    ]
    mark: dict[str, Any] = {"fmt": "o", "ms": 4.5, "lw": 1.6, "color": color, "label": label}
    axes.errorbar(means, places, xerr=widths, **mark)
