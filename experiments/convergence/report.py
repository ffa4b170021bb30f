"""The report of a convergence run: the figure, what it says in words, tables, settings."""

from experiments import report
from experiments.convergence import figures, tables
from experiments.convergence.config import Config
from experiments.convergence.words import sentences
from experiments.job import Job

FIGURES = {"convergence": "Stationarity gap over the iterations, and over T, next to 1/√t"}


def write(job: Job[Config]) -> None:
    """Draw the figure and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    return [
        f"# Convergence of the MinMax attack: {config.dataset}, convolutional autoencoder",
        "Theorem 1 measures how far δ and c are from a solution by L(δ, c) = (δ − P[δ − ∇_δ F], "
        "c − P[c + ∇_c F]), F(δ, c) = c·f⁺(x + δ) + I(x, x + δ), P the projection on what is "
        "allowed. As F is linear in c and c may be as large as it likes, the second part is −f⁺. "
        f"{config.attack_size} images are attacked.",
        report.pictures(job, FIGURES)["convergence"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        *report.sections(tables.sheets(config, summary)),
        tables.LEGEND,
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the figure."""
    figures.convergence(job.run.path("convergence.png"), job.config, job.run.summary["rows"])
