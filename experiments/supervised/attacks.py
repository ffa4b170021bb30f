"""The attacks of a supervised run, and what is measured of their examples."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_uae as uae
from experiments.attacks import uaes
from experiments.classifiers import Attacked, one_of_each
from experiments.config import settled
from experiments.information import Measure, information, mutual_information
from experiments.job import Job
from experiments.supervised.config import FIGURE_EPSILONS, Config, grid_work
from experiments.supervised.summary import METHODS, grid_row, random_row
from keras_uae.evaluation import (
    extract_features,
    frechet_distance,
    inception_v3,
    kernel_distance,
    penultimate,
)

REFERENCE_SIZE = 1000  # training images from which distances are measured
CHECKPOINTS = 20  # points of Figure 2 that are kept in the records


def compare_methods(job: Job[Config], seed: int, model: keras.Model, images: Attacked) -> None:
    """Table 3 and Figure 2: MinMax and the penalty method with as many iterations."""
    config, (x, y) = job.config, images
    attacks = {"minmax": config.minmax(model), "penalty": config.penalty(model)}
    found = {}
    for name, attack in attacks.items():
        measure = information(model, attack.similarity, x)
        work = settled(config.steps)
        found[name] = uaes(job, seed, name, attack, x, work, y, trace=True, measure=measure)
    key = {"stage": "comparison", "seed": seed, "name": "minmax"}
    if job.run.find(**key) is None:
        begin = time.perf_counter()
        mine = attacks["minmax"].similarity
        again = {name: mutual_information(model, mine, x, found[name].x) for name in METHODS}
        figures = comparison(found["minmax"], found["penalty"], again["minmax"], again["penalty"])
        job.run.add(key, **figures, seconds=time.perf_counter() - begin)


def compare_samplings(job: Job[Config], seed: int, model: keras.Model, images: Attacked) -> None:
    """Tables 2 and 8: the feature maps of the convolution, and K random projections."""
    config, (x, y) = job.config, images
    distances = feature_distances(job, model)
    key = {"stage": "attack", "seed": seed, "name": "clean"}
    if job.run.find(**key) is None:
        begin = time.perf_counter()
        job.run.add(key, **distances(x), seconds=time.perf_counter() - begin)
    steps = settled(config.sampling_steps)
    rows: dict[str, tuple[dict[str, Any], int]] = {"conv": ({}, steps)}
    for count in settled(config.projections):
        work = config.sampling_work(count, steps)
        rows[random_row(count)] = {"similarity": config.random(count)}, work
    for name, (settings, work) in rows.items():
        attack = config.minmax(model, steps=steps, **settings)
        inform = information(model, attack.similarity, x)

        def measure(found: uae.UAEs, inform: Measure = inform) -> dict[str, Any]:
            return {**inform(found), **distances(found.x[found.success])}

        uaes(job, seed, name, attack, x, work, y, measure=measure)


def fill_grids(job: Job[Config], seed: int, model: keras.Model, images: Attacked) -> None:
    """Figures 1, 3 and 4: MinMax and PGD on an image of each class, for every ε."""
    config, steps = job.config, settled(job.config.grid_steps)
    count = settled(config.projections)[-1]
    rows = one_of_each(images, config.grid_size)
    x, y = images.x[rows], images.y[rows]
    job.progress.skip((config.grid_size - len(x)) * grid_work(config))
    for epsilon in dict.fromkeys((*settled(config.epsilons), *FIGURE_EPSILONS)):
        minmax = config.minmax(model, steps=steps, epsilon=epsilon)
        uaes(job, seed, grid_row("minmax", epsilon), minmax, x, steps, y)
    for epsilon in settled(config.epsilons):
        attack = config.pgd(model, epsilon)
        uaes(job, seed, grid_row("pgd", epsilon), attack, x, settled(config.pgd_steps), y)
    for epsilon in FIGURE_EPSILONS:
        settings = {"similarity": config.random(count), "epsilon": epsilon}
        attack = config.minmax(model, steps=settled(config.sampling_steps), **settings)
        work = config.sampling_work(count, attack.steps)
        uaes(job, seed, grid_row("random", epsilon), attack, x, work, y)


def feature_distances(job: Job[Config], model: keras.Model) -> Callable[[np.ndarray], dict]:
    """How far images are from training images: in features of Inception, or of the classifier."""
    config, shape = job.config, job.data.x_train.shape[1:]
    if config.inception is None:
        extractor = penultimate(model)
    else:
        extractor = inception_v3(shape, weights=config.inception)
    reference: list[np.ndarray] = []

    def measure(images: np.ndarray) -> dict[str, Any]:
        if len(images) < 2:
            return {}
        if not reference:
            reference.append(extract_features(extractor, job.data.x_train[:REFERENCE_SIZE]))
        features = extract_features(extractor, images)
        kernel = kernel_distance(reference[0], features)
        frechet = frechet_distance(reference[0], features)
        return {"frechet": frechet, "kernel": kernel.mean, "kernel_std": kernel.std}

    return measure


def comparison(
    minmax: uae.UAEs, penalty: uae.UAEs, minmax_again: np.ndarray, penalty_again: np.ndarray
) -> dict[str, Any]:
    """MinMax and the penalty method image by image, where both succeed.

    `both` is the share of the images in which they do. Of these, `ratio` is the mean mutual
    information of MinMax over that of the penalty method, `higher` the share in which that of
    MinMax is greater, by the attacks' own estimates and, `_again`, by new ones. `best_early`
    and `best` are the means of MinMax after a ninth of the iterations and after all, `curves`
    Figure 2 at some iterations.
    """
    both = minmax.success & penalty.success
    curves = {"minmax": best_so_far(minmax), "penalty": best_so_far(penalty)}
    length = curves["minmax"].shape[1]
    places = np.unique(np.linspace(0, length - 1, CHECKPOINTS + 1).astype(int)[1:])
    figures: dict[str, Any] = {
        "both": float(both.mean()),
        "best_early": _mean(curves["minmax"][:, max(0, length // 9 - 1)]),
        "best": _mean(curves["minmax"][:, -1]),
        "curves": {
            "iteration": (places + 1).tolist(),
            **{
                name: [_mean(values[:, place]) for place in places]
                for name, values in curves.items()
            },
        },
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
    value = np.where(found.trace["criterion"] <= 0, found.trace["similarity"], -np.inf)
    best = np.maximum.accumulate(value, axis=1)
    return np.where(np.isfinite(best), best, np.nan)


def _mean(values: np.ndarray) -> float | None:
    """The mean of those that are there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
