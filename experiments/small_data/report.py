"""The report of a small-data run: tables, what they say in words, the figure, settings."""

from experiments import report
from experiments.job import Job
from experiments.small_data import figures, tables
from experiments.small_data.config import Config
from experiments.small_data.words import sentences

FIGURES = {"gains": "UAEs next to noise of the same size, with 95 % confidence intervals"}


def write(job: Job[Config]) -> None:
    """Draw the figure and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    return [
        f"# Small data: {config.dataset}, {config.model} autoencoder",
        f"Each of {len(config.seeds or ())} sets has {config.train_size} training images of its "
        f"own. An autoencoder is trained on them for {config.steps} steps, and again from scratch "
        f"on them and their additions for {config.retraining_steps}. Noise has the L2 norm of the "
        "UAE of the same image.",
        "## What it says",
        report.bullets(sentences(config, summary)),
        report.pictures(job, FIGURES)["gains"],
        *report.sections(tables.sheets(config, summary)),
        tables.LEGEND,
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the figure."""
    figures.gains(job.run.path("gains.png"), job.config, job.run.summary)
