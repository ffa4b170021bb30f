"""Mean and standard deviation over the seeds, from the records of a reconstruction run."""

from collections.abc import Iterable
from typing import Any

import numpy as np

# name in the files → in tables and figures; the order in which they are trained and shown
LABELS = {
    "original": "Original",
    "duplicate": "Duplicate control",
    "mine": "MINE-UAE",
    "l2": "L2-UAE",
    "ga_0.01": "GA σ = 0.01",
    "ga_0.001": "GA σ = 0.001",
}

CONTROLS = ("original", "duplicate")  # nothing to compare with the duplicate control
# the similarities that MINE estimates
MINE = ("auto", "conv", "random", "bivariate")

Records = list[dict[str, Any]]
Summary = dict[str, dict[str, Any]]


def summarize(records: Records) -> Summary:
    """Rows of the table, by augmentation; only those of which there is something to say.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it (std as `numpy.std`
    gives it, not divided by count − 1), or `None`. `gain_original` and `gain_duplicate` are the
    fractions by which the test error is lower than that of the original model or the duplicate
    control of the same seed; negative where it is higher. `wins` counts the seeds in which it is
    lower than the duplicate's, `diverged` those without a finite error.
    """
    summary = {}
    for name in LABELS:
        rows = by_seed(records, "training", name)
        attacks = by_seed(records, "attack", name)
        if not rows:
            continue
        gains = {
            reference: _gains(rows, by_seed(records, "training", reference))
            for reference in ("original", "duplicate")
        }
        summary[name] = {
            "test_error": spread(row["test_error"] for row in rows.values()),
            "train_error": spread(row["train_error"] for row in rows.values()),
            "gain_original": spread(gains["original"]) if name != "original" else None,
            "gain_duplicate": None if name in CONTROLS else spread(gains["duplicate"]),
            "wins": sum(gain > 0 for gain in gains["duplicate"]),
            "diverged": sum(row["test_error"] is None for row in rows.values()),
            "asr": spread(row.get("asr") for row in attacks.values()),
            "l2": spread(row.get("l2") for row in attacks.values()),
            "seconds": spread(row["seconds"] for row in rows.values()),
            "attack_seconds": spread(row["seconds"] for row in attacks.values()),
            "samples": next(iter(rows.values()))["samples"],
            "steps": next(iter(rows.values()))["steps"],
        }
    return summary


def labels(similarity: str) -> dict[str, str]:
    """`LABELS` for a run whose attack minimises `similarity`."""
    return LABELS if similarity in MINE else {**LABELS, "mine": f"UAE ({similarity})"}


def by_seed(records: Records, stage: str, name: str) -> dict[int, dict[str, Any]]:
    """The records of a stage ("training" or "attack") and an augmentation."""
    return {row["seed"]: row for row in records if (row["stage"], row["name"]) == (stage, name)}


def spread(values: Iterable[float | None]) -> dict[str, float] | None:
    """Mean, standard deviation and count of what is there."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": float(np.mean(known)), "std": float(np.std(known)), "count": len(known)}


def _gains(rows: dict[int, Any], references: dict[int, Any]) -> list[float]:
    """1 − error / error of the reference, for the seeds in which both are finite."""
    pairs = [
        (row["test_error"], references[seed]["test_error"])
        for seed, row in rows.items()
        if seed in references
    ]
    return [1 - error / reference for error, reference in pairs if None not in (error, reference)]
