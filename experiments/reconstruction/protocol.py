"""What a reconstruction run does, in which order, and how much work that is."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_uae as uae
import models  # noqa: F401  registers the layers of saved models
from experiments import command, training
from experiments.config import settled
from experiments.job import Job
from experiments.reconstruction import report, tables
from experiments.reconstruction.augmentations import ATTACKS, additions
from experiments.reconstruction.config import Config
from experiments.reconstruction.summary import LABELS, labels, summarize
from experiments.run import Run
from models import get_recipe

AUGMENTATIONS = tuple(name for name in LABELS if name != "original")


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    for seed in settled(job.config.seeds):
        missing = [name for name in AUGMENTATIONS if not is_trained(job.run, seed, name)]
        done = set(AUGMENTATIONS) - set(missing) if missing else LABELS
        job.progress.skip(sum(work(job.config, name) for name in done))
        if missing:
            original = original_model(job, seed)
        for name in missing:
            train(job, seed, name, additions(job, seed, name, original))
    report.write(job)


def original_model(job: Job[Config], seed: int) -> keras.Model:
    """The model trained on the originals alone, from the file of an earlier session if it can."""
    if not is_trained(job.run, seed, "original"):
        return train(job, seed, "original", [])
    job.progress.skip(work(job.config, "original"))
    return keras.models.load_model(job.run.path(f"seed-{seed}", "original.keras"))


def train(job: Job[Config], seed: int, name: str, added: Any) -> keras.Model:
    """A new model, trained from scratch on the originals and `added`; its errors are recorded."""
    config = job.config
    data = uae.UAEAugmentation(
        job.data.x_train,
        added,
        batch_size=settled(config.batch_size),
        target=config.target,
        seed=seed,
    )
    label = job.label(seed, name)
    epochs = config.epochs if name == "original" else config.retraining_epochs
    model, took = training.train(
        get_recipe(config.model),
        data,
        seed=seed,
        epochs=settled(epochs),
        progress=job.progress,
        label=label,
    )
    if name == "original":
        training.save_model(model, job.run.path(f"seed-{seed}", "original.keras"))
    errors = training.errors(model, job.data)
    job.run.add({"stage": "training", "seed": seed, "name": name}, **errors, **took)
    error = errors["test_error"]
    outcome = "diverged" if error is None else f"test error {error:.5f}"
    job.progress.say(f"{label}: {outcome} ({took['seconds']:.1f} s)")
    return model


def is_trained(run: Run, seed: int, name: str) -> bool:
    """Whether the record of a training is there."""
    return run.find(stage="training", seed=seed, name=name) is not None


def work(config: Config, name: str) -> int:
    """What a row takes for one seed, in the unit of `JobProgress`."""
    size, added = settled(config.train_size), settled(config.attack_size)
    if name == "original":
        return settled(config.epochs) * size
    attack = added * config.attack_work(name) if name in ATTACKS else 0
    return settled(config.retraining_epochs) * (size + added) + attack


def total_work(config: Config) -> int:
    """All rows of all seeds, and the report."""
    rows = sum(work(config, name) for name in LABELS)
    return len(settled(config.seeds)) * rows + report.work(config)


EXPERIMENT = command.Experiment(
    config=Config,
    work=total_work,
    perform=perform,
    summarize=summarize,
    labels=labels,
    sheets=tables.sheets,
    legend=tables.LEGEND,
)


def main(args: Sequence[str] | None = None) -> int:
    """Run the experiment as the command line says; returns the exit code."""
    return command.run(EXPERIMENT, args)
