"""The command that makes one page of all runs below a directory, or the tables of the docs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from experiments.engine.experiment import DONE, FAILED, REFUSED, fail
from experiments.report import pages
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
    docs: Annotated[Path | None, tyro.conf.arg(metavar="CHECKOUT")] = None
    """Instead of the page, fill in the tables of README.md and docs in a checkout."""


def main(args: Sequence[str] | None = None) -> int:
    """Make the page, or the tables: returns 0, or 1 if runs were damaged, which are left out.

    2 says that there is none at all, or that a page cannot be made or written; 5 that the disk is
    full.
    """
    config = tyro.cli(Config, args=args, prog="python -m experiments.report")
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    output = config.output or config.directory / "report.html"
    try:
        runs, damaged = find(config.directory)
        if config.docs is not None:
            said = ", ".join(map(str, pages.update(config.docs, runs))) or "no page has changed"
        else:
            page = render(runs, damaged)
            with atomic_write(output) as file:
                file.write(page.encode())
            count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
            said = f"{output}: {count}, {len(page) / 1e6:.1f} MB"
    except (ValueError, OSError) as error:
        return fail(errors, error, REFUSED)
    for each in damaged:
        errors.print(f"left out: {each.name}: {each.reason}", style="red", markup=False)
    Console(soft_wrap=True, highlight=False).print(said, markup=False)
    return FAILED if damaged else DONE


if __name__ == "__main__":
    raise SystemExit(main())
