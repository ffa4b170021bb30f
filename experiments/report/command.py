"""The command that makes one page of all runs below a directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from experiments.report.page import render
from experiments.report.runs import find
from keras_uae._files import atomic_write


@dataclass(frozen=True)
class Config:
    """One HTML page of all runs below a directory: it needs no other file and no network."""

    directory: tyro.conf.Positional[Path]
    """Where the runs are, at any depth."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The page. Default: report.html in the directory."""


def main(args: Sequence[str] | None = None) -> int:
    """Make the page: returns 0, 1 if runs were damaged (the page holds all others and names these).

    2 says that there is none at all, or that the page cannot be written.
    """
    config = tyro.cli(Config, args=args, prog="python -m experiments.report")
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    output = config.output or config.directory / "report.html"
    try:
        runs, damaged = find(config.directory)
        page = render(runs, damaged)
        with atomic_write(output) as file:
            file.write(page.encode())
    except (ValueError, OSError) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        return 2
    for each in damaged:
        errors.print(f"left out: {each.name}: {each.reason}", style="red", markup=False)
    size = len(page) / 1e6
    Console(soft_wrap=True, highlight=False).print(
        f"{output}: {len(runs)} run{'s' * (len(runs) != 1)}, {size:.1f} MB", markup=False
    )
    return 1 if damaged else 0
