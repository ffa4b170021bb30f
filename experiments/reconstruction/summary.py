"""The rows of a reconstruction run."""

from experiments.attacks import uae_label
from experiments.reconstruction.config import Config
from experiments.reconstruction.rows import ROWS
from experiments.summary import Records, Summary, attack, by_seed, errors


def labels(config: Config) -> dict[str, str]:
    """How the rows of a run are called, in the order of the work."""
    short = short_labels(config)
    return {
        name: f"{short[ROWS[name].base]} {label}" if label.startswith("&") else label
        for name, label in short.items()
    }


def short_labels(config: Config) -> dict[str, str]:
    """The same where a row stands below the one that it builds on."""
    name = uae_label(config.similarity)
    return {row: ROWS[row].label.format(uae=name) for row in config.row_names}


def summarize(records: Records) -> Summary:
    """Rows of the table, by augmentation; only those of which there is something to say.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it (std as `numpy.std`
    gives it, not divided by count − 1), or `None`. A row is compared with its base, as
    `gain_original`, and with its control, as `gain_duplicate`.
    """
    summary = {}
    for name, row in ROWS.items():
        rows = by_seed(records, "training", name)
        if rows:
            first = next(iter(rows.values()))
            budget = {"samples": first["samples"], "steps": first["steps"]}
            control = None if row.adds in ("", "duplicate") else row.control
            base = None if name == "original" else row.base
            figures = errors(records, name, original=base, duplicate=control)
            summary[name] = {**figures, **attack(records, name), **budget}
    return summary
