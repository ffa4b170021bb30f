"""The figures of a contrastive run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from experiments import plots
from experiments.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, STYLE, Panel

COLORS = {
    "original": GREY,
    "duplicate": GREEN,
    "mine": BLUE,
    "gaussian": LIGHT_GREEN,
    "clae": ORANGE,
}


def training(path: Path, rows: Mapping[str, Any], labels: Mapping[str, str], every: int) -> None:
    """Loss by epoch, but for CLAE's, and k-NN accuracy, over the steps of the optimizer."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, color in COLORS.items():
            if name not in rows:
                continue
            row = rows[name]
            each = row["steps"] / row["epochs"]
            epochs = np.arange(1, row["epochs"] + 1)
            looks = np.minimum(every * np.arange(len(row["neighbor_accuracies"]) + 1), epochs[-1])
            start = rows["untrained"]["neighbor_accuracy"]
            accuracies = [start, *row["neighbor_accuracies"]]
            if name != "clae":  # the sum of two losses
                plots.band(left, each * epochs, row["losses"], labels[name], color, "-")
            plots.band(right, each * looks, accuracies, labels[name], color, "o-")
        left.set_title("training loss, mean of an epoch")
        right.set_title("k-NN accuracy on the test images")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        for axes in (left, right):
            axes.set_xlabel("steps")
            axes.grid(axis="y")
        right.legend(loc="lower right")
        plots.save(figure, path)


def robustness(path: Path, found: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    """Figure 10 (b): success rate of PGD over ε, mean ± std over the seeds."""
    with rc_context(STYLE):
        figure = Figure(figsize=(5.6, 4), layout="constrained")
        axes = figure.subplots()
        for name, points in found.items():
            epsilons, rates = zip(*((each["epsilon"], each["asr"]) for each in points), strict=True)
            plots.band(axes, epsilons, rates, labels[name], COLORS[name], "o-")
        plots.rates_over_epsilon(axes)
        plots.save(figure, path)


def examples(path: Path, x: np.ndarray, z: np.ndarray, success: np.ndarray) -> None:
    """Originals, their UAEs, and the perturbation: grey where nothing has changed."""
    change = z - x
    scale = float(np.abs(change).max()) or 1.0
    norms = np.linalg.norm(change.reshape(len(x), -1), axis=1)
    blank = [""] * len(x)
    sizes = [f"L2 {norm:.2f}" if norm else "none found" for norm in norms]
    crossed = [[False] * len(x), list(~success), [False] * len(x)]
    words = [blank, blank, sizes]
    lines = [x, z, 0.5 + change / (2 * scale)]
    rows = ["original", "UAE", "perturbation"]
    plots.image_grids(path, [Panel("", rows, lines, words, crossed)])
