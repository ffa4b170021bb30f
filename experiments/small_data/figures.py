"""The figure of a small-data run."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments import plots
from experiments.plots import BLUE, GREEN, GREY, ORANGE, RED, STYLE
from experiments.small_data.config import Config
from experiments.small_data.settings import SETTINGS
from experiments.small_data.summary import TEXTS

COLORS = {"gaussian": BLUE, "uniform": ORANGE, "signs": GREEN, "shuffled": RED}
TITLES = {"error": "test error lower by (%)", "accuracy": "accuracy of the code higher by (points)"}


def gains(path: Path, config: Config, summary: dict[str, Any]) -> None:
    """By how much UAEs are better than noise of their size, with 95 % confidence intervals."""
    height = 0.32 * len(config.settings) + 1.2
    with rc_context(STYLE):
        size = (11, height * len(config.targets))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(config.targets), 2, squeeze=False, sharey=True)
        for line, target in zip(grid, config.targets, strict=True):
            for axes, (figure_name, title) in zip(line, TITLES.items(), strict=True):
                for shift, (noise, color) in zip(
                    (-0.24, -0.08, 0.08, 0.24), COLORS.items(), strict=True
                ):
                    for place, setting in enumerate(config.settings):
                        row = summary.get(f"{setting}-{target}-uae", {}).get("versus", {})
                        found = row.get(noise, {}).get(figure_name)
                        if found is None:
                            continue
                        low, high = (
                            found["mean"] if found[end] is None else found[end]
                            for end in ("low", "high")
                        )
                        ends = [[100 * (found["mean"] - low)], [100 * (high - found["mean"])]]
                        text = f"than {TEXTS[noise]}" if place == 0 else None
                        mark: dict[str, Any] = {"fmt": "o", "ms": 4.5, "lw": 1.6, "color": color}
                        axes.errorbar(
                            100 * found["mean"], place + shift, xerr=ends, label=text, **mark
                        )
                axes.axvline(0, color=GREY, lw=1.4, ls="--")
                axes.set_title(f"{title}, target {target}")
                axes.grid(axis="x")
            line[0].set_yticks(
                range(len(config.settings)), [SETTINGS[each].label for each in config.settings]
            )
        for axes in grid[:, 0]:
            axes.invert_yaxis()
            break  # the axes are shared
        grid[0, 1].legend(loc="best")
        plots.save(figure, path)
