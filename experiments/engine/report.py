"""The report of a run, `report.md`: tables, what they say, figures, and how it was made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from experiments.engine.job import Job
from experiments.engine.records import versions
from experiments.engine.tables import markdown
from experiments.engine.verdicts import departures
from keras_uae._files import atomic_write


class Figure(NamedTuple):
    """A picture of the report."""

    caption: str
    draw: Callable[[Job[Any], Path], None]  # writes a PNG, unless there is nothing to draw


def write_report(experiment: Any, job: Job, command: str) -> None:
    """Draw the figures of an `Experiment` and write its report, unless an earlier session has."""
    path = job.run.path("report.md")
    if path.exists():
        return
    for name, figure in experiment.figures.items():
        figure.draw(job, job.run.path(f"{name}.png"))
    text = "\n\n".join(part.strip("\n") for part in compose(experiment, job, command) if part)
    with atomic_write(path) as file:
        file.write((text + "\n").encode())


def compose(experiment: Any, job: Job, command: str) -> list[str]:
    """The paragraphs of a report, in markdown."""
    config, summary = job.config, job.run.summary
    sheets = experiment.tables(config, summary)
    pictures = [
        f"![{figure.caption}]({name}.png)"
        for name, figure in experiment.figures.items()
        if job.run.path(f"{name}.png").exists()
    ]
    others = departures(config, experiment.published(config))
    return [
        f"# {experiment.title(config)}",
        experiment.introduction(config),
        *(text for sheet in sheets for text in (f"## {sheet.title}", markdown(sheet))),
        experiment.legend,
        "## What it says",
        "\n".join(f"- {line}" for line in [*experiment.verdicts(config, summary), *others]),
        *["## Figures"][: len(pictures)],
        *pictures,
        *provenance(job, command),
    ]


def provenance(job: Job, command: str) -> list[str]:
    """The last section: command, time, settings and versions."""
    hidden = job.config.incidental
    settings = {name: each for name, each in job.config.as_json().items() if name not in hidden}
    seconds = sum(record["seconds"] for record in job.run.records)
    rows = [f"| {name} | {value} |" for name, value in {**settings, **versions()}.items()]
    return [
        "## How it was made",
        f"    {command}",
        f"Training and attacking took {seconds:.0f} s in all. `metrics.json` holds every figure "
        "of every seed.",
        "\n".join(["| setting | value |", "| :-- | :-- |", *rows]),
    ]
