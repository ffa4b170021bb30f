"""The rows of a feature selection run: what selects, what is tabulated, said and drawn of it."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.engine import attacking, plots, verdicts
from experiments.engine import summary as statistics
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, PURPLE
from experiments.engine.summary import Records, Summary, by_seed, known_mean, spread, spreads
from experiments.engine.tables import OUTCOME, SECONDS, Column, Sheet, beside, sheet, written
from keras_uae.selection.linear import greedy_linear_selection


def random_features(x: np.ndarray, features: int, seed: int) -> np.ndarray:
    """K different features, drawn by `seed`."""
    return np.random.default_rng(seed).choice(x.shape[1], features, replace=False)


def greatest_variance(x: np.ndarray, features: int) -> np.ndarray:
    """The K features of greatest variance, of equal ones the first."""
    return np.argsort(-x.var(axis=0, dtype=np.float64), kind="stable")[:features]


def greatest_loadings(x: np.ndarray, features: int) -> np.ndarray:
    """The feature of greatest loading on each of the first K principal components.

    That is method B4 of Jolliffe (Discarding variables in a principal component analysis, Applied
    Statistics 21, 1972): component by component, the feature with the largest coefficient that is
    not chosen yet. The components are those of the covariances: every error counts as it is.
    """
    centered = x - x.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    chosen: list[int] = []
    for loadings in np.abs(vectors.T[::-1])[:features]:
        loadings[chosen] = -1
        chosen.append(int(loadings.argmax()))
    return np.array(chosen)


LASSONET_SAMPLES = 1_000  # it trains again at each of some hundred penalties


def lassonet_features(x: np.ndarray, features: int, seed: int) -> np.ndarray:
    """The K features that LassoNet drops last on its path (Lemhadri et al., 2021), restoring x.

    Its network has K hidden units, its samples are drawn by `seed`, all else is its default.
    """
    import lassonet  # needs PyTorch, and is used only where it is installed

    rows = np.random.default_rng(seed).permutation(len(x))[:LASSONET_SAMPLES]
    some = np.ascontiguousarray(x[rows], np.float32)
    settings = {"hidden_dims": (features,), "random_state": seed, "torch_seed": seed, "verbose": 0}
    network = lassonet.LassoNetRegressor(**settings)
    network.path(some, some)
    importance = np.array(network.feature_importances_.tolist())
    return np.argsort(-importance, kind="stable")[:features]


class Row(NamedTuple):
    """A row of the table: the features of a network, or what selects them without one."""

    label: str
    color: str
    select: Callable[..., np.ndarray] | None = None
    seeded: bool = False  # whether it takes a seed; if not, it is the same for all


ROWS = {
    "original": Row("Original", GREY),
    "duplicate": Row("Duplicate control", LIGHT_GREEN),
    "mine": Row("{uae}", BLUE),
    "published": Row("{uae}, published code", PURPLE),
    "random": Row("Random", ORANGE, random_features, seeded=True),
    "variance": Row("Variance", ORANGE, greatest_variance),
    "pca": Row("PCA loadings", ORANGE, greatest_loadings),
    "greedy": Row("Greedy linear", GREEN, greedy_linear_selection),
    "lassonet": Row("LassoNet", GREEN, lassonet_features, seeded=True),
}
NETWORKS = tuple(name for name, row in ROWS.items() if row.select is None)
# what an attack has in place of the settings of the run
ATTACKS: dict[str, dict[str, Any]] = {"mine": {}, "published": attacking.PUBLISHED}
FIXED = tuple(name for name, row in ROWS.items() if row.select and not row.seeded)
SEEDED = tuple(
    name for name, row in ROWS.items() if row.seeded and (name != "lassonet" or find_spec(name))
)


def labels(config: Any) -> dict[str, str]:
    """How the rows of a run are called."""
    called = attacking.uae_label(config.similarity)
    return {name: row.label.format(uae=called) for name, row in ROWS.items()}


def summarize(records: Records) -> Summary:
    """Rows of the table that are there; of networks, `settled` counts the seeds in which all did.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it, or `None`.
    """
    summary, judged = {}, ("accuracy", "neighbor_accuracy", "linear_error", "n_unique")
    for name in (name for name in ROWS if by_seed(records, "features", name)):
        row = summary[name] = spreads(records, "features", name, *judged)
        if name in NETWORKS:
            row |= statistics.errors(records, name) | statistics.attack(records, name)
            trained = by_seed(records, "training", name).values()
            row["settled"] = sum(each["converged"] for each in trained)
            row["max_probability"] = spread(each["mean_max_probability"] for each in trained)
            row["epochs"] = spread(each["epochs"] for each in trained)
    return statistics.judge(records, summary)


WORTH = (
    Column("ExtraTrees accuracy", "accuracy", ".2%", std=True),
    Column("paper's accuracy", "paper.accuracy", ".2%"),
    Column("1-NN accuracy", "neighbor_accuracy", ".2%"),
    Column("linear error", "linear_error", ".5f"),
    Column("features", "n_unique", ".3g"),
)
DETAILS = (
    Column("ASR", "asr", ".1%"),
    Column("paper's ASR", "paper.asr", ".1%"),
    Column("training error", "train_error", ".5f"),
    Column("settled", lambda row: f"{row['settled']} of {row['seconds']['count']}"),
    *SECONDS,
)


def tables(config: Any, summary: Summary) -> list[Sheet]:
    """Errors of the networks, what the features say, and how it came about."""
    rows = beside(summary, config.printed, labels(config))
    networks = [row for name, row in rows.items() if name in NETWORKS]
    title = f"Reconstruction error on the test samples · {config.features} features of"
    made = "Attack on the training samples, training error, time for one seed"
    return [
        sheet(f"{title} {config.where}", OUTCOME, networks),
        sheet("What the selected features say of the test samples", WORTH, [*rows.values()]),
        sheet(made, DETAILS, networks),
    ]


def sentences(config: Any, summary: Summary) -> list[str]:
    """Errors of the networks and whether all units settled; then whether it takes a network."""
    lines, names = [], labels(config)
    for name, (_, row) in beside(summary, config.printed, names).items():
        if name in NETWORKS:
            text, seeds = verdicts.on_error(row), row["seconds"]["count"]
            if row["settled"] < seeds:
                missing = f"{seeds - row['settled']} of {seeds} seed{'s' * (seeds > 1)}"
                text += f" Not all units settled in {missing}."
            lines.append(f"**{names[name]}**: {text}{verdicts.not_found(row, 'samples')}")
    for called, figure, form, first in (
        ("ExtraTrees accuracy", "accuracy", ".2%", max),
        ("linear error", "linear_error", ".5f", min),
    ):
        values = {name: known_mean(row[figure]) for name, row in summary.items()}
        chosen = (
            first((n for n in values if (n in NETWORKS) == network), key=values.__getitem__)
            for network in (True, False)
        )
        said = (f"{names[n]}, {written(summary[n][figure], form, std=True)}" for n in chosen)
        best = "; without one: ".join(said)
        lines.append(f"Best {called} with a concrete autoencoder: {best}.")
    return lines if config.printed else [*lines, f"The paper has no figures for {config.dataset}."]


def draw_scores(job: Job[Any], path: Path) -> None:
    """Test errors of the networks and accuracies of all selections, with the paper's."""
    with plots.canvas(path, (11, 4.8), 1, 2, width_ratios=(3, 7)) as (_, (left, right)):
        panels = ((left, "training", "test_error"), (right, "features", "accuracy"))
        for axes, stage, value in panels:
            rows = _by_seed(job, stage)
            for position, (name, seeds) in enumerate(rows.items()):
                values = [row[value] for row in seeds.values() if row[value] is not None]
                if values:
                    plots.dots(axes, position, values, ROWS[name].color)
                if name in job.config.printed:
                    theirs = job.config.printed[name][value.removeprefix("test_")]
                    plots.paper_mark(axes, position, theirs)
            plots.name_positions(axes, [job.labels[name].replace(" ", "\n") for name in rows])
        left.set_title("test error of the network")
        right.set_title("ExtraTrees accuracy of the selected features")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        plots.legend(left, "best")


