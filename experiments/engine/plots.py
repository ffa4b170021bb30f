"""How figures look, and the marks that more than one of them has.

Only this and the functions that draw a figure use matplotlib.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from keras_uae._files import atomic_write

BLUE, RED, GREY = "#2f6db5", "#c23b4b", "#7a7a7a"
ORANGE, GREEN, LIGHT_GREEN, PURPLE = "#d9772b", "#3f9a6d", "#86bfa3", "#7b5ea7"
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "grid.color": "#eeeeee",
    "legend.frameon": False,
    "savefig.dpi": 140,
    "text.color": "#222222",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}


@contextlib.contextmanager
def canvas(
    path: Path, size: tuple[float, float], *grid: int, **settings: Any
) -> Iterator[tuple[Figure, Any]]:
    """A figure and its axes, `grid` of them, in our style; it is written in the end."""
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.subplots(*grid, **settings)
        save(figure, path)


def dots(axes: Axes, position: int, values: Sequence[float], color: str) -> None:
    """Mean ± std, and the values side by side."""
    mark: dict[str, Any] = {"fmt": "_", "ms": 30, "mew": 2, "lw": 1.6, "capsize": 5}
    axes.errorbar(position, np.mean(values), np.std(values), color=color, **mark)
    offsets = 0.08 * (np.arange(len(values)) - (len(values) - 1) / 2)
    axes.plot(position + offsets, values, "o", ms=6, mec="white", mew=0.8, color=color)


def paper_mark(axes: Axes, position: int, value: float) -> None:
    """The paper's value beside ours, explained once."""
    text = None if axes.get_legend_handles_labels()[1] else "paper"
    mark: dict[str, Any] = {"ms": 8, "mfc": "none", "mec": RED, "mew": 1.6}
    axes.plot(position + 0.3, value, "D", label=text, **mark)


def line(axes: Axes, name: str, value: Any, width: Any, dashes: str, color: str) -> None:
    """A reference to compare with."""
    axes.axhspan(value - width, value + width, color=color, alpha=0.12, lw=0)
    axes.axhline(value, color=color, lw=1.4, ls=dashes, label=name)


def band(
    axes: Axes, places: Sequence[float], points: Sequence[Any], name: str, color: str, marks: str
) -> None:
    """A line of means over `places` in a band of ± std; `points` are figures of a summary."""
    means, widths = (np.array([point[figure] for point in points]) for figure in ("mean", "std"))
    axes.fill_between(places, means - widths, means + widths, color=color, alpha=0.18, lw=0)
    axes.plot(places, means, marks, ms=4, color=color, lw=2, label=name)


def rates_over_epsilon(axes: Axes) -> None:
    """Name the axes of curves of success rates over ε."""
    axes.set(xlabel="ε", ylim=(-0.03, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y")
    legend(axes, "lower right")


def legend(axes: Axes, place: Any) -> None:
    """Explain what is drawn, if there is anything."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc=place)


def curve(axes: Axes, points: Sequence[Any], name: str, color: str) -> None:
    """Success rates over ε: a `summary.curve`."""
    epsilons, rates = ([each[of] for each in points] for of in ("epsilon", "asr"))
    band(axes, epsilons, rates, name, color, "o-")


def name_positions(axes: Axes, names: Sequence[str], **settings: Any) -> None:
    """A column of the figure for each name."""
    axes.set_xticks(range(len(names)), names, **settings)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="y")


class Panel(NamedTuple):
    """Images in rows and columns, each with words below it, those of failures crossed out."""

    title: str
    rows: Sequence[str]
    images: Sequence[np.ndarray]
    words: Sequence[Sequence[str]]
    crossed: Sequence[Sequence[bool]]


def image_grids(path: Path, panels: Sequence[Panel], height: int = 1) -> None:
    """Panels side by side, in `height` lines."""
    width = -(-len(panels) // height)
    rows, columns = len(panels[0].rows), len(panels[0].images[0])
    size = (width * (0.62 * columns + 0.9), height * (0.86 * rows + 0.5))
    with rc_context({**STYLE, "font.size": 8}):
        layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
        figure = Figure(figsize=size, layout=layout)
        parts = figure.subfigures(height, width, squeeze=False)
        for part, panel in zip(parts.flat, panels, strict=False):
            part.suptitle(panel.title, fontsize=11)
            grid = part.subplots(rows, columns, squeeze=False)
            for line, name, *cells in zip(grid, *panel[1:], strict=True):
                line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
                for axes, image, text, cross in zip(line, *cells, strict=True):
                    _show(axes, image, text, cross)
        save(figure, path)


def _show(axes: Axes, image: np.ndarray, text: str, cross: bool) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(text, labelpad=1)
    if cross:
        for ends in ((0, 1), (1, 0)):
            axes.plot((0, 1), ends, color=RED, lw=1.6, transform=axes.transAxes)


def save(figure: Figure, path: Path) -> None:
    """Write all of a picture or nothing."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
