"""The figures of a supervised run, those of the first seed."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.engine import plots
from experiments.engine.classifiers import Attacked, attacked, one_of_each, panel
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, ORANGE
from experiments.engine.report import Figure
from experiments.supervised_rows import best_so_far, grid_row

COLORS = {"minmax": BLUE, "penalty": ORANGE}
FIGURE_EPSILONS = (1.0, 0.03)  # of Figures 1 and 4


def images_of(job: Job[Any], seed: int | None = None) -> Attacked:
    """The images that are attacked."""
    model, count = job.model("classifier", seed), job.config.attack_size
    return job.once("attacked", lambda: attacked(job.data, model, count), seed)


def iterations(job: Job[Any], path: Path) -> None:
    """Figure 2: the best mutual information so far, mean ± std over the images with an example."""
    with plots.canvas(path, (10.5, 4.2), 1, 2) as (_, (left, right)):
        for name, color in COLORS.items():
            best = best_so_far(job.uaes(name, job.config.seeds[0]))
            there = ~np.isnan(best)
            shown, steps = there.any(axis=0), np.arange(1, best.shape[1] + 1)
            right.plot(steps, 100 * there.mean(axis=0), color=color, lw=2)
            known = [column[~np.isnan(column)] for column in best[:, shown].T]
            if known:
                points = [{"mean": each.mean(), "std": each.std()} for each in known]
                plots.band(left, steps[shown], points, job.labels[name], color, "-")
        left.set_title("best mutual information so far (nats), mean ± std")
        right.set_title("images with an example so far (%)")
        right.set_ylim(0, 105)
        for axes in (left, right):
            axes.set_xlabel("iteration")
            axes.grid(axis="y")
        plots.legend(left, "best")


def grid(job: Job[Any], path: Path) -> None:
    """Figure 3: PGD and MinMax over ε."""
    panels = {
        text: {f"ε = {each:g}": grid_row(method, each) for each in job.config.epsilons}
        for text, method in (("PGD", "pgd"), ("MinMax", "minmax"))
    }
    _grids(job, path, panels)


def samplings(job: Job[Any], path: Path) -> None:
    """Figures 1 and 4: feature maps and random projections."""
    lines = {
        f"{text}\nε = {epsilon:g}": grid_row(method, epsilon)
        for epsilon in FIGURE_EPSILONS
        for text, method in (("convolution", "minmax"), ("random", "random"))
    }
    _grids(job, path, {"": lines})


def _grids(job: Job[Any], path: Path, panels: dict[str, dict[str, str]]) -> None:
    """Panels by title: the rows by the words before them."""
    seed, images = job.config.seeds[0], images_of(job, job.config.seeds[0])
    model, x = job.model("classifier", seed), images.x[one_of_each(images, job.config.grid_size)]
    drawn = [
        panel(title, model, x, {text: job.uaes(name, seed) for text, name in lines.items()})
        for title, lines in panels.items()
    ]
    plots.image_grids(path, drawn)


FIGURES = {
    "iterations": Figure("Best mutual information so far by iteration (Figure 2)", iterations),
    "grid": Figure("Examples over ε, with their classes, failures crossed out (Figure 3)", grid),
    "samplings": Figure("Examples from feature maps and random projections (1 and 4)", samplings),
}
