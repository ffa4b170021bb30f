"""The figures of a feature selection run."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.engine import plots
from experiments.engine.job import Job
from experiments.engine.summary import by_seed
from experiments.feature_selection_rows import ROWS


def scores(job: Job[Any], path: Path) -> None:
    """Test errors of the networks and accuracies of all selections, with the paper's."""
    with plots.canvas(path, (11, 4.8), 1, 2, width_ratios=(3, 7)) as (_, (left, right)):
        panels = ((left, "training", "test_error"), (right, "features", "accuracy"))
        for axes, stage, value in panels:
            rows = found(job, stage)
            for position, (name, seeds) in enumerate(rows.items()):
                values = [row[value] for row in seeds.values() if row[value] is not None]
                if values:
                    plots.dots(axes, position, values, ROWS[name].color)
                if name in job.config.printed:
                    theirs = job.config.printed[name][value.removeprefix("test_")]
                    plots.paper_mark(axes, position, theirs)
            plots.name_positions(axes, [job.labels[name].replace(" ", "\n") for name in rows])
        left.set_title("test error of the network")
        right.set_title("ExtraTrees accuracy of the selected features")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        plots.legend(left, "best")


def features(job: Job[Any], path: Path) -> None:
    """The selected pixels for the first seed, or other features over all seeds."""
    draw = pixels if job.data.x_train.ndim == 4 else frequencies
    draw(job, path, found(job, "features"))


def pixels(job: Job[Any], path: Path, rows: dict[str, Any]) -> None:
    """The selected pixels of every row on an image; those of one seed, where there are seeds."""
    image, seed = job.data.x_train.mean(axis=0), job.config.seeds[0]
    _, width, channels = image.shape
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    size = (2.6 * columns, 2.85 * lines)
    with plots.canvas(path, size, lines, columns, squeeze=False) as (figure, grid):
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (name, seeds) in zip(grid.flat, rows.items(), strict=False):
            chosen = np.array((seeds.get(seed) or seeds[None])["features"])
            axes.imshow(image.mean(axis=-1), cmap="gray")
            mark: Any = {"fc": plots.RED, "ec": "white", "lw": 0.6, "alpha": 0.85}
            for pixel in np.unique(chosen // channels):
                corner = (pixel % width - 0.5, pixel // width - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, **mark))
            axes.set_title(f"{job.labels[name]} ({len(chosen)})", loc="center")
        figure.suptitle(f"selected pixels on the mean training image, seed {seed}", fontsize=11)


def frequencies(job: Job[Any], path: Path, rows: dict[str, Any]) -> None:
    """In what share of the seeds every row selects each feature."""
    places = np.arange(job.data.x_train.shape[1])
    size, settings = (11, 0.9 * len(rows) + 1), {"sharex": True, "squeeze": False}
    with plots.canvas(path, size, len(rows), 1, **settings) as (_, grid):
        for axes, (name, seeds) in zip(grid.flat, rows.items(), strict=True):
            shares = np.mean([np.isin(places, row["features"]) for row in seeds.values()], axis=0)
            axes.bar(places, shares, width=1, color=ROWS[name].color)
            axes.set(ylim=(0, 1), yticks=(0, 1), xlim=(-0.5, len(places) - 0.5))
            text = job.labels[name].replace(" ", "\n")
            axes.set_ylabel(text, rotation=0, ha="right", va="center")
        grid[0, 0].set_title("share of the seeds in which a feature is selected")
        grid[-1, 0].set_xlabel("feature, counted from 0")
        grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))


def found(job: Job[Any], stage: str) -> dict[str, dict[Any, Any]]:
    """The records of a stage by row and seed."""
    rows = {name: by_seed(job.run.records, stage, name) for name in job.labels}
    return {name: seeds for name, seeds in rows.items() if seeds}
