"""What a convergence run does, in which order, and how much work that is."""

from typing import Any

import keras_uae as uae
from experiments import autoencoders, command
from experiments.attacks import attack_work, attacked, uaes
from experiments.config import settled
from experiments.convergence import report, tables
from experiments.convergence.config import Config
from experiments.convergence.curves import curve
from experiments.convergence.summary import labels, summarize
from experiments.job import Job


def perform(job: Job[Config]) -> None:
    """The protocol, as far as an earlier session has not done it."""
    config, x = job.config, attacked(job)
    for seed in settled(config.seeds):
        model = autoencoders.train(job, seed, "original", [], epochs=config.epochs)
        for name, (alpha, steps) in config.runs.items():
            attack = config.attack(model, alpha, steps)
            work = attack_work(config.similarity, steps)
            uaes(job, seed, name, attack, x, work, trace=True, measure=gap_curve)
    report.write(job)


def gap_curve(found: uae.UAEs) -> dict[str, Any]:
    """The curve of the images whose values were finite to the end."""
    finite = ~found.frozen
    return {"curve": curve(found.trace["gap"][finite])} if finite.any() else {}


def total_work(config: Config) -> int:
    """Training and attacks of all seeds."""
    training = settled(config.epochs) * settled(config.train_size)
    attacks = sum(attack_work(config.similarity, steps) for _, steps in config.runs.values())
    return len(settled(config.seeds)) * (training + settled(config.attack_size) * attacks)


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
