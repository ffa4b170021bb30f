"""The rows of a supervised run: what is recorded, tabulated, said and drawn of them."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_uae as uae
from experiments import paper
from experiments.engine import plots
from experiments.engine.classifiers import Attacked, attacked, one_of_each, panel
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, ORANGE
from experiments.engine.summary import Records, by_seed, mean, names, spread, spreads
from experiments.engine.tables import Column, Sheet, beside, sheet
from keras_uae import evaluation

METHODS = ("minmax", "penalty")
FIGURES = ("asr", "l2", "mi", "mi_again", "mi_self", "pairs", "frechet", "kernel", "seconds")
PAIRED = ("both", "ratio", "higher", "ratio_again", "higher_again", "best_early", "best")
REFERENCE_SIZE = 1000  # training images from which distances are measured
CHECKPOINTS = 20  # points of Figure 2 that are kept in the records
CLEAR = 0.05  # difference of two figures that is called one
COLORS = {"minmax": BLUE, "penalty": ORANGE}
FIGURE_EPSILONS = (1.0, 0.03)  # of Figures 1 and 4


def random_row(projections: int) -> str:
    """Name of the row of so many random projections."""
    return f"random-{projections}"


def grid_row(method: str, epsilon: float) -> str:
    """Name of a row of a grid."""
    return f"grid/{method}-{epsilon:g}"


def labels(config: Any) -> dict[str, str]:
    """Names in the files → in tables, in figures and on the bar."""
    texts = {"minmax": "MinMax", "pgd": "PGD", "random": "random sampling"}
    return {
        "classifier": "Classifier",
        "minmax": "MinMax",
        "penalty": f"Penalty, {config.search_steps} × {config.steps // config.search_steps}",
        "clean": "Test images themselves",
        "conv": "First convolution",
        **{random_row(k): f"Random sampling, K = {k}" for k in config.projections},
        **{
            grid_row(method, epsilon): f"grid, {texts[method]}, ε = {epsilon:g}"
            for method, (epsilons, *_) in config.grids.items()
            for epsilon in epsilons
        },
    }


def images_of(job: Job[Any], seed: int | None = None) -> Attacked:
    """The images that are attacked."""
    model, count = job.model("classifier", seed), job.config.attack_size
    return job.once("attacked", lambda: attacked(job.data, model, count), seed)


def comparison(
    minmax: uae.UAEs, penalty: uae.UAEs, minmax_again: np.ndarray, penalty_again: np.ndarray
) -> dict[str, Any]:
    """MinMax and the penalty method image by image; `both` is the share in which both succeed.

    Of these, `ratio` is the mean mutual information of MinMax over that of the penalty method,
    `higher` the share in which that of MinMax is greater, by the attacks' own estimates and,
    `_again`, by new ones. `best_early` and `best` are the means of MinMax after a ninth of the
    iterations and after all, `curves` Figure 2 at some iterations.
    """
    both = minmax.success & penalty.success
    best = {"minmax": best_so_far(minmax), "penalty": best_so_far(penalty)}
    length = best["minmax"].shape[1]
    places = np.unique(np.linspace(0, length - 1, CHECKPOINTS + 1).astype(int)[1:])
    curves = {name: [_mean(each[:, place]) for place in places] for name, each in best.items()}
    figures: dict[str, Any] = {
        "both": float(both.mean()),
        "best_early": _mean(best["minmax"][:, max(0, length // 9 - 1)]),
        "best": _mean(best["minmax"][:, -1]),
        "curves": {"iteration": (places + 1).tolist(), **curves},
    }
    own = minmax.mutual_information, penalty.mutual_information
    for suffix, pair in (("", own), ("_again", (minmax_again, penalty_again))):
        ours, theirs = (each[both] for each in pair)
        above = both.any() and theirs.mean() > 0
        figures[f"ratio{suffix}"] = float(ours.mean() / theirs.mean()) if above else None
        figures[f"higher{suffix}"] = float((ours > theirs).mean()) if both.any() else None
    return figures


def best_so_far(found: uae.UAEs) -> np.ndarray:
    """The greatest mutual information of an example by each iteration, `(n, T)`; NaN before any."""
    # δ₀, the first column, is no example
    criterion, similarity = (found.trace[name][:, 1:] for name in ("criterion", "similarity"))
    value = np.where(criterion <= 0, similarity, -np.inf)
    best = np.maximum.accumulate(value, axis=1)
    return np.where(np.isfinite(best), best, np.nan)


def _mean(values: np.ndarray) -> float | None:
    """The mean of those that are there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def distances(job: Job[Any], images: np.ndarray) -> dict[str, Any]:
    """How far images are from training images: in features of Inception, or of the classifier."""
    if len(images) < 2:
        return {}
    extractor, reference = job.once("reference", lambda: _reference(job))
    features = evaluation.extract_features(extractor, images)
    kernel = evaluation.kernel_distance(reference, features)
    frechet = evaluation.frechet_distance(reference, features)
    std = None if math.isnan(kernel.std) else kernel.std  # NaN is no JSON
    return {"frechet": frechet, "kernel": kernel.mean, "kernel_std": std}


