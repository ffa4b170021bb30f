"""Train a selector, and judge what has been selected."""

import time
import warnings
from typing import Any

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments import training
from experiments.attacks import attacked, uaes
from experiments.config import settled
from experiments.feature_selection.baselines import FIXED, SEEDED
from experiments.feature_selection.config import Config, flat
from experiments.job import Job
from keras_uae.evaluation import (
    extra_trees_accuracy,
    linear_reconstruction_error,
    nearest_neighbor_accuracy,
)
from keras_uae.selection import ConcreteFeatureSelector

FORESTS = (0, 1, 2)  # their seeds, the same for every selection


def selector(config: Config, seed: int) -> ConcreteFeatureSelector:
    """The selector of every row that trains one: those of a seed differ in their data only."""
    return ConcreteFeatureSelector.from_preset(
        settled(config.selector),
        settled(config.features),
        epochs=settled(config.epochs),
        # a further try, which takes twice the epochs, would give one row more of them than another
        tryouts=1,
        random_state=seed,
    )


def train(job: Job[Config], seed: int, name: str) -> None:
    """Fit a selector to the originals and what row `name` adds; keep its errors and features."""
    x, label = flat(job.data.x_train), job.label(seed, name)
    if name != "original":
        x = np.concatenate([x, additions(job, seed, name)])
    rows, epochs = len(x), settled(job.config.epochs)
    begin = time.perf_counter()
    with warnings.catch_warnings(), job.progress.stage(label, rows * epochs):
        # it is in the record and in the tables; printed, it would break the bar
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = selector(job.config, seed).fit(x, callbacks=[job.progress.callback(label, rows)])
    seconds = time.perf_counter() - begin
    if name == "original":
        training.save_model(fitted.model_, job.run.path(f"seed-{seed}", "original.keras"))
    test = job.data._replace(x_train=flat(job.data.x_train), x_test=flat(job.data.x_test))
    errors = training.errors(fitted.model_, test)
    job.run.add(
        {"stage": "training", "seed": seed, "name": name},
        **errors,
        features=fitted.indices_.tolist(),
        converged=bool(fitted.converged_),
        mean_max_probability=float(fitted.mean_max_probability_),
        epochs=sum(len(history["loss"]) for history in fitted.history_),
        samples=rows,
        seconds=seconds,
    )
    state = "settled" if fitted.converged_ else "not settled"
    job.progress.say(
        f"{label}: test error {errors['test_error']:.5f}, {fitted.n_unique_} features, {state} "
        f"({seconds:.1f} s)"
    )


def additions(job: Job[Config], seed: int, name: str) -> np.ndarray:
    """The samples that row `name` adds: those of the originals again, or their UAEs."""
    x = flat(attacked(job))
    if name == "duplicate":
        return x
    network = keras.models.load_model(job.run.path(f"seed-{seed}", "original.keras"))
    return uaes(job, seed, name, job.config.attack(network), x, job.config.attack_work()).x


def select(job: Job[Config], seed: int | None, name: str) -> np.ndarray:
    """The features of a row, each once; those of a network are in the record of its training."""
    x, features = flat(job.data.x_train), settled(job.config.features)
    if seed is None:
        return FIXED[name](x, features)
    if name in SEEDED:
        return SEEDED[name](x, features, seed)
    record = job.run.find(stage="training", seed=seed, name=name) or {}
    return np.unique(record["features"])


def judge(job: Job[Config], seed: int | None, name: str, work: int) -> None:
    """What classifiers and a linear map make of the features of a row; kept in a record.

    They learn from the original samples, and see every feature once. `seed` is `None` for rows
    that are the same for all seeds.
    """
    begin, label = time.perf_counter(), job.label(seed, name)
    with job.progress.stage(f"{label} · classifiers", work):
        features = select(job, seed, name)
        data: dict[str, Any] = {"features": features}
        forests = extra_trees_accuracy(*job.data, **data, seeds=FORESTS)
        neighbor = nearest_neighbor_accuracy(*job.data, **data)
        linear = linear_reconstruction_error(job.data.x_train, job.data.x_test, **data)
    job.run.add(
        {"stage": "features", "seed": seed, "name": name},
        features=np.sort(features).tolist(),
        n_unique=len(features),
        accuracy=forests.mean,
        accuracies=list(forests.test),
        neighbor_accuracy=neighbor,
        linear_error=linear,
        seconds=time.perf_counter() - begin,
    )
    job.progress.say(
        f"{label}: ExtraTrees {forests.mean:.2%}, 1-NN {neighbor:.2%}, linear error {linear:.5f}"
    )
