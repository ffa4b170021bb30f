"""The rows of a feature selection run."""

from experiments.attacks import uae_label
from experiments.feature_selection.baselines import FIXED, SEEDED
from experiments.feature_selection.config import Config
from experiments.summary import Records, Summary, attack, by_seed, errors, spread

# name in the files → in tables and figures; the order in which they are shown
LABELS = {
    "original": "Original",
    "duplicate": "Duplicate control",
    "mine": "MINE-UAE",
    "random": "Random",
    "variance": "Variance",
    "pca": "PCA loadings",
    "greedy": "Greedy linear",
    "lassonet": "LassoNet",
}
# rows that train a network, and rows that do not; selections of FIXED are the same for all seeds
NETWORKS = ("original", "duplicate", "mine")
BASELINES = (*SEEDED, *FIXED)


def labels(config: Config) -> dict[str, str]:
    """`LABELS` for a run."""
    return {**LABELS, "mine": uae_label(config.similarity)}


def summarize(records: Records) -> Summary:
    """Rows of the table; only those of which there is something to say.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it, or `None`. Those of the
    networks are there for `NETWORKS` only; `settled` counts the seeds in which all units settled.
    """
    summary = {}
    for name in LABELS:
        selections = by_seed(records, "features", name).values()
        if not selections:
            continue
        figures = {
            figure: spread(row[figure] for row in selections)
            for figure in ("accuracy", "neighbor_accuracy", "linear_error", "n_unique")
        }
        if name in NETWORKS:
            trained = by_seed(records, "training", name).values()
            figures |= {**errors(records, name), **attack(records, name)}
            figures["settled"] = sum(row["converged"] for row in trained)
            figures["max_probability"] = spread(row["mean_max_probability"] for row in trained)
            figures["epochs"] = spread(row["epochs"] for row in trained)
        summary[name] = figures
    return summary
