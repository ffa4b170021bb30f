"""Figures of comparisons and of blind spots, as PNG."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

COLORS = ("#3b6fb6", "#d1742c", "#4b9a5f", "#b0413e")  # of the controls, in order
_GREY = "#888888"


def intervals(summary: Mapping[str, Any]) -> bytes:
    """A PNG: for every row how much better it is than its controls, a panel for each metric."""
    rows = {name: row for name, row in summary["rows"].items() if row["against"]}
    if not rows:
        raise ValueError(
            "A figure of a comparison shows differences to controls. Received: one without arms."
        )
    labels = list(dict.fromkeys(_labels(summary, rows)))
    metrics = summary["headings"]
    height = 0.28 * sum(len(row["against"]) for row in rows.values()) + 1.6
    figure = _figure(5.2 * len(metrics) + 2, height)
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axes, (metric, heading) in zip(panels, metrics.items(), strict=True):
        place, ticks = 0.0, {}
        for row in rows.values():
            first = place
            for control, found in row["against"].items():
                label = summary["rows"][control]["label"]
                _interval(axes, found[metric], summary["decides"], place, labels.index(label))
                place += 1
            ticks[(first + place - 1) / 2] = row["label"]
            place += 0.8
        axes.axvline(0, color=_GREY, lw=1.2, ls="--")
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.invert_yaxis() if axes is panels[0] else None
        axes.set_title(f"{heading}: better by", loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
        if all(
            found[metric]["ratio"] for row in rows.values() for found in row["against"].values()
        ):
            axes.xaxis.set_major_formatter(lambda tick, _: f"{100 * tick:+.3g}%".replace("-", "−"))
    for number, label in enumerate(labels):
        panels[0].plot([], [], "o-", color=COLORS[number % len(COLORS)], label=f"than {label}")
    figure.legend(loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    return _png(figure)


def _labels(summary: Mapping[str, Any], rows: Mapping[str, Any]) -> list[str]:
    controls = [name for row in rows.values() for name in row["against"]]
    return [summary["rows"][name]["label"] for name in controls]


def _interval(axes: Any, found: Mapping[str, Any], decides: str, place: float, number: int) -> None:
    difference = found[decides]
    if difference["mean"] is None:
        return
    color = COLORS[number % len(COLORS)]
    filled = color if found["outcome"] in ("better", "worse") else "white"
    axes.plot([difference["mean"]], [place], "o", color=color, mfc=filled, ms=5.5, zorder=3)
    if difference["low"] is not None:
        axes.plot([difference["low"], difference["high"]], [place, place], color=color, lw=1.8)


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether samples of a shape are shown as pictures: (height, width), with 1 or 3 channels."""
    grid = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))
    return grid and min(shape[:2]) > 1  # a sequence of single values is none


def examples(x: np.ndarray, z: np.ndarray, labels: list[str], low: Any, high: Any) -> bytes:
    """A PNG: samples, their examples, and δ, each with its label."""
    shown = [(each - low) / np.maximum(np.asarray(high) - low, 1e-12) for each in (x, z)]
    delta = shown[1] - shown[0]
    scale = float(np.abs(delta).max()) or 1.0
    lines = {"sample": shown[0], "example": shown[1], "δ": delta}
    figure = _figure(1.1 * len(x) + 0.8, 3.9)
    grid = figure.subplots(len(lines), len(x), squeeze=False)
    for line, (name, images) in zip(grid, lines.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            _picture(axes, image, None if name != "δ" else scale)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axes, label in zip(grid[-1], labels, strict=True):
        axes.set_xlabel(label, fontsize=8)
    return _png(figure)


def features(sizes: np.ndarray, title: str) -> bytes:
    """A PNG: how far each feature is moved; a heat map, or bars of the twenty farthest."""
    if np.squeeze(sizes).ndim > 1:
        flat = sizes.mean(axis=-1) if sizes.ndim == 3 else sizes.reshape(sizes.shape[0], -1)
        figure = _figure(4.6, 3.6)
        axes = figure.subplots()
        shown = axes.imshow(
            flat, cmap="magma", vmin=0, aspect="auto" if sizes.ndim == 2 else "equal"
        )
        figure.colorbar(shown, ax=axes, format="%.2g")
    else:
        sizes = sizes.reshape(-1)
        top = np.argsort(-sizes, kind="stable")[:20]
        figure = _figure(5.2, 0.24 * len(top) + 1)
        axes = figure.subplots()
        axes.barh([f"feature {each}" for each in top], sizes[top], color=COLORS[0])
        axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=10)
    return _png(figure)


def _picture(axes: Any, image: np.ndarray, scale: float | None) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    colour = image.ndim == 3 and image.shape[-1] == 3
    if scale is None:
        axes.imshow(np.squeeze(image), cmap="gray", vmin=0, vmax=1)
    elif colour:  # no colour map: a grey pixel is one that has not changed
        axes.imshow(0.5 + image / (2 * scale))
    else:
        axes.imshow(np.squeeze(image), cmap="RdBu_r", vmin=-scale, vmax=scale)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Figures and pages need matplotlib: pip install 'keras-uae[cli]'."
        ) from error
    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