def _reference(job: Job[Any]) -> tuple[keras.Model, np.ndarray]:
    x, weights = job.data.x_train, job.config.inception
    if weights is None:
        network = evaluation.penultimate(job.model("classifier"))
    else:
        network = evaluation.inception_v3(x.shape[1:], weights=weights)
    return network, evaluation.extract_features(network, x[:REFERENCE_SIZE])


def summarize(records: Records) -> dict[str, Any]:
    """Spreads over the seeds: "accuracy" of the classifier, "rows" of `METHODS` and samplings.

    "grids" are the success rates of the grids, "pairs" what the methods come to image by image.
    """
    found = {name: spreads(records, "attack", name, *FIGURES) for name in names(records, "attack")}
    compared = by_seed(records, "comparison", "minmax").values()
    return {
        **spreads(records, "training", "classifier", "accuracy"),
        "rows": {name: row for name, row in found.items() if not name.startswith("grid/")},
        "grids": {name: row["asr"] for name, row in found.items() if name.startswith("grid/")},
        "pairs": {key: spread(row[key] for row in compared) for key in PAIRED},
        "curves": [row["curves"] for row in compared],
    }


INFORMATION = (
    Column("ASR", "asr", ".1%", std=True),
    Column("MI", "mi", ".3f", std=True),
    Column("MI, anew", "mi_again", ".3f", std=True),
    Column("x with x", "mi_self", ".3f"),
    Column("K", "pairs", ".0f"),
)
PRINTED = Column("paper's MI", "paper.mi", ".2f")


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """Table 3: MinMax next to the penalty method; Tables 2 and 8: the samplings."""
    frechet, kernel = ("FID", "KID") if config.inception else ("Fréchet", "kernel")
    methods = (*INFORMATION, Column("L2 of δ", "l2", ".2f"), PRINTED)
    samplings = (
        *INFORMATION,
        Column(frechet, "frechet", std=True),
        Column(kernel, "kernel", std=True),
        PRINTED,
        Column("paper's FID", "paper.frechet", ".2f"),
        Column("paper's KID", "paper.kernel", ".2f"),
    )
    printed = paper.printed("methods", config.dataset) | paper.printed("samplings", config.dataset)
    rows = beside(summary["rows"], printed, labels(config)).items()
    title = f"MinMax and penalty, {config.steps} iterations each, ε = {config.epsilon:g}"
    other = f"What the information is estimated from, {config.sampling_steps} iterations each"
    return [
        sheet(f"{title} · {config.where}", methods, [r for name, r in rows if name in METHODS]),
        sheet(other, samplings, [r for name, r in rows if name not in METHODS]),
    ]


def sentences(config: Any, summary: dict[str, Any]) -> list[str]:
    """What MinMax and penalty come to, and what the samplings do."""
    right = mean(summary["accuracy"])
    lines = [] if right is None else [f"The classifier gets {right:.2%} of test images right."]
    return [*lines, *_methods(config, summary), *_samplings(config, summary["rows"])]


