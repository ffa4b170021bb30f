"""The report of an ablation run: tables, what they say in words, the figure, settings."""

from experiments import report
from experiments.ablation import figures, tables
from experiments.ablation.config import Config
from experiments.ablation.words import sentences
from experiments.job import Job

FIGURES = {"attacks": "Mutual information and success rate of every attack over the size of δ"}


def write(job: Job[Config]) -> None:
    """Draw the figure and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    return [
        f"# Ablation of the attack: {config.dataset}, convolutional autoencoder",
        f"An autoencoder is trained on {config.train_size} images. The first {config.attack_size} "
        "of them are attacked, each time with one setting other than the default.",
        tables.LEGEND,
        report.pictures(job, FIGURES)["attacks"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        *report.sections(tables.sheets(config, summary)),
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the figure."""
    found = job.run.summary["attacks"]
    figures.attacks(job.run.path("attacks.png"), job.config, found)
