"""Figures of a directory of shards, as numbers and as text."""

from typing import Any

import numpy as np
from rich.table import Table

from keras_uae.cli.streams import shown
from keras_uae.sharding import Shards
from keras_uae.sharding.attack_config import measure_of
from keras_uae.sharding.shards import DONE, MISSING, NORMS

_BINS = 10
_WIDTH = 40
_DISTRIBUTIONS = ("similarity", *NORMS)
_COLUMNS = ("success", "frozen", *_DISTRIBUTIONS)


def figures(shards: Shards) -> dict[str, Any]:
    """Counts, success rate, similarity and sizes of the perturbations, ready for JSON.

    What they are made from is compared with the sums of the archives; all other bytes of a shard
    are the business of `verify`.
    """
    manifest = shards.manifest
    read, unreadable = [], []
    for number in range(manifest.shards):
        state = shards.state(number, whole=False)
        try:
            if state == DONE:
                read.append({name: shards.column(name, [number]) for name in _COLUMNS})
            elif state != MISSING:
                unreadable.append(number)
        except (OSError, ValueError):
            unreadable.append(number)
    values: dict[str, Any] = {
        "samples": manifest.count,
        "sample_shape": list(manifest.sample_shape),
        "shards": manifest.shards,
        "shards_present": len(read),
        "shards_unreadable": unreadable,
        "attack": manifest.attack,
        "measure": measure_of(manifest.attack) or "similarity",
        "seed": manifest.seed,
        "model": manifest.model,
        "environments": list(manifest.environments),
    }
    if read:
        columns = {name: np.concatenate([each[name] for each in read]) for name in _COLUMNS}
        success = columns["success"].astype(bool)
        values["samples_present"] = len(success)
        values["success_rate"] = float(success.mean())
        values["frozen"] = int(columns["frozen"].astype(bool).sum())
        for name in _DISTRIBUTIONS:
            column = columns[name][success].astype(np.float64)
            values[name] = _summary(column[np.isfinite(column)])
    return values


def _summary(values: np.ndarray) -> dict[str, Any] | None:
    if not len(values):
        return None
    counts, edges = np.histogram(values, bins=_BINS)
    quantiles = np.quantile(values, [0.05, 0.5, 0.95])
    return {
        "mean": float(values.mean()),
        **dict(zip(("q05", "median", "q95"), map(float, quantiles), strict=True)),
        "min": float(values.min()),
        "max": float(values.max()),
        "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
    }


def tables(values: dict[str, Any]) -> list[Any]:
    """What `figures` found, for people."""
    overview = Table(show_header=False, box=None)
    overview.add_row("samples", f"{values['samples']:,} of shape {tuple(values['sample_shape'])}")
    overview.add_row("shards", f"{values['shards_present']:,} of {values['shards']:,}")
    if values["shards_unreadable"]:
        overview.add_row("unreadable", ", ".join(map(str, values["shards_unreadable"][:20])))
    attack = values["attack"]
    steps = attack.get("config", {}) if isinstance(attack.get("config"), dict) else {}
    name, count = (shown(each)[:_WIDTH] for each in (attack.get("class_name"), steps.get("steps")))
    overview.add_row("attack", f"{name}, {count} steps")
    if "success_rate" not in values:
        return [overview]
    overview.add_row("success rate", f"{values['success_rate']:.2%}")
    overview.add_row("frozen", f"{values['frozen']:,}")
    sizes = Table(box=None)
    for title in ("of the examples", "mean", "5 %", "median", "95 %", "min", "max"):
        sizes.add_column(title, justify="left" if title == "of the examples" else "right")
    names = {"similarity": values["measure"], "l2_norm": "L2 of δ", "max_norm": "L∞ of δ"}
    for name, title in names.items():
        if values[name]:
            keys = ("mean", "q05", "median", "q95", "min", "max")
            sizes.add_row(title, *(f"{values[name][key]:.4g}" for key in keys))
    return [overview, sizes, *_histogram(values["measure"], values["similarity"])]


def _histogram(title: str, summary: dict[str, Any] | None) -> list[Any]:
    if not summary:
        return []
    table = Table(box=None, title=title, title_justify="left")
    table.add_column("from", justify="right")
    table.add_column("", min_width=_WIDTH)
    table.add_column("", justify="right")
    counts, edges = summary["histogram"]["counts"], summary["histogram"]["edges"]
    for count, edge in zip(counts, edges, strict=False):
        table.add_row(f"{edge:.4g}", "█" * round(_WIDTH * count / max(counts)), f"{count:,}")
    return [table]