def _methods(config: Any, summary: dict[str, Any]) -> list[str]:
    rows, lines = summary["rows"], []
    pairs = {key: mean(value) for key, value in summary["pairs"].items()}
    printed = {key: row["mi"] for key, row in paper.printed("methods", config.dataset).items()}
    own, anew = pairs["ratio"], pairs["ratio_again"]
    if own is not None and anew is not None:
        theirs = printed and f" (the paper: {printed['minmax'] / printed['penalty']:.2f} times)"
        outcome = "reproduces" if own > 1 + CLEAR else "does not reproduce"
        if anew <= 1 + CLEAR < own:
            outcome += " by the attacks' own estimates, and not by new ones"
        lines.append(
            f"Where both succeed, in {pairs['both']:.0%} of the images, MinMax has {own:.2f} times "
            f"the mutual information of the penalty method by the attacks' own estimates"
            f"{theirs or ''}, and {anew:.2f} times by new ones. The paper's claim that MinMax "
            f"attains a higher mutual information {outcome}."
        )
    for name, text in zip(METHODS, ("MinMax", "the penalty method"), strict=True):
        claimed, again, itself = (mean(rows[name][key]) for key in ("mi", "mi_again", "mi_self"))
        if claimed is not None and itself is not None and claimed > itself:
            lines.append(
                f"The estimates that {text} reports, {claimed:.3f} nats on average, are more than "
                f"the {itself:.3f} of an image and itself: it maximises their errors as well. New "
                f"estimates of its examples say {again:.3f}."
            )
    if (count := mean(rows["minmax"]["pairs"])) is not None:
        bound = f"log {count:.0f} = {math.log(count):.2f} nats"
        text = f"No estimate from {count:.0f} feature maps can be trusted beyond {bound}"
        if printed:
            text += "; the paper prints {penalty:.2f} and {minmax:.2f} nats".format(**printed)
        lines.append(f"{text}.")
    return lines


def _samplings(config: Any, rows: dict[str, Any]) -> list[str]:
    lines = []
    for key, text, claim in (
        ("mi_again", "mutual information", "rises"),
        ("frechet", "Fréchet distance to training images", "falls"),
    ):
        means = [mean(rows.get(random_row(k), {}).get(key)) for k in sorted(config.projections)]
        known = [value for value in means if value is not None]
        if len(known) > 1:
            there = "rises" if known[-1] > known[0] else "falls"
            lines.append(
                f"The {text} {there} with more random projections; in the paper's Table 8 it "
                f"{claim}."
            )
    return lines


def draw_iterations(job: Job[Any], path: Path) -> None:
    """Figure 2: the best mutual information so far, mean ± std over the images with an example."""
    with plots.canvas(path, (10.5, 4.2), 1, 2) as (_, (left, right)):
        for name, color in COLORS.items():
            best = best_so_far(job.uaes(name, job.config.seeds[0]))
            there = ~np.isnan(best)
            shown, steps = there.any(axis=0), np.arange(1, best.shape[1] + 1)
            right.plot(steps, 100 * there.mean(axis=0), color=color, lw=2)
            known = [column[~np.isnan(column)] for column in best[:, shown].T]
            if known:
                points = [{"mean": each.mean(), "std": each.std()} for each in known]
                plots.band(left, steps[shown], points, job.labels[name], color, "-")
        left.set_title("best mutual information so far (nats), mean ± std")
        right.set_title("images with an example so far (%)")
        right.set_ylim(0, 105)
        for axes in (left, right):
            axes.set_xlabel("iteration")
            axes.grid(axis="y")
        plots.legend(left, "best")


def draw_grid(job: Job[Any], path: Path) -> None:
    """Figure 3: PGD and MinMax over ε."""
    panels = {
        text: {f"ε = {each:g}": grid_row(method, each) for each in job.config.epsilons}
        for text, method in (("PGD", "pgd"), ("MinMax", "minmax"))
    }
    _draw_grids(job, path, panels)


def draw_samplings(job: Job[Any], path: Path) -> None:
    """Figures 1 and 4: feature maps and random projections."""
    lines = {
        f"{text}\nε = {epsilon:g}": grid_row(method, epsilon)
        for epsilon in FIGURE_EPSILONS
        for text, method in (("convolution", "minmax"), ("random", "random"))
    }
    _draw_grids(job, path, {"": lines})


def _draw_grids(job: Job[Any], path: Path, panels: dict[str, dict[str, str]]) -> None:
    """Panels by title: the rows by the words before them."""
    seed, images = job.config.seeds[0], images_of(job, job.config.seeds[0])
    model, x = job.model("classifier", seed), images.x[one_of_each(images, job.config.grid_size)]
    drawn = [
        panel(title, model, x, {text: job.uaes(name, seed) for text, name in lines.items()})
        for title, lines in panels.items()
    ]
    plots.image_grids(path, drawn)
