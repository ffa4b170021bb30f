"""The rows of a supervised run."""

from typing import Any

from experiments.config import settled
from experiments.summary import Records, by_seed, spread
from experiments.supervised.config import FIGURE_EPSILONS, Config

METHODS = ("minmax", "penalty")
FIGURES = ("asr", "l2", "mi", "mi_again", "mi_self", "pairs", "frechet", "kernel", "seconds")
PAIRED = ("both", "ratio", "higher", "ratio_again", "higher_again", "best_early", "best")


def labels(config: Config) -> dict[str, str]:
    """Names in the files → in tables, in figures and on the bar."""
    searches = f"{config.search_steps} × {settled(config.steps) // config.search_steps}"
    names = {
        "classifier": "Classifier",
        "minmax": "MinMax",
        "penalty": f"Penalty, {searches}",
        "clean": "Test images themselves",
        "conv": "First convolution",
    }
    for count in settled(config.projections):
        names[random_row(count)] = f"Random sampling, K = {count}"
    for method, text in (("minmax", "MinMax"), ("pgd", "PGD"), ("random", "random sampling")):
        for epsilon in (*settled(config.epsilons), *FIGURE_EPSILONS):
            names[grid_row(method, epsilon)] = f"grid, {text}, ε = {epsilon:g}"
    return names


def random_row(projections: int) -> str:
    """Name of the row of so many random projections."""
    return f"random-{projections}"


def grid_row(method: str, epsilon: float) -> str:
    """Name of a row of a grid."""
    return f"grid/{method}-{epsilon:g}"


def summarize(records: Records) -> dict[str, Any]:
    """Figures of the rows as `{"mean", "std", "count"}` over the seeds that have them, or `None`.

    "accuracy" is that of the classifier; "rows" are those of `METHODS` and of the samplings, in the
    order in which they were attacked; "grids" the success rates of the grids; "pairs" what the
    methods come to image by image, see `comparison`.
    """
    names = dict.fromkeys(row["name"] for row in records if row["stage"] == "attack")
    rows, grids = {}, {}
    for name in names:
        found = by_seed(records, "attack", name).values()
        if name.startswith("grid/"):
            grids[name] = spread(row.get("asr") for row in found)
        else:
            rows[name] = {key: spread(row.get(key) for row in found) for key in FIGURES}
    trained = by_seed(records, "training", "classifier").values()
    compared = by_seed(records, "comparison", "minmax").values()
    return {
        "accuracy": spread(row["accuracy"] for row in trained),
        "rows": rows,
        "grids": grids,
        "pairs": {key: spread(row[key] for row in compared) for key in PAIRED},
        "curves": [row["curves"] for row in compared],
    }
