"""What a contrastive run does, in which order, and how much work that is."""

from functools import partial
from typing import Any

import keras

import keras_uae as uae
from experiments import classifiers, command
from experiments.attacks import uaes
from experiments.config import settled
from experiments.contrastive import report, tables
from experiments.contrastive.augmentations import additions, examples
from experiments.contrastive.config import Config
from experiments.contrastive.summary import ATTACKED, LABELS, RETRAINED, labels, point, summarize
from experiments.contrastive.training import kept
from experiments.job import Job


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    for seed in settled(job.config.seeds):
        kept(job, seed, "untrained", [])
        original = kept(job, seed, "original", [])
        found = examples(job, seed, original)
        for name in RETRAINED:
            kept(job, seed, name, additions(job, seed, name, original, found))
        for name in ATTACKED:
            attack_classifier(job, seed, name)
    report.write(job)


def attack_classifier(job: Job[Config], seed: int, name: str) -> None:
    """PGD over ε on the linear classifier of a row, which sees the images through its encoder."""
    config, count = job.config, settled(job.config.pgd_size)
    path = job.run.path(f"seed-{seed}", f"{name}-classifier.keras")
    classifier = keras.models.load_model(path)
    images = classifiers.attacked(job.data, classifier, count)
    steps = settled(config.pgd_steps)
    for epsilon in settled(config.epsilons):
        job.progress.skip((count - len(images.x)) * steps)
        attack = config.pgd(classifier, epsilon)
        measure = partial(_place, {"row": name, "epsilon": epsilon})
        piece = point(name, epsilon)
        uaes(job, seed, piece, attack, images.x, steps, images.y, measure=measure)


def total_work(config: Config) -> int:
    """Trainings and attacks of all seeds."""
    trainings = sum(config.epochs_of(name) * config.epoch_work(name) for name in LABELS)
    pgd = settled(config.pgd_size) * settled(config.pgd_steps) * len(settled(config.epsilons))
    attack = settled(config.attack_size) * config.attack_work()
    return len(settled(config.seeds)) * (trainings + attack + len(ATTACKED) * pgd)


def _place(place: dict[str, Any], found: uae.UAEs) -> dict[str, Any]:
    """What a record says of where on the curves it belongs."""
    del found
    return place


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
