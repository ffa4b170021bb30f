"""What the reports of all experiments have in common."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from experiments.job import Job
from experiments.run import versions
from experiments.tables import Sheet, markdown
from keras_uae._files import atomic_write


def write(path: Path, parts: Iterable[str]) -> None:
    """Write the parts that are not empty as paragraphs, all of the file or nothing."""
    text = "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode())


def complete(
    job: Job, draw: Callable[[Job], None], compose: Callable[[Job], Iterable[str]]
) -> None:
    """Draw the figures and write `report.md`, unless an earlier session has."""
    path = job.run.path("report.md")
    if not path.exists():
        draw(job)
        write(path, compose(job))


def pictures(job: Job, texts: Mapping[str, str]) -> dict[str, str]:
    """The figures of the run in markdown, by name; empty where there is none."""
    return {
        name: f"![{text}]({name}.png)" if job.run.path(f"{name}.png").exists() else ""
        for name, text in texts.items()
    }


def sections(sheets: Iterable[Sheet]) -> list[str]:
    """A heading and a table for each of the sheets."""
    return [text for sheet in sheets for text in (f"## {sheet.title}", markdown(sheet))]


def bullets(lines: Iterable[str]) -> str:
    """The lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def provenance(job: Job) -> list[str]:
    """The last section: command, time, settings and versions."""
    config = job.config
    settings = {
        name: value for name, value in config.as_json().items() if name not in config.incidental
    }
    settings.update(versions())
    seconds = sum(record["seconds"] for record in job.run.records)
    return [
        "## How it was made",
        f"    {job.invocation}",
        f"Training and attacking took {seconds:.0f} s in all. `metrics.json` holds every figure "
        "of every seed.",
        "| setting | value |\n| :-- | :-- |\n"
        + "\n".join(f"| {name} | {value} |" for name, value in settings.items()),
    ]
