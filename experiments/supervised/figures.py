"""The figures of a supervised run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import keras_uae as uae
from experiments import plots
from experiments.plots import BLUE, ORANGE, STYLE
from experiments.supervised.attacks import best_so_far

COLORS = {"minmax": BLUE, "penalty": ORANGE}


def iterations(path: Path, found: Mapping[str, uae.UAEs], labels: Mapping[str, str]) -> None:
    """Figure 2: the best mutual information so far, mean ± std over the images with an example."""
    with rc_context(STYLE):
        figure = Figure(figsize=(10.5, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, each in found.items():
            best = best_so_far(each)
            there = ~np.isnan(best)
            shown = there.any(axis=0)
            steps = np.arange(1, best.shape[1] + 1)
            right.plot(steps, 100 * there.mean(axis=0), color=COLORS[name], lw=2)
            if shown.any():
                average, width = (of(best[:, shown], axis=0) for of in (np.nanmean, np.nanstd))
                band = {"color": COLORS[name], "alpha": 0.18, "lw": 0}
                left.fill_between(steps[shown], average - width, average + width, **band)
                left.plot(steps[shown], average, color=COLORS[name], lw=2, label=labels[name])
        left.set_title("best mutual information so far (nats), mean ± std")
        right.set_title("images with an example so far (%)")
        right.set_ylim(0, 105)
        for axes in (left, right):
            axes.set_xlabel("iteration")
            axes.grid(axis="y")
        if left.get_legend_handles_labels()[1]:
            left.legend(loc="best")
        plots.save(figure, path)
