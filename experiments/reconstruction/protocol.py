"""What a reconstruction run does, in which order, and how much work that is."""

from pathlib import Path

import keras
import numpy as np

import keras_uae as uae
import models  # noqa: F401  registers the layers of saved models
from experiments import command, training
from experiments.config import settled
from experiments.job import Job
from experiments.reconstruction import report, tables
from experiments.reconstruction.augmentations import additions
from experiments.reconstruction.config import Config
from experiments.reconstruction.rows import ROWS, chain
from experiments.reconstruction.summary import labels, summarize
from experiments.run import Run


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    for seed in settled(job.config.seeds):
        trained: dict[str, keras.Model] = {}  # those of this seed that are attacked
        for name in job.config.row_names:
            if is_trained(job.run, seed, name):
                job.progress.skip(work(job.config, name))
                continue
            added = []
            if name != "original":
                base = ROWS[name].base
                if base not in trained and base in bases(job.config):
                    trained[base] = keras.models.load_model(model_path(job.run, seed, base))
                added = additions(job, seed, name, trained.get(base))
            model = train(job, seed, name, added)
            if name in bases(job.config):
                trained[name] = model
    report.write(job)


def train(job: Job[Config], seed: int, name: str, added: list[np.ndarray]) -> keras.Model:
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
        config.recipe,
        data,
        seed=seed,
        epochs=settled(epochs),
        progress=job.progress,
        label=label,
    )
    if name in bases(config):
        training.save_model(model, model_path(job.run, seed, name))
    errors = training.errors(model, job.data)
    job.run.add({"stage": "training", "seed": seed, "name": name}, **errors, **took)
    error = errors["test_error"]
    outcome = "diverged" if error is None else f"test error {error:.5f}"
    job.progress.say(f"{label}: {outcome} ({took['seconds']:.1f} s)")
    return model


def bases(config: Config) -> set[str]:
    """The rows whose models are attacked or judge noise, and are kept for that."""
    rows = (ROWS[name] for name in config.row_names)
    return {"original", *(row.base for row in rows if row.attacks)}


def model_path(run: Run, seed: int, name: str) -> Path:
    """Where the model of a row is kept."""
    return run.path(f"seed-{seed}", f"{name}.keras")


def is_trained(run: Run, seed: int, name: str) -> bool:
    """Whether the record of a training is there."""
    return run.find(stage="training", seed=seed, name=name) is not None


def work(config: Config, name: str) -> int:
    """What a row takes for one seed, in the unit of `JobProgress`."""
    size, added = settled(config.train_size), settled(config.attack_size)
    if name == "original":
        return settled(config.epochs) * size
    row = ROWS[name]
    attack = added * config.attack_work(row.adds) if row.attacks else 0
    return settled(config.retraining_epochs) * (size + len(chain(name)) * added) + attack


def total_work(config: Config) -> int:
    """All rows of all seeds, and the report."""
    rows = sum(work(config, name) for name in config.row_names)
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

main = EXPERIMENT.main
