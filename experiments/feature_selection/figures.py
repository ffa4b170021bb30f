"""The figures of a feature selection run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments import plots
from experiments.feature_selection.summary import NETWORKS
from experiments.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, RED, STYLE
from experiments.summary import Records, by_seed

COLORS = {
    "original": GREY,
    "duplicate": LIGHT_GREEN,
    "mine": BLUE,
    "random": ORANGE,
    "variance": ORANGE,
    "pca": ORANGE,
    "greedy": GREEN,
    "lassonet": GREEN,
}


def scores(
    path: Path, records: Records, labels: Mapping[str, str], printed: Mapping[str, Any]
) -> None:
    """Test errors of the networks and accuracies of all selections, with the paper's."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 7))
        panels = (
            (left, "training", "test_error", "error", NETWORKS),
            (right, "features", "accuracy", "accuracy", COLORS),
        )
        for axes, stage, ours, theirs, candidates in panels:
            rows = {name: by_seed(records, stage, name).values() for name in candidates}
            names = [name for name in candidates if rows[name]]
            for position, name in enumerate(names):
                values = [row[ours] for row in rows[name] if row[ours] is not None]
                if values:
                    plots.dots(axes, position, values, COLORS[name])
                if name in printed:
                    plots.paper_mark(axes, position, printed[name][theirs])
            words = [labels[name].replace(" ", "\n") for name in names]
            plots.name_positions(axes, words)
        left.set_title("test error of the network")
        right.set_title("ExtraTrees accuracy of the selected features")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        if left.get_legend_handles_labels()[1]:
            left.legend(loc="best")
        plots.save(figure, path)


def pixels(
    path: Path, image: np.ndarray, records: Records, labels: Mapping[str, str], seed: int
) -> None:
    """The selected pixels of every row on an image; those of one seed, where there are seeds."""
    _, width, channels = image.shape
    chosen = _chosen(records, labels, seed)
    columns = min(4, len(chosen))
    lines = -(-len(chosen) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(2.6 * columns, 2.85 * lines), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (name, features) in zip(grid.flat, chosen.items(), strict=False):
            axes.imshow(image.mean(axis=-1), cmap="gray")
            for pixel in np.unique(np.asarray(features) // channels):
                corner = (pixel % width - 0.5, pixel // width - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, fc=RED, ec="white", lw=0.6, alpha=0.85))
            axes.set_title(f"{labels[name]} ({len(features)})", loc="center")
        figure.suptitle(f"selected pixels on the mean training image, seed {seed}", fontsize=11)
        plots.save(figure, path)


def frequencies(path: Path, width: int, records: Records, labels: Mapping[str, str]) -> None:
    """In what share of the seeds every row selects each feature."""
    rows = {name: list(by_seed(records, "features", name).values()) for name in labels}
    rows = {name: found for name, found in rows.items() if found}
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 0.9 * len(rows) + 1), layout="constrained")
        grid = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, found) in zip(grid, rows.items(), strict=True):
            counts = np.zeros(width)
            for row in found:
                counts[row["features"]] += 1 / len(found)
            axes.bar(np.arange(width), counts, width=1, color=COLORS[name])
            axes.set(ylim=(0, 1), yticks=[0, 1], yticklabels=["0", "1"], xlim=(-0.5, width - 0.5))
            axes.set_ylabel(labels[name].replace(" ", "\n"), rotation=0, ha="right", va="center")
        grid[0].set_title("share of the seeds in which a feature is selected")
        grid[-1].set_xlabel("feature, counted from 0")
        grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        plots.save(figure, path)


def _chosen(records: Records, labels: Mapping[str, str], seed: int) -> dict[str, list[int]]:
    """The features of every row: of the seed, or those that are the same for all."""
    chosen = {}
    for row in records:
        if row["stage"] == "features" and row["seed"] in (seed, None):
            chosen[row["name"]] = row["features"]
    return {name: chosen[name] for name in labels if name in chosen}
