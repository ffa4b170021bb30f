"""The report of a feature selection run: tables, what they say in words, figures, settings."""

from experiments import paper, report
from experiments.config import settled
from experiments.feature_selection import figures, tables
from experiments.feature_selection.config import Config
from experiments.feature_selection.words import sentences
from experiments.job import Job
from experiments.tables import markdown


def write(job: Job[Config]) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    outcome, features, details = tables.sheets(config, summary)
    shown = report.pictures(job, FIGURES)
    return [
        f"# Feature selection: {config.features} features of {config.dataset}",
        f"A concrete autoencoder that selects {config.features} features is trained on "
        f"{config.train_size} samples, then anew, with the same seed, on these and "
        f"{config.attack_size} more: UAEs of the first network, or, as the control, the samples as "
        "they are. These two see the same number of samples in the same number of steps: what the "
        "perturbation itself brings is the difference between them. The other rows select without "
        "a network.",
        markdown(outcome),
        shown["scores"],
        "## What the features are worth",
        markdown(features),
        tables.LEGEND,
        shown["features"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        "## The attack",
        markdown(details),
        *report.provenance(job),
    ]


FIGURES = {
    "scores": "Test error of the networks and accuracy of every selection, a dot for each seed",
    "features": "The selected features",
}


def draw(job: Job[Config]) -> None:
    """Draw the figures; pixels are shown for the first seed, other features for all seeds."""
    config, records = job.config, job.run.records
    printed = paper.feature_selection(config.dataset, config.similarity)
    figures.scores(job.run.path("scores.png"), records, job.labels, printed)
    path, x = job.run.path("features.png"), job.data.x_train
    if x.ndim == 4:
        seed = settled(config.seeds)[0]
        figures.pixels(path, x.mean(axis=0), records, job.labels, seed)
    else:
        figures.frequencies(path, x.shape[1], records, job.labels)
