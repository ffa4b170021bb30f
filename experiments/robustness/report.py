"""The report of a robustness run: tables, what they say in words, figures, settings."""

import keras

import keras_uae as uae
from experiments import report
from experiments.classifiers import attacked, one_of_each, panel
from experiments.config import settled
from experiments.job import Job
from experiments.plots import Panel
from experiments.robustness import figures, tables
from experiments.robustness.config import PARTS, Config
from experiments.robustness.summary import METHODS, ROWS, point, titles
from experiments.robustness.words import sentences
from experiments.summary import mean
from experiments.tables import number

GRID_SIZE = 10  # images of a grid, one of each class
FIGURES = {
    "curves": "Success rate over ε, mean ± std over the seeds",
    "grid": "Examples of MinMax and PGD over ε, failures crossed out (Figure 6)",
}


def write(job: Job[Config]) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    shown = report.pictures(job, FIGURES)
    rate = mean(summary["uae_asr"])
    return [
        f"# Robustness of classifiers: {config.dataset}, {config.model} classifier",
        f"Classifiers are trained on {config.train_size} images and attacked on "
        f"{config.attack_size} test images that they get right.",
        "UAEs are those of a convolutional autoencoder, found for "
        f"{number(rate, '.1%')} of the training images, with the labels of these; where none was "
        "found, the image itself is added."
        if rate is not None
        else "",
        tables.LEGEND,
        shown["curves"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        *report.sections(tables.sheets(config, summary)),
        shown["grid"],
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the curves, and examples of the first seed where a part has two attacks."""
    config, run = job.config, job.run
    parts = titles(config)
    figures.curves(run.path("curves.png"), parts, run.summary["curves"])
    panels = [
        examples(job, row, method)
        for part in ("madry", "trades")
        if part in parts
        for row, method in reversed(PARTS[part])
    ]
    if panels:
        figures.grid(run.path("grid.png"), panels)


def examples(job: Job[Config], row: str, method: str) -> Panel:
    """The examples of an attack on images of different classes, for every ε."""
    seed = settled(job.config.seeds)[0]
    published = job.config.published() if row == "trades" else None
    path = job.run.path(f"seed-{seed}", f"{row}.keras")
    model = published or keras.models.load_model(path)
    images = attacked(job.data, model, settled(job.config.attack_size))
    rows = one_of_each(images, GRID_SIZE)
    lines = {}
    for epsilon in settled(job.config.epsilons):
        path = job.run.path(f"seed-{seed}", f"{point(row, method, epsilon)}_uae.npz")
        lines[f"ε = {epsilon:.3g}"] = uae.UAEs.load(path)[rows]
    return panel(f"{ROWS[row]}, {METHODS[method]}", model, images.x[rows], lines)
