"""The figures of a robustness run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments import plots
from experiments.plots import BLUE, GREEN, GREY, ORANGE, STYLE
from experiments.robustness.config import PARTS
from experiments.robustness.summary import METHODS, ROWS

COLORS = {"duplicate": GREEN, "uae": BLUE, "pgd": ORANGE, "minmax": BLUE}


def curves(path: Path, titles: dict[str, str], found: dict[str, Any]) -> None:
    """Success rate over ε of every part, mean ± std over the seeds."""
    columns = min(2, len(titles))
    lines = -(-len(titles) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(5.6 * columns, 4 * lines), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat[len(titles) :]:
            axes.set_axis_off()
        for axes, (part, title) in zip(grid.flat, titles.items(), strict=False):
            compare = len({row for row, _ in PARTS[part]}) > 1
            for row, method in PARTS[part]:
                points = found.get(row, {}).get(method)
                if not points:
                    continue
                key = row.rpartition("-")[2] if compare else method
                color = COLORS.get(key, GREY)
                name = ROWS[row] if compare else METHODS[method]
                epsilons = [point["epsilon"] for point in points]
                plots.band(axes, epsilons, [each["asr"] for each in points], name, color, "o-")
            axes.set_title(title)
            plots.rates_over_epsilon(axes)
        plots.save(figure, path)


def grid(path: Path, panels: Sequence[plots.Panel]) -> None:
    """Figure 6: examples over ε, two panels to a line."""
    plots.image_grids(path, panels, height=-(-len(panels) // 2))
