"""The report of a contrastive run: tables, what they say in words, figures, settings."""

import keras_uae as uae
from experiments import report
from experiments.attacks import attacked
from experiments.classifiers import Attacked, one_of_each
from experiments.config import settled
from experiments.contrastive import figures, tables
from experiments.contrastive.config import Config
from experiments.contrastive.words import sentences
from experiments.job import Job
from experiments.tables import markdown

GRID_SIZE = 10  # images of the grid, one of each class
FIGURES = {
    "training": "Loss and accuracy of the nearest neighbors during training, mean ± std",
    "robustness": "Success rate of PGD over ε, mean ± std over the seeds",
    "examples": "Originals, their UAEs, and the perturbation",
}


def write(job: Job[Config]) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    accuracy, loss, details, *robustness = tables.sheets(config, summary)
    shown = report.pictures(job, FIGURES)
    return [
        f"# Contrastive learning: {config.dataset}, SimCLR, ResNet-{config.depth} of width "
        f"{config.width}",
        f"SimCLR is trained on {config.train_size} images, then again from scratch on these and "
        f"{config.attack_size} more, one kind of addition at a time. All rows from the duplicate "
        "control on see as many images in as many steps. It adds the images as they are: what a "
        "perturbation itself brings is its difference to that row. CLAE has the images of the "
        "duplicate control, and moves one view of each in every step, which takes it longer. The "
        "Gaussian noise is as large as the perturbation of the UAEs is on average.",
        markdown(accuracy),
        markdown(loss),
        tables.LEGEND,
        shown["training"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        "## The attack",
        markdown(details),
        shown["examples"],
        *(part for sheet in robustness for part in (f"## {sheet.title}", markdown(sheet))),
        shown["robustness"],
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the figures; the examples are those of the first seed."""
    config, run, summary = job.config, job.run, job.run.summary
    every = settled(config.every)
    figures.training(run.path("training.png"), summary["rows"], job.labels, every)
    figures.robustness(run.path("robustness.png"), summary["curves"], job.labels)
    found = uae.UAEs.load(run.path(f"seed-{settled(config.seeds)[0]}", "mine_uae.npz"))
    images = Attacked(attacked(job), job.data.y_train[: len(found)])
    rows = one_of_each(images, GRID_SIZE)
    path = run.path("examples.png")
    figures.examples(path, images.x[rows], found.x[rows], found.success[rows])
