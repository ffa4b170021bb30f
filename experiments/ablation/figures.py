"""The figure of an ablation run."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from experiments import plots
from experiments.ablation.config import Config
from experiments.ablation.variants import PARTS
from experiments.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, PURPLE, RED, STYLE
from experiments.summary import mean

COLORS = dict(zip(PARTS, (BLUE, RED, GREEN, ORANGE, GREY, LIGHT_GREEN, PURPLE), strict=True))


def attacks(path: Path, config: Config, found: dict[str, Any]) -> None:
    """How far the examples of each attack are from their images, and how often there is one."""
    with rc_context(STYLE):
        figure = Figure(figsize=(10.5, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        drawn: set[str] = set()
        for part, rows in config.chosen.items():
            new = [each.name for each in rows.values() if each.name in found]
            new = [name for name in new if name not in drawn and name != "mine"]
            drawn.update(new)
            mark: dict[str, Any] = {"ls": "", "ms": 7, "mec": "white", "color": COLORS[part]}
            _points(left, right, [found[name] for name in new], part, marker="o", **mark)
        mark = {"ls": "", "ms": 15, "mec": "white", "color": "#222222", "zorder": 3}
        _points(left, right, [found["mine"]], "default", marker="*", **mark)
        left.set_title("mutual information (nats), estimated anew")
        right.set_title("success rate")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        right.set_ylim(-0.03, 1.03)
        for axes in (left, right):
            axes.set_xlabel("L2 of δ")
            axes.grid(axis="y")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
        plots.save(figure, path)


def _points(left: Any, right: Any, rows: list[dict[str, Any]], name: str, **mark: Any) -> None:
    """A mark for each row that has examples."""
    there = [row for row in rows if mean(row["mi_again"]) is not None]
    if there:
        sizes = [mean(row["l2"]) for row in there]
        left.plot(sizes, [mean(row["mi_again"]) for row in there], label=name, **mark)
        right.plot(sizes, [mean(row["asr"]) for row in there], **mark)
