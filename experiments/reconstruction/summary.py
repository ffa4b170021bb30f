"""The rows of a reconstruction run."""

from experiments.attacks import uae_label
from experiments.reconstruction.config import Config
from experiments.summary import Records, Summary, attack, by_seed, errors

# name in the files → in tables and figures; the order in which they are trained and shown
LABELS = {
    "original": "Original",
    "duplicate": "Duplicate control",
    "mine": "MINE-UAE",
    "l2": "L2-UAE",
    "ga_0.01": "GA σ = 0.01",
    "ga_0.001": "GA σ = 0.001",
}


def labels(config: Config) -> dict[str, str]:
    """`LABELS` for a run."""
    return {**LABELS, "mine": uae_label(config.similarity)}


def summarize(records: Records) -> Summary:
    """Rows of the table, by augmentation; only those of which there is something to say.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it (std as `numpy.std`
    gives it, not divided by count − 1), or `None`.
    """
    summary = {}
    for name in LABELS:
        rows = by_seed(records, "training", name)
        if rows:
            first = next(iter(rows.values()))
            budget = {"samples": first["samples"], "steps": first["steps"]}
            summary[name] = {**errors(records, name), **attack(records, name), **budget}
    return summary
