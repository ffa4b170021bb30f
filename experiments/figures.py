"""The figures of a reconstruction run. Nothing else imports matplotlib."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import keras_uae as uae
from experiments.summary import LABELS, MINE, by_seed, labels

STYLE = {
    "font.size": 11,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "text.color": "#222222",
    "legend.frameon": False,
    "savefig.facecolor": "white",
}
BLUE, ORANGE, RED, GREY = "#2f6db5", "#d9772b", "#c23b4b", "#7a7a7a"
COLORS = {"mine": BLUE, "l2": ORANGE, "ga_0.01": "#3f9a6d", "ga_0.001": "#86bfa3"}
DPI = 140


def examples(
    path: Path, model: keras.Model, x: np.ndarray, classes: np.ndarray, found: uae.UAEs
) -> None:
    """Originals, their UAEs, what the model makes of these, and the perturbation."""
    rows = _choose(classes, found.success, count=8)
    z = found.x[rows]
    delta = z - x[rows]
    restored = model(z, training=False).numpy()
    scale = float(np.abs(delta).max()) or 1.0
    lines = [
        ("original", x[rows], {"vmin": 0, "vmax": 1, "cmap": "gray"}),
        ("UAE", z, {"vmin": 0, "vmax": 1, "cmap": "gray"}),
        ("restored\nfrom UAE", restored, {"vmin": 0, "vmax": 1, "cmap": "gray"}),
        ("perturbation", delta, {"vmin": -scale, "vmax": scale, "cmap": "RdBu_r"}),
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(1.15 * len(rows) + 1.2, 5.1), layout="constrained")
        grid = figure.subplots(len(lines), len(rows), squeeze=False)
        for axes_row, (name, images, settings) in zip(grid, lines, strict=True):
            for axes, image in zip(axes_row, images, strict=True):
                if name == "perturbation" and image.shape[-1] == 3:  # in colour: grey is none
                    image = 0.5 + image / (2 * scale)
                shown = axes.imshow(np.clip(image, settings["vmin"], settings["vmax"]), **settings)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        for axes, row in zip(grid[0], rows, strict=True):
            axes.set_title(f"{classes[row]}", loc="center")
        for axes, row in zip(grid[-1], rows, strict=True):
            norm = np.linalg.norm(found.x[row] - x[row])
            axes.set_xlabel(f"L2 {norm:.2f}" if found.success[row] else "none found", fontsize=9)
        if x.shape[-1] == 1:
            figure.colorbar(
                shown,
                ax=grid[-1, :],
                fraction=0.02,
                pad=0.01,
                ticks=[-scale, 0, scale],
                format="%.2g",
            )
        _save(figure, path)


def trace(path: Path, traced: uae.UAEs, similarity: str) -> None:
    """The attack iteration by iteration: median and the band that holds 80 % of the images."""
    panels = {
        "similarity": "mutual information (nats)"
        if similarity in (*MINE, "gaussian")
        else similarity,
        "criterion": "criterion f (≤ 0 succeeds)",
        "multiplier": "multiplier c",
        "gap": "stationarity gap ‖L(δ, c)‖",
    }
    steps = np.arange(1, traced.trace["gap"].shape[1] + 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 6), layout="constrained")
        for axes, (name, title) in zip(
            figure.subplots(2, 2, sharex=True).flat, panels.items(), strict=True
        ):
            values = np.where(np.isfinite(traced.trace[name]), traced.trace[name], np.nan)
            low, middle, high = np.nanpercentile(values, (10, 50, 90), axis=0)
            axes.fill_between(steps, low, high, color=BLUE, alpha=0.18, lw=0, label="10 to 90 %")
            axes.plot(steps, middle, color=BLUE, lw=2, label="median")
            axes.set_title(title)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color="#eeeeee")
            axes.set_xlim(1, max(2, len(steps)))
            if name == "criterion":
                axes.axhline(0, color=GREY, lw=1, ls="--")
            else:
                axes.set_ylim(bottom=0)
        figure.axes[0].legend()
        for axes in figure.axes[2:]:
            axes.set_xlabel("iteration")
        figure.suptitle(
            f"{len(traced)} images, success rate {traced.success_rate:.1%}", x=0.01, ha="left"
        )
        _save(figure, path)


def errors(
    path: Path, records: list[dict[str, Any]], similarity: str, printed: Mapping[str, Any]
) -> None:
    """Test errors with those of the paper, and their difference to the duplicate, seed by seed."""
    values = {name: _errors(records, name) for name in LABELS}
    names = [name for name in COLORS if values[name]]
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, dashes in (("original", ":"), ("duplicate", "--")):
            if values[name]:
                _reference(left, LABELS[name], list(values[name].values()), dashes)
        if printed:
            left.axhline(printed["original"]["error"], color=RED, lw=1.2, ls=":")
            place = {name: printed[name]["error"] for name in names if name in printed}
            at = [names.index(name) for name in place]
            left.plot(at, list(place.values()), "D", ms=8, mfc="none", mec=RED, mew=1.6)
            marks = [
                Line2D([], [], color=RED, ls=":"),
                Line2D([], [], color=RED, marker="D", ls="", mfc="none"),
            ]
            left.legend(marks, ["original, paper", "paper"], loc="best")
        for place, name in enumerate(names):
            _dots(left, place, list(values[name].values()), COLORS[name])
            change = [
                100 * (error / values["duplicate"][seed] - 1)
                for seed, error in values[name].items()
                if seed in values["duplicate"]
            ]
            if change:
                _dots(right, place, change, COLORS[name])
        right.axhline(0, color=GREY, lw=1.2, ls="--")
        left.set_title("test error, mean ± std, a dot for each seed")
        right.set_title("difference to the duplicate of the same seed (%)")
        for axes in (left, right):
            axes.set_xticks(range(len(names)), [labels(similarity)[name] for name in names])
            axes.set_xlim(-0.6, len(names) - 0.4)
            axes.grid(axis="y", color="#eeeeee")
            axes.set_axisbelow(True)
        _save(figure, path)


def _errors(records: list[dict[str, Any]], name: str) -> dict[int, float]:
    """The finite test errors of an augmentation by seed."""
    rows = by_seed(records, "training", name)
    return {s: row["test_error"] for s, row in rows.items() if row["test_error"] is not None}


def _dots(axes: Axes, place: int, values: list[float], color: str) -> None:
    offsets = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1)
    bar = {"fmt": "_", "ms": 30, "mew": 2, "lw": 1.6, "capsize": 5}
    axes.errorbar(place, np.mean(values), np.std(values), color=color, **bar)
    axes.plot(place + offsets, values, "o", ms=6, mec="white", mew=0.8, color=color)


def _reference(axes: Axes, name: str, values: list[float], dashes: str) -> None:
    middle, width = float(np.mean(values)), float(np.std(values))
    axes.axhspan(middle - width, middle + width, color=GREY, alpha=0.12, lw=0)
    axes.axhline(middle, color=GREY, lw=1.4, ls=dashes)
    axes.annotate(
        name.lower(),
        (1, middle),
        (-2, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=9.5,
        color=GREY,
    )


def _choose(classes: np.ndarray, success: np.ndarray, count: int) -> np.ndarray:
    """Rows to show: successes of different classes first, then other successes, then the rest."""
    order = np.argsort(~success, kind="stable")
    first = {}
    for row in order:
        first.setdefault((not success[row], classes[row]), row)
    chosen = [*first.values(), *order]
    chosen = sorted(dict.fromkeys(chosen), key=lambda row: (not success[row],))[:count]
    return np.array(sorted(chosen, key=lambda row: classes[row]))


def _save(figure: Figure, path: Path) -> None:
    temporary = path.with_suffix(".part.png")
    figure.savefig(temporary, dpi=DPI)
    temporary.replace(path)
