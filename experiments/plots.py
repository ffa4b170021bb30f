"""How figures look, and the marks that more than one of them has.

Only this and the modules called `figures` import matplotlib.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_uae.files import atomic_write

BLUE, RED, GREY = "#2f6db5", "#c23b4b", "#7a7a7a"
ORANGE, GREEN, LIGHT_GREEN = "#d9772b", "#3f9a6d", "#86bfa3"
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


def name_positions(axes: Axes, names: Sequence[str], **settings: Any) -> None:
    """A column of the figure for each name."""
    axes.set_xticks(range(len(names)), names, **settings)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="y")


def save(figure: Figure, path: Path) -> None:
    """Write all of a picture or nothing."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
