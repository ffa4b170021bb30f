"""How fast are the attacks? As multiples of projected gradient descent with as many steps.

    attacks   every attack on five autoencoders
    sizes     `generate` on more and more images: is time linear, memory flat?
    batches   MINE-UAE and PGD in batches of 1 to 1024
    peers     PGD of ART and foolbox beside ours, where they are installed

    python -m experiments.benchmark
    python -m experiments.benchmark --sections attacks --repeats 9 --markdown
    python -m experiments.benchmark --json out/benchmark.json

Everything runs in one process, the methods in turns; see experiments/timing.py.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import tensorflow as tf
import tyro
from rich.console import Console

from experiments import tables
from experiments.benchmark.cases import PRESETS, Scale
from experiments.benchmark.sections import SECTIONS, WORK
from experiments.benchmark.tables import Content, notes, sheets
from experiments.progress import JobProgress
from experiments.run import versions, write_json
from keras_uae._checks import check_choice, check_integer


@dataclass(frozen=True)
class Config:
    """How fast are the attacks, as multiples of PGD with as many steps?"""

    sections: tuple[str, ...] = ("attacks", "sizes", "batches", "peers")
    """Any of attacks, sizes, batches, peers."""
    preset: str = "quick"
    """smoke: see it run, in half a minute. quick: five rounds, about twenty minutes on two cores.
    full: nine rounds, and `generate` on 60 000 images too, some hours."""
    repeats: int | None = None
    """Rounds in which every method is timed once. Preset: 5; full: 9; smoke: 2."""
    json: str | None = None
    """Write every repetition and all settings to this file, or "-" for the output instead of the
    tables."""
    markdown: bool = False
    """Print the tables as markdown."""
    quiet: bool = False
    """No progress on stderr."""

    def scale(self) -> Scale:
        """What the preset stands for.

        Raises:
            ValueError: A name is unknown, or a number is out of range.
        """
        owner = type(self).__name__
        for section in self.sections:
            check_choice(owner, "sections", section, SECTIONS)
        scale = PRESETS[check_choice(owner, "preset", self.preset, PRESETS)]
        if self.json not in (None, "-") and not Path(self.json).absolute().parent.is_dir():
            raise ValueError(
                f"`json` of {owner} must be a file in a directory that exists, or '-'. "
                f"Received: json={self.json!r}."
            )
        if self.repeats is not None:
            repeats = check_integer(owner, "repeats", self.repeats, 1)
            scale = scale._replace(repeats=repeats)
        return scale


def main(args: Sequence[str] | None = None) -> int:
    """Run the benchmark as the command line says; returns the exit code."""
    flags = (tyro.conf.FlagCreatePairsOff,)
    config = tyro.cli(Config, args=args, prog="python -m experiments.benchmark", config=flags)
    errors = Console(stderr=True, highlight=False)
    try:
        scale = config.scale()
    except ValueError as error:
        errors.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        return 2
    content = head(config, scale)
    code = 0
    try:
        with JobProgress(len(config.sections) * WORK, errors, config.quiet) as progress:
            for section in config.sections:
                with progress.stage(section, WORK):
                    content[section] = SECTIONS[section](scale, progress)
    except KeyboardInterrupt:
        errors.print("interrupted: what follows are the sections that are finished")
        code = 130
    content["load_average"]["after"] = psutil.getloadavg()
    report(config, content)
    return code


def head(config: Config, scale: Scale) -> Content:
    """What the numbers depend on."""
    settings = {"preset": config.preset, "sections": config.sections, **scale._asdict()}
    return {
        "experiment": "benchmark",
        "settings": settings,
        "versions": versions(),
        "processors": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "devices": [device.device_type for device in tf.config.list_logical_devices()],
        # not at rest? the ratios stand it better than the times
        "load_average": {"before": psutil.getloadavg()},
    }


def report(config: Config, content: Content) -> None:
    """Write and print what was found."""
    if config.json == "-":
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    if config.json:
        write_json(Path(config.json), content)
    console = Console()
    for sheet in sheets(content):
        if config.markdown:
            print(f"**{sheet.title}**\n\n{tables.markdown(sheet)}")
        else:
            tables.print_sheet(console, sheet)
    for line in notes(content):
        if config.markdown:
            print(line, end="\n\n")
        else:
            console.print(line, style="dim", highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
