"""The figures of a reconstruction run."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

import keras_uae as uae
from experiments.engine import plots
from experiments.engine.attacking import MINE
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, RED
from experiments.engine.summary import by_seed, gains_over
from experiments.reconstruction_rows import ROWS, followed, shown_seed

# by what a row adds; what is left is conventional augmentation
COLORS = {"mine": BLUE, "l2": ORANGE, "ga_0.01": GREEN, "ga_0.001": LIGHT_GREEN}


def examples(job: Job[Any], path: Path) -> None:
    """Originals, their UAEs, what the model makes of these, and the perturbation."""
    seed, name = shown_seed(job), followed(job.config)
    if seed is None:
        return
    found, model = job.uaes(name, seed), job.model(ROWS[name].base, seed)
    classes = job.data.y_train[: len(found)]
    rows = _choose(classes, found.success, count=8)
    x, z = job.data.x_train[rows], found.x[rows]
    scale = float(np.abs(z - x).max()) or 1.0
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1}
    lines: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "original": (x, grey),
        "UAE": (z, grey),
        "restored\nfrom UAE": (model(z, training=False).numpy(), grey),
        "perturbation": (z - x, {"cmap": "RdBu_r", "vmin": -scale, "vmax": scale}),
    }
    colour = x.shape[-1] == 3
    if colour:  # no colour map: a grey pixel is one that has not changed
        lines["perturbation"] = (0.5 + (z - x) / (2 * scale), {})
    shape = len(lines), len(rows)
    with plots.canvas(path, (1.15 * len(rows) + 1.2, 5.1), *shape, squeeze=False) as (figure, grid):
        for line, (name, (images, settings)) in zip(grid, lines.items(), strict=True):
            for axes, image in zip(line, images, strict=True):
                shown = axes.imshow(image, **settings)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        norms = np.linalg.norm((z - x).reshape(len(x), -1), axis=1)
        for column, (row, norm) in enumerate(zip(rows, norms, strict=True)):
            grid[0, column].set_title(classes[row], loc="center")
            text = f"L2 {norm:.2f}" if found.success[row] else "none found"
            grid[-1, column].set_xlabel(text, fontsize=9.5)
        if not colour:
            marks: dict[str, Any] = {"ticks": [-scale, 0, scale], "format": "%.2g"}
            figure.colorbar(shown, ax=grid[-1, :], fraction=0.02, pad=0.01, **marks)


def trace(job: Job[Any], path: Path) -> None:
    """The attack iteration by iteration: median and the band that holds 80 % of the images."""
    seed, similarity = shown_seed(job), job.config.similarity
    if seed is None:
        return
    traced = job.run.read(job.path("trace.npz", seed), uae.UAEs.load)
    information = similarity in (*MINE, "gaussian")
    panels = {
        "similarity": "mutual information (nats)" if information else f"similarity: {similarity}",
        "criterion": "criterion f (≤ 0 succeeds)",
        "multiplier": "multiplier c",
        "gap": "stationarity gap ‖L(δ, c)‖",
    }
    steps = np.arange(traced.trace["gap"].shape[1])
    finite = ~traced.frozen
    with plots.canvas(path, (10, 6), 2, 2, sharex=True) as (figure, grid):
        for axes, (name, title) in zip(grid.flat, panels.items(), strict=True):
            if finite.any():
                low, middle, high = np.percentile(traced.trace[name][finite], (10, 50, 90), axis=0)
                band = {"color": BLUE, "alpha": 0.18, "lw": 0, "label": "10 to 90 %"}
                axes.fill_between(steps, low, high, **band)
                axes.plot(steps, middle, color=BLUE, lw=2, label="median")
            axes.set_title(title)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y")
            axes.set_xlim(0, max(1, len(steps) - 1))
            if name == "criterion":
                axes.axhline(0, color=GREY, lw=1.2, ls="--")
            elif name in ("multiplier", "gap"):
                axes.set_ylim(bottom=0)
        grid[0, 0].legend(loc="best")
        for axes in grid[1]:
            axes.set_xlabel("iteration")
        title = f"{len(traced)} images, success rate {traced.success_rate:.1%}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)


def errors(job: Job[Any], path: Path) -> None:
    """Test errors with those of the paper, and the gain over the control, seed by seed."""
    records, labels, printed = job.run.records, job.labels, job.config.printed
    values = {name: _errors(records, name) for name in labels}
    names = [n for n in labels if values[n] and ROWS[n].adds not in ("", "duplicate")]
    crowded = len(names) > 4
    size = (11, 5.4 if crowded else 4.6)
    with plots.canvas(path, size, 1, 2) as (figure, (left, right)):
        for position, name in enumerate(names):
            color = COLORS.get(ROWS[name].adds, GREY)
            plots.dots(left, position, values[name], color)
            if gains := gains_over(records, name, ROWS[name].control):
                plots.dots(right, position, [100 * gain for gain in gains], color)
            if name in printed:
                plots.paper_mark(left, position, printed[name]["error"])
        for name, dashes in (("original", ":"), ("duplicate", "--")):
            if values[name]:
                average, width = np.mean(values[name]), np.std(values[name])
                plots.line(left, labels[name].lower(), average, width, dashes, GREY)
        if printed:
            plots.line(left, "original, paper", printed["original"]["error"], 0, ":", RED)
        right.axhline(0, color=GREY, lw=1.4, ls="--")
        left.set_title("test error: mean ± std, a dot for each seed")
        right.set_title("gain over the duplicate of the same seed (%)")
        for axes in (left, right):
            turned = {"rotation": 35, "ha": "right", "fontsize": 9} if crowded else {}
            plots.name_positions(axes, [labels[name] for name in names], **turned)
        if left.get_legend_handles_labels()[1]:
            figure.legend(loc="outside lower left", ncols=4)


def _errors(records: list[dict[str, Any]], name: str) -> list[float]:
    """The finite test errors of an augmentation."""
    errors = (row["test_error"] for row in by_seed(records, "training", name).values())
    return [error for error in errors if error is not None]


def _choose(classes: np.ndarray, success: np.ndarray, count: int) -> np.ndarray:
    """Rows to show, by class: successes of different classes, then others, failures last."""
    ranked = [
        row
        for part in (success, ~success)
        for row in _one_of_each_first(classes, np.flatnonzero(part))
    ]
    return np.array(sorted(ranked[:count], key=lambda row: classes[row]))


def _one_of_each_first(classes: np.ndarray, rows: np.ndarray) -> list[int]:
    _, first = np.unique(classes[rows], return_index=True)
    return [*rows[np.sort(first)], *np.delete(rows, first)]
