"""What a feature selection run does, in which order, and how much work that is."""

from collections.abc import Iterator

import models  # noqa: F401  registers the layers of saved models
from experiments import command
from experiments.config import settled
from experiments.feature_selection import report, tables
from experiments.feature_selection.baselines import FIXED, SEEDED
from experiments.feature_selection.config import Config
from experiments.feature_selection.selection import judge, train
from experiments.feature_selection.summary import NETWORKS, labels, summarize
from experiments.job import Job

# Three forests and a look at all neighbours, in training samples of a network for each sample
JUDGING_WORK = 10


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    for stage, seed, name in pieces(job.config):
        amount = work(job.config, stage, name)
        if job.run.find(stage=stage, seed=seed, name=name):
            job.progress.skip(amount)
        elif stage == "features":
            judge(job, seed, name, amount)
        elif seed is not None:
            train(job, seed, name)
    report.write(job)


def pieces(config: Config) -> Iterator[tuple[str, int | None, str]]:
    """Stage, seed and row of all that is to be done; no seed where it is the same for all."""
    for name in FIXED:
        yield "features", None, name
    for seed in settled(config.seeds):
        for name in NETWORKS:
            yield "training", seed, name
            yield "features", seed, name
        for name in SEEDED:
            yield "features", seed, name


def work(config: Config, stage: str, name: str) -> int:
    """What a piece takes, in the unit of `JobProgress`."""
    size, added = settled(config.train_size), settled(config.attack_size)
    if stage == "features":
        return size * JUDGING_WORK
    rows = size if name == "original" else size + added
    attack = added * config.attack_work() if name == "mine" else 0
    return settled(config.epochs) * rows + attack


def total_work(config: Config) -> int:
    """All pieces."""
    return sum(work(config, stage, name) for stage, _, name in pieces(config))


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
