"""The figure of a convergence run."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import plots
from experiments.convergence.config import Config
from experiments.convergence.summary import labels
from experiments.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, RED, STYLE

COLORS = (BLUE, ORANGE, GREEN, RED, LIGHT_GREEN, GREY)


def convergence(path: Path, config: Config, rows: dict[str, Any]) -> None:
    """‖L‖² over t for every α, and its least over T where α = 1/√T; with 1/√t to compare."""
    names = labels(config)
    fixed = {name: row["curve"] for name, row in rows.items() if name.startswith("alpha")}
    ends = [row["curve"] for name, row in rows.items() if name.startswith("horizon")]
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for place, (name, curve) in enumerate(fixed.items()):
            color, t = COLORS[place % len(COLORS)], curve["iteration"]
            left.fill_between(t, curve["low"], curve["high"], color=color, alpha=0.12, lw=0)
            left.plot(t, curve["median"], color=color, lw=1, alpha=0.6)
            left.plot(t, curve["least"], color=color, lw=2, label=names[name])
        if fixed:
            reference(left, [curve["iteration"] for curve in fixed.values()], fixed.values())
        if ends:
            last = [curve["iteration"][-1] for curve in ends]
            right.plot(last, [curve["least"][-1] for curve in ends], "o-", color=BLUE, lw=2)
            reference(right, [last], ends, place=-1)
        left.set_title("‖L(δ, c)‖²: bold the least so far, band 10 to 90 %")
        right.set_title("least ‖L‖² of T iterations, α = 1/√T")
        for axes, over in ((left, "iteration t"), (right, "iterations T")):
            axes.set(xlabel=over, xscale="log", yscale="log")
            axes.grid()
            if axes.get_legend_handles_labels()[1]:
                axes.legend(loc="lower left")
        plots.save(figure, path)


def reference(axes: Axes, iterations: Any, curves: Any, place: int = 0) -> None:
    """C/√t through the first point of the highest curve."""
    t = np.array(sorted({each for line in iterations for each in line}), float)
    height = max(curve["least"][place] for curve in curves)
    line = height * np.sqrt(t[0] / t)
    axes.plot(t, line, color=GREY, lw=1.4, ls="--", label="∝ 1/√t" if place == 0 else "∝ 1/√T")
