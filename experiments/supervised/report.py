"""The report of a supervised run: tables, what they say in words, figures, settings."""

import keras

import keras_uae as uae
from experiments import plots, report
from experiments.classifiers import attacked, one_of_each, panel
from experiments.config import settled
from experiments.job import Job
from experiments.summary import mean
from experiments.supervised import figures, tables
from experiments.supervised.attacks import REFERENCE_SIZE
from experiments.supervised.config import FIGURE_EPSILONS, Config
from experiments.supervised.summary import METHODS, grid_row
from experiments.supervised.words import sentences
from experiments.tables import markdown

FIGURES = {
    "iterations": "Best mutual information so far by iteration, MinMax and penalty (Figure 2)",
    "grid": "Examples of PGD and MinMax over ε, failures crossed out (Figure 3)",
    "samplings": "Examples from feature maps and from random projections (Figures 1 and 4)",
}


def write(job: Job[Config]) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    report.complete(job, draw, compose)


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    methods, samplings = tables.sheets(config, summary)
    shown = report.pictures(job, FIGURES)
    reference = min(REFERENCE_SIZE, len(job.data.x_train))
    return [
        f"# Supervised adversarial examples: {config.dataset}, {config.model} classifier",
        f"A classifier is trained on {config.train_size} images to a test accuracy of "
        f"{mean(summary['accuracy']):.2%}. Test images that it gets right are changed until it "
        "gets them wrong, by examples that share as much information with their originals as can "
        "be.",
        markdown(methods),
        tables.LEGEND,
        shown["iterations"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        "## Feature maps or random projections",
        markdown(samplings),
        f"Distances are those to the first {reference} training images; the test images "
        "themselves are the least that can be expected. Examples of a classifier are far off in "
        "its own features by their very purpose.",
        shown["samplings"],
        "## MinMax and PGD",
        "Rows are ε. Below each image stands the class that the classifier gives to it; where no "
        "example was found, the original is crossed out.",
        shown["grid"],
        *report.provenance(job),
    ]


def draw(job: Job[Config]) -> None:
    """Draw the figures, those of the first seed."""
    run, seed = job.run, settled(job.config.seeds)[0]
    found = {name: uae.UAEs.load(run.path(f"seed-{seed}", f"{name}_uae.npz")) for name in METHODS}
    figures.iterations(run.path("iterations.png"), found, job.labels)
    model = keras.models.load_model(run.path(f"seed-{seed}", "classifier.keras"))
    images = attacked(job.data, model, settled(job.config.attack_size))
    x = images.x[one_of_each(images, job.config.grid_size)]

    def examples(method: str, epsilon: float) -> uae.UAEs:
        return uae.UAEs.load(run.path(f"seed-{seed}", f"{grid_row(method, epsilon)}_uae.npz"))

    over = settled(job.config.epsilons)
    panels = [
        panel(text, model, x, {f"ε = {each:g}": examples(method, each) for each in over})
        for text, method in (("PGD", "pgd"), ("MinMax", "minmax"))
    ]
    plots.image_grids(run.path("grid.png"), panels)
    lines = {
        f"{text}\nε = {each:g}": examples(method, each)
        for each in FIGURE_EPSILONS
        for text, method in (("convolution", "minmax"), ("random", "random"))
    }
    plots.image_grids(run.path("samplings.png"), [panel("", model, x, lines)])
