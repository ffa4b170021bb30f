"""The report of a reconstruction run: tables, what they say in words, figures, settings."""

import keras

import keras_uae as uae
from experiments import figures, paper, tables
from experiments.attacks import AttackConfig, generate
from experiments.config import settled
from experiments.job import Job
from experiments.run import versions
from experiments.words import sentences

TRACE_SIZE = 256  # images whose attack is followed iteration by iteration


def work(config: AttackConfig) -> int:
    """What the report attacks on its own account."""
    return min(TRACE_SIZE, settled(config.attack_size)) * config.attack_work()


def write(job: Job) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    path = job.run.path("report.md")
    if path.exists():
        job.progress.skip(work(job.config))
        return
    draw(job)
    temporary = path.with_name("report.md.part")
    temporary.write_text(compose(job), encoding="utf-8")
    temporary.replace(path)


def compose(job: Job) -> str:
    """The report as markdown."""
    config, summary = job.config, job.run.summary
    outcome, details = tables.sheets(config, summary)
    settings = {
        name: value for name, value in config.as_json().items() if name not in config.incidental
    }
    settings.update(versions())
    seconds = sum(record["seconds"] for record in job.run.records)
    shown = {
        name: f"![{text}]({name}.png)"
        for name, text in FIGURES.items()
        if job.run.path(f"{name}.png").exists()
    }
    parts = [
        f"# Reconstruction: {config.dataset}, {config.model} autoencoder",
        f"An autoencoder is trained on {config.train_size} images, then again from scratch on "
        f"these and {config.attack_size} more, one kind of addition at a time. All rows but the "
        "first see the same number of samples in the same number of steps. The duplicate control "
        "adds the images as they are: what a perturbation itself brings is its difference to that "
        "row.",
        tables.markdown(outcome),
        tables.LEGEND,
        shown.get("errors", ""),
        "## What it says",
        "\n".join(f"- {line}" for line in sentences(config, summary)),
        "## The attack",
        tables.markdown(details),
        shown.get("examples", ""),
        shown.get("trace", ""),
        "## How it was made",
        f"    {job.invocation}",
        f"Training and attacking took {seconds:.0f} s in all. `metrics.json` holds every figure "
        "of every seed.",
        "| setting | value |\n| :-- | :-- |\n"
        + "\n".join(f"| {name} | {value} |" for name, value in settings.items()),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


FIGURES = {
    "errors": "Test error of every augmentation, a dot for each seed",
    "examples": "Originals, their UAEs, what the model makes of these, and the perturbation",
    "trace": "The attack, iteration by iteration",
}


def draw(job: Job) -> None:
    """Draw the figures; those of the attack show the first seed whose model has not diverged."""
    config, run = job.config, job.run
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    figures.errors(run.path("errors.png"), run.records, config.similarity, printed)
    originals = (
        run.find(stage="training", seed=seed, name="original") or {}
        for seed in settled(config.seeds)
    )
    seeds = [record["seed"] for record in originals if record.get("test_error") is not None]
    if not seeds:
        job.progress.skip(work(config))
        return
    seed = seeds[0]
    model = keras.models.load_model(run.path(f"seed-{seed}", "original.keras"))
    found = uae.UAEs.load(run.path(f"seed-{seed}", "mine_uae.npz"))
    classes = job.data.y_train[: len(found)]
    figures.examples(run.path("examples.png"), model, job.images, classes, found)
    traced = generate(
        config.attack(model),
        job.images[:TRACE_SIZE],
        run.path(f"seed-{seed}", "trace.npz"),
        seed=seed,
        progress=job.progress,
        label="figures",
        work=config.attack_work(),
        trace=True,
    )
    figures.trace(run.path("trace.png"), traced, config.similarity)
