"""What a robustness run does, in which order, and how much work that is."""

from functools import partial
from typing import Any

import keras

import keras_uae as uae
from experiments import autoencoders, classifiers, command
from experiments.attacks import uaes
from experiments.config import settled
from experiments.job import Job
from experiments.robustness import report, tables
from experiments.robustness.config import Config
from experiments.robustness.summary import labels, point, summarize


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    config = job.config
    for seed in settled(config.seeds):
        rows = dict.fromkeys(row for row, _ in config.curves)
        found = uaes_of_autoencoder(job, seed) if _needs_uaes(config) else None
        for row in rows:
            model = classifier(job, seed, row, found)
            images = classifiers.attacked(job.data, model, settled(config.attack_size))
            absent = settled(config.attack_size) - len(images.x)
            for method in [method for each, method in config.curves if each == row]:
                steps = config.attack_steps(row, method)
                job.progress.skip(absent * steps * len(settled(config.epsilons)))
                for epsilon in settled(config.epsilons):
                    attack = config.attack(row, method, model, epsilon)
                    place = {"row": row, "method": method, "epsilon": epsilon}
                    name = point(row, method, epsilon)
                    uaes(
                        job,
                        seed,
                        name,
                        attack,
                        images.x,
                        steps,
                        images.y,
                        measure=partial(_place, place),
                    )
    report.write(job)


def classifier(job: Job[Config], seed: int, row: str, found: uae.UAEs | None) -> keras.Model:
    """The classifier of a row: published, of an earlier session, or trained."""
    config = job.config
    if row == "trades" and (published := config.published()) is not None:
        return published
    additions: dict[str, Any] = {"duplicate": job.data.x_train, "uae": found}
    added = additions.get(row.rpartition("-")[2], [])
    settings = {"epochs": config.epochs_of(row), "weight": config.weight_of(row)}
    return classifiers.train(job, seed, row, config.recipe_of(row), added, **settings)


def uaes_of_autoencoder(job: Job[Config], seed: int) -> uae.UAEs:
    """UAEs of the training images for a convolutional autoencoder, the same for all rows."""
    config, x = job.config, job.data.x_train
    epochs = config.autoencoder_epochs
    autoencoder = autoencoders.train(job, seed, "autoencoder", [], epochs=epochs)
    attack = uae.MinMaxAttack(autoencoder, steps=settled(config.steps))
    return uaes(job, seed, "uae", attack, x, attack.steps)


def total_work(config: Config) -> int:
    """Trainings and attacks of all seeds."""
    size, images = settled(config.train_size), settled(config.attack_size)
    work = 0
    for row in dict.fromkeys(row for row, _ in config.curves):
        if row != "trades" or config.weights is None:
            rows = size * (2 if "-" in row else 1)
            work += rows * config.epochs_of(row) * config.weight_of(row)
    for row, method in config.curves:
        work += images * config.attack_steps(row, method) * len(settled(config.epsilons))
    if _needs_uaes(config):
        work += size * (settled(config.autoencoder_epochs) + settled(config.steps))
    return len(settled(config.seeds)) * work


def _place(place: dict[str, Any], found: uae.UAEs) -> dict[str, Any]:
    """What a record says of where on the curves it belongs."""
    del found
    return place


def _needs_uaes(config: Config) -> bool:
    return any(row.endswith("-uae") for row, _ in config.curves)


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
