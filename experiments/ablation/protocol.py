"""What an ablation run does, in which order, and how much work that is."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_uae as uae
from experiments import autoencoders, command
from experiments.ablation import report, tables
from experiments.ablation.config import Config
from experiments.ablation.summary import labels, summarize
from experiments.ablation.times import time_methods, timing_work
from experiments.ablation.variants import Variant
from experiments.attacks import attacked, uaes
from experiments.config import settled
from experiments.information import information
from experiments.job import Job
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    config = job.config
    for seed in settled(config.seeds):
        model = autoencoders.train(job, seed, "original", [], epochs=config.epochs)
        attacks = {name: config.attack(each, model) for name, each in config.variants.items()}
        attack_all(job, seed, model, attacks)
        if seed == settled(config.seeds)[0]:  # while their graphs are there
            time_methods(job, seed, attacks)
        retrain_all(job, seed)
    report.write(job)


def attack_all(job: Job[Config], seed: int, model: keras.Model, attacks: dict[str, Attack]) -> None:
    """The examples of every attack, and what they are worth by one measure for all."""
    x = attacked(job)
    measure = measures(model, x)
    for name, attack in attacks.items():
        work = attack_work(job.config.variants[name], job.config)
        uaes(job, seed, name, attack, x, work, measure=measure)


def measures(model: keras.Model, x: np.ndarray) -> Callable[[uae.UAEs], dict[str, Any]]:
    """Mutual information, estimated anew, and how much better an image is restored."""
    inform = information(model, MINE(), x)
    criterion = uae.Reconstruction(model)

    def measure(found: uae.UAEs) -> dict[str, Any]:
        figures = inform(found)
        rows = found.success
        if rows.any():
            change = uae.criterion_values(criterion, x[rows], found.x[rows])
            figures["better"] = -float(change.mean())
        return figures

    return measure


def retrain_all(job: Job[Config], seed: int) -> None:
    """The autoencoder trained again on the examples, as in the paper, and on duplicates."""
    for name in retrained(job.config):
        if name == "duplicate":
            added = attacked(job)
        else:
            added = uae.UAEs.load(job.run.path(f"seed-{seed}", f"{name}_uae.npz")).x
        autoencoders.train(job, seed, name, added, epochs=job.config.retraining_epochs)


def retrained(config: Config) -> list[str]:
    """The trainings of a run but the first."""
    return ["duplicate", *config.retrained] if config.retrained else []


def attack_work(variant: Variant, config: Config) -> int:
    """What attacking one image takes, in the unit of `JobProgress`."""
    return variant.work * settled(config.steps)


def total_work(config: Config) -> int:
    """Trainings and attacks of all seeds, and the timing."""
    size, images = settled(config.train_size), settled(config.attack_size)
    work = size * settled(config.epochs)
    work += sum(images * attack_work(each, config) for each in config.variants.values())
    work += len(retrained(config)) * (size + images) * settled(config.retraining_epochs)
    return len(settled(config.seeds)) * work + timing_work(config)


EXPERIMENT = command.Experiment(
    config=Config,
    work=total_work,
    perform=perform,
    summarize=summarize,
    labels=labels,
    sheets=tables.sheets,
    legend=tables.LEGEND,
)

main = EXPERIMENT.main