def draw_features(job: Job[Any], path: Path) -> None:
    """The selected pixels for the first seed, or other features over all seeds."""
    draw = _draw_pixels if job.data.x_train.ndim == 4 else _draw_frequencies
    draw(job, path, _by_seed(job, "features"))


def _draw_pixels(job: Job[Any], path: Path, rows: dict[str, Any]) -> None:
    """The selected pixels of every row on an image; those of one seed, where there are seeds."""
    image, seed = job.data.x_train.mean(axis=0), job.config.seeds[0]
    _, width, channels = image.shape
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    size = (2.6 * columns, 2.85 * lines)
    with plots.canvas(path, size, lines, columns, squeeze=False) as (figure, grid):
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (name, seeds) in zip(grid.flat, rows.items(), strict=False):
            chosen = np.array((seeds.get(seed) or seeds[None])["features"])
            axes.imshow(image.mean(axis=-1), cmap="gray")
            mark: Any = {"fc": plots.RED, "ec": "white", "lw": 0.6, "alpha": 0.85}
            for pixel in np.unique(chosen // channels):
                corner = (pixel % width - 0.5, pixel // width - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, **mark))
            axes.set_title(f"{job.labels[name]} ({len(chosen)})", loc="center")
        figure.suptitle(f"selected pixels on the mean training image, seed {seed}", fontsize=11)


def _draw_frequencies(job: Job[Any], path: Path, rows: dict[str, Any]) -> None:
    """In what share of the seeds every row selects each feature."""
    places = np.arange(job.data.x_train.shape[1])
    size, settings = (11, 0.9 * len(rows) + 1), {"sharex": True, "squeeze": False}
    with plots.canvas(path, size, len(rows), 1, **settings) as (_, grid):
        for axes, (name, seeds) in zip(grid.flat, rows.items(), strict=True):
            shares = np.mean([np.isin(places, row["features"]) for row in seeds.values()], axis=0)
            axes.bar(places, shares, width=1, color=ROWS[name].color)
            axes.set(ylim=(0, 1), yticks=(0, 1), xlim=(-0.5, len(places) - 0.5))
            text = job.labels[name].replace(" ", "\n")
            axes.set_ylabel(text, rotation=0, ha="right", va="center")
        grid[0, 0].set_title("share of the seeds in which a feature is selected")
        grid[-1, 0].set_xlabel("feature, counted from 0")
        grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))


def _by_seed(job: Job[Any], stage: str) -> dict[str, dict[Any, Any]]:
    """The records of a stage by row and seed."""
    rows = {name: by_seed(job.run.records, stage, name) for name in job.labels}
    return {name: seeds for name, seeds in rows.items() if seeds}
