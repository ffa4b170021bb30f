"""The command line of the benchmark."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import tensorflow as tf
import tyro
from rich.console import Console

from experiments.benchmark.cases import MODELS, PRESETS, Scale
from experiments.benchmark.sections import SECTIONS, WORK
from experiments.benchmark.tables import LEGEND, print_sheets
from experiments.engine.config import Choice, check_settings
from experiments.engine.experiment import DONE, INTERRUPTED, REFUSED, fail
from experiments.engine.progress import JobProgress
from experiments.engine.records import versions, write_json
from keras_uae import _processor

INSTRUCTIONS = ("avx", "fma", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


@dataclass(frozen=True)
class Config:
    """How fast are the attacks, as multiples of PGD with as many steps?"""

    sections: tuple[Annotated[str, Choice(SECTIONS)], ...] = tuple(SECTIONS)
    """What to measure."""
    preset: Annotated[str, Choice(PRESETS)] = "quick"
    """smoke: see it run, in half a minute. quick: five rounds of T = 10, some ten minutes on two
    cores. full: nine of T = 40, and `generate` on 60 000 images too, some hours."""
    models: tuple[Annotated[str, Choice(MODELS)], ...] = tuple(MODELS)
    """Of the section attacks."""
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
        """What the preset stands for; a `ValueError` of a setting that cannot be."""
        check_settings(self)
        if self.json not in (None, "-") and not Path(self.json).absolute().parent.is_dir():
            raise ValueError(
                f"`json` of Config must be a file in a directory that exists, or '-'. "
                f"Received: json={self.json!r}."
            )
        scale = PRESETS[self.preset]
        if self.models != tuple(MODELS):
            scale = scale._replace(models=self.models)
        return scale if self.repeats is None else scale._replace(repeats=self.repeats)


def main(args: Sequence[str] | None = None) -> int:
    """Run the benchmark as the command line says; returns the exit code."""
    flags = (tyro.conf.FlagCreatePairsOff,)
    config = tyro.cli(Config, args=args, prog="python -m experiments.benchmark", config=flags)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        scale = config.scale()
    except ValueError as error:
        return fail(errors, error, REFUSED)
    # not at rest? the ratios stand it better than the times
    load = {"before": psutil.getloadavg()}
    content: dict[str, Any] = {
        "experiment": "benchmark",
        "settings": {"preset": config.preset, "sections": config.sections, **scale._asdict()},
        "versions": versions(),
        "processors": os.cpu_count(),
        "instructions": instructions(),
        "memory": psutil.virtual_memory().total,
        "devices": [device.device_type for device in tf.config.list_logical_devices()],
        "load_average": load,
    }
    code = DONE
    try:
        with JobProgress(len(config.sections) * WORK, errors, config.quiet) as progress:
            for name in config.sections:
                with progress.stage(name, WORK):
                    content[name] = SECTIONS[name].measure(scale, progress)
    except KeyboardInterrupt:
        errors.print("interrupted: what follows are the sections that are finished")
        code = INTERRUPTED
    load["after"] = psutil.getloadavg()
    report(config, content)
    return code


def report(config: Config, content: dict[str, Any]) -> None:
    """Write and print what was found."""
    if config.json == "-":
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    if config.json:
        write_json(Path(config.json), content)
    found = [section for name, section in SECTIONS.items() if name in content]
    sheets = [sheet for section in found for sheet in section.sheets(content)]
    notes = [note for section in found for note in section.notes(content)]
    machine = f"{content['processors']} processors, {' '.join(content['instructions'])}."
    print_sheets(sheets, [LEGEND, *notes, machine], markdown=config.markdown)


def instructions() -> list[str]:
    """The instruction sets that matter here, as far as the system tells, and oneDNN if it is on."""
    flags = _processor.instructions()
    found = [platform.machine(), *(name for name in INSTRUCTIONS if name in flags)]
    return [*found, *["oneDNN"] * bool(_processor.takes_onednn())]
