"""What a small-data run does, in which order, and how much work that is."""

import time

import keras
import numpy as np

from experiments import command, training
from experiments.attacks import attack_figures
from experiments.config import settled
from experiments.data import Split
from experiments.job import Job
from experiments.small_data import report, tables
from experiments.small_data.additions import additions, additions_work
from experiments.small_data.config import Config
from experiments.small_data.probe import code_accuracy
from experiments.small_data.rows import Row
from experiments.small_data.settings import SETTINGS
from experiments.small_data.summary import labels, summarize
from experiments.small_data.training import Trainer


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    for seed in settled(job.config.seeds):
        data = job.config.set_of(job.data, seed)
        original = train_original(job, data, seed)
        for name, row in job.config.rows.items():
            if job.run.find(stage="training", seed=seed, name=name):
                job.progress.skip(row_work(job.config, row))
            else:
                retrain(job, data, seed, row, original)
    report.write(job)


def train_original(job: Job[Config], data: Split, seed: int) -> keras.Model:
    """The autoencoder of a set, from the file of an earlier session if it is there."""
    path = job.run.path(f"seed-{seed}", "original.keras")
    work = original_work(job.config)
    if job.run.find(stage="training", seed=seed, name="original"):
        job.progress.skip(work)
        return keras.models.load_model(path)
    begin, trainer = time.perf_counter(), new_trainer(job.config, data, seed)
    label, steps = job.label(seed, "original"), settled(job.config.steps)
    run(job, trainer, data.x_train, data.x_train, steps, label)
    training.save_model(trainer.model, path)
    record(job, data, seed, "original", trainer.model, begin)
    return trainer.model


def retrain(job: Job[Config], data: Split, seed: int, row: Row, original: keras.Model) -> None:
    """A new model, trained on the images of the set and on what `row` adds, round after round.

    It has the initial weights of the original, which is attacked first; in further rounds it is
    attacked itself.
    """
    begin, x, trainer = time.perf_counter(), data.x_train, new_trainer(job.config, data, seed)
    figures = {}
    for place, steps in enumerate(round_steps(job.config, row)):
        attacked = original if place == 0 else trainer.model
        added, success = additions(job, x, seed, row, attacked, place)
        repeated = np.tile(x, (len(added) // len(x), 1, 1, 1))
        if row.kind == "uae" and place == 0:
            figures = attack_figures(repeated, added, success)
        targets = repeated if row.target == "clean" else added
        inputs, targets = np.concatenate([x, added]), np.concatenate([x, targets])
        run(job, trainer, inputs, targets, steps, job.label(seed, row.name))
    record(job, data, seed, row.name, trainer.model, begin, **figures)


def new_trainer(config: Config, data: Split, seed: int) -> Trainer:
    """An untrained model; within a seed all are the same."""
    return Trainer(
        config.recipe,
        data.x_train.shape[1:],
        batch_size=settled(config.batch_size),
        seed=seed,
    )


def run(
    job: Job[Config],
    trainer: Trainer,
    inputs: np.ndarray,
    targets: np.ndarray,
    steps: int,
    label: str,
) -> None:
    """Train for so many steps, with progress."""

    def advance(images: int) -> None:
        job.progress.advance(images, label)

    with job.progress.stage(label, steps * settled(job.config.batch_size)):
        trainer.run(inputs, targets, steps=steps, advance=advance)


def record(
    job: Job[Config],
    data: Split,
    seed: int,
    name: str,
    model: keras.Model,
    begin: float,
    **figures: float | None,
) -> None:
    """Measure a trained model and keep what it is worth."""
    measured = {**training.errors(model, data), "accuracy": code_accuracy(model, data)}
    key = {"stage": "training", "seed": seed, "name": name}
    seconds = time.perf_counter() - begin
    job.run.add(key, **measured, **figures, seconds=seconds)
    error = measured["test_error"]
    outcome = "diverged" if error is None else f"test error {error:.5f}"
    accuracy = f"{measured['accuracy']:.1%} by its code"
    job.progress.say(f"{job.label(seed, name)}: {outcome}, {accuracy} ({seconds:.1f} s)")


def round_steps(config: Config, row: Row) -> list[int]:
    """The training steps of every round: all of them together are those of the duplicates."""
    borders = np.linspace(0, settled(config.retraining_steps), SETTINGS[row.setting].rounds + 1)
    return np.diff(borders.round().astype(int)).tolist()


def original_work(config: Config) -> int:
    """What the first training takes, in the unit of `JobProgress`."""
    return settled(config.steps) * settled(config.batch_size)


def row_work(config: Config, row: Row) -> int:
    """What a row takes for one seed."""
    steps = settled(config.retraining_steps) * settled(config.batch_size)
    return steps + additions_work(config, row)


def total_work(config: Config) -> int:
    """All trainings and attacks of all seeds."""
    rows = sum(row_work(config, row) for row in config.rows.values())
    return len(settled(config.seeds)) * (original_work(config) + rows)


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
