"""The report of a reconstruction run: tables, what they say in words, figures, settings."""

import keras

import keras_uae as uae
from experiments import paper, report
from experiments.attacks import attacked, generate
from experiments.config import settled
from experiments.job import Job
from experiments.reconstruction import figures, tables
from experiments.reconstruction.config import Config
from experiments.reconstruction.rows import ROWS
from experiments.reconstruction.words import sentences
from experiments.tables import markdown

TRACE_SIZE = 256  # images whose attack is followed iteration by iteration


def work(config: Config) -> int:
    """What the report attacks on its own account."""
    return min(TRACE_SIZE, settled(config.attack_size)) * config.attack_work()


def write(job: Job[Config]) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    path = job.run.path("report.md")
    if path.exists():
        job.progress.skip(work(job.config))
        return
    draw(job)
    report.write(path, compose(job))


def compose(job: Job[Config]) -> list[str]:
    """The paragraphs of the report, in markdown."""
    config, summary = job.config, job.run.summary
    *outcomes, details = tables.sheets(config, summary)
    shown = report.pictures(job, FIGURES)
    return [
        f"# Reconstruction: {config.dataset}, {config.model} autoencoder",
        f"An autoencoder is trained on {config.train_size} images, then again from scratch on "
        f"these and {config.attack_size} more, one kind of addition at a time. All rows but the "
        "first see the same number of samples in the same number of steps. The duplicate control "
        "adds the images as they are: what a perturbation itself brings is its difference to that "
        "row.",
        _twice(config),
        *map(markdown, outcomes),
        tables.LEGEND,
        shown["errors"],
        "## What it says",
        report.bullets(sentences(config, summary)),
        "## The attack",
        markdown(details),
        shown["examples"],
        shown["trace"],
        *report.provenance(job),
    ]


def _twice(config: Config) -> str:
    """What else is to be said of rows that add more than once."""
    if config.rows == ("uae",):
        return ""
    return (
        "That is, as long as they add once. Rows that build on another one add "
        f"{config.attack_size} images more, and have controls of their own which do the same with "
        "duplicates."
    )


FIGURES = {
    "errors": "Test error of every augmentation, a dot for each seed",
    "examples": "Originals, their UAEs, what the model makes of these, and the perturbation",
    "trace": "The attack, iteration by iteration",
}


def draw(job: Job[Config]) -> None:
    """Draw the figures; those of the attack show the first seed whose model has not diverged."""
    config, run = job.config, job.run
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    figures.errors(run.path("errors.png"), run.records, job.labels, printed)
    name = next(each for each in config.row_names if ROWS[each].adds == "mine")
    base = ROWS[name].base
    attacked_models = (
        run.find(stage="training", seed=seed, name=base) or {} for seed in settled(config.seeds)
    )
    seeds = [record["seed"] for record in attacked_models if record.get("test_error") is not None]
    if not seeds:
        job.progress.skip(work(config))
        return
    seed, images = seeds[0], attacked(job)
    model = keras.models.load_model(run.path(f"seed-{seed}", f"{base}.keras"))
    found = uae.UAEs.load(run.path(f"seed-{seed}", f"{name}_uae.npz"))
    classes = job.data.y_train[: len(found)]
    figures.examples(run.path("examples.png"), model, images, classes, found)
    traced = generate(
        config.attack(model),
        images[:TRACE_SIZE],
        run.path(f"seed-{seed}", "trace.npz"),
        seed=seed,
        progress=job.progress,
        label="figures",
        work=config.attack_work(),
        trace=True,
    )
    figures.trace(run.path("trace.png"), traced, config.similarity)
