"""Do UAEs improve reconstruction? Table 4 of the paper, with the controls it does not have.

For every seed: train an autoencoder, find UAEs of its training images, and train anew, from
scratch, on the originals and one augmentation at a time:

    duplicate   the same images once more: as many samples and steps, no perturbation
    mine        MINE-UAE, `MinMaxAttack(model)`
    l2          L2-UAE, the perturbation with the largest reconstruction loss that still succeeds
    ga_0.01     Gaussian noise of σ = 0.01, and of 0.001: ga_0.001

and compare the reconstruction errors on the test images.

    python -m experiments.reconstruction
    python -m experiments.reconstruction --dataset mnist --model dense --preset paper
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
import models  # noqa: F401  registers the layers of saved models
from experiments import command, report, tables, training
from experiments.attacks import AttackConfig
from experiments.augmentations import ATTACKS, additions
from experiments.config import settled
from experiments.datasets import Split
from experiments.job import Job
from experiments.run import Run
from experiments.summary import LABELS, summarize
from models import get_recipe

AUGMENTATIONS = tuple(name for name in LABELS if name != "original")


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve reconstruction? Table 4 of the paper, with a duplicate control."""

    experiment = "reconstruction"

    def complete(self, data: Split) -> Self:
        """As of every attack; and the data must be images, of which the report shows some."""
        if data.x_train.ndim != 4:
            raise ValueError(
                f"`dataset` of {type(self).__name__} must hold images. Received: "
                f"dataset={self.dataset!r} with samples of shape {data.x_train.shape[1:]}."
            )
        return super().complete(data)


def perform(job: Job) -> None:
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


def original_model(job: Job, seed: int) -> keras.Model:
    """The model trained on the originals alone, from the file of an earlier session if it can."""
    if not is_trained(job.run, seed, "original"):
        return train(job, seed, "original", [])
    job.progress.skip(work(job.config, "original"))
    return keras.models.load_model(job.run.path(f"seed-{seed}", "original.keras"))


def train(job: Job, seed: int, name: str, added: Any) -> keras.Model:
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


def work(config: AttackConfig, name: str) -> int:
    """What a row takes for one seed, in the unit of `JobProgress`."""
    size, added = settled(config.train_size), settled(config.attack_size)
    if name == "original":
        return settled(config.epochs) * size
    attack = added * config.attack_work(name) if name in ATTACKS else 0
    return settled(config.retraining_epochs) * (size + added) + attack


def total_work(config: AttackConfig) -> int:
    """All rows of all seeds, and the report."""
    rows = sum(work(config, name) for name in LABELS)
    return len(settled(config.seeds)) * rows + report.work(config)


EXPERIMENT = command.Experiment(Config, total_work, perform, summarize, tables.show)


def main(args: Sequence[str] | None = None) -> int:
    """Run the experiment as the command line says; returns the exit code."""
    return command.run(EXPERIMENT, args)


if __name__ == "__main__":
    sys.exit(main())
