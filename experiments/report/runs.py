"""The runs below a directory: what their files hold, or why they cannot be read."""

import importlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from experiments.engine.experiment import Experiment

DATA = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "svhn_cropped": "SVHN",
    "cifar10": "CIFAR-10",
    "cifar10_first5k": "CIFAR-10",
    "tiny_imagenet200": "Tiny-ImageNet",
    "digits": "digits",
    "isolet": "Isolet",
    "coil20": "COIL-20",
    "mice_protein": "Mice",
    "activity": "Activity",
}
# how UAEs of the run's own settings are called, by the preset of its attack
PRESETS = {
    "paper": ", letter of Algorithm 1",
    "published_code": ", published code",
    "augmentation": ", ε = 0.02",
}


class FoundRun(NamedTuple):
    """A run and what is known of it; its properties are those of the present program."""

    name: str  # its place below the directory
    directory: Path
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float  # that its finished pieces of work took
    report: str | None  # in markdown; `None` while the run is not finished
    records: list[dict[str, Any]]

    @property
    def experiment(self) -> Experiment:
        """What it is a run of."""
        return importlib.import_module(f"experiments.{self.settings['experiment']}").EXPERIMENT

    @property
    def config(self) -> Any:
        """Its settings; those that its version did not have are the defaults."""
        kind: Any = self.experiment.config
        known = {field.name for field in fields(kind)} & self.settings.keys()
        values = {name: self.settings[name] for name in known}
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    @property
    def summary(self) -> Any:
        """What its records come to."""
        return self.experiment.summarize(self.records)

    @property
    def labels(self) -> dict[str, str]:
        """How its rows are called, also by the preset of its attack."""
        found = dict(self.experiment.labels(self.config))
        preset = PRESETS.get(self.settings.get("attack_preset", "default"), "")
        return {name: f"{each}{preset}" if name == "mine" else each for name, each in found.items()}

    def data(self, model: str = "") -> str:
        """Its data, and the model that it trains on them."""
        dataset = self.settings["dataset"]
        return ", ".join(filter(None, [DATA.get(dataset, dataset), model]))


class DamagedRun(NamedTuple):
    """A directory that looks like a run and cannot be read."""

    name: str
    reason: str


def find(directory: Path) -> tuple[list[FoundRun], list[DamagedRun]]:
    """All runs below a directory, by name, and those that are damaged."""
    received = f"Received: directory={str(directory)!r}"
    if not directory.is_dir():
        raise ValueError(f"`directory` of find must be a directory. {received}.")
    runs, damaged = [], []
    for path in sorted(directory.rglob("config.json")):
        name = path.parent.relative_to(directory).as_posix()
        try:
            runs.append(read(path.parent, name))
        except (ValueError, OSError) as error:
            damaged.append(DamagedRun(name, str(error)))
    if not runs and not damaged:
        raise ValueError(
            f"`directory` of find must hold runs of experiments, each with a config.json. "
            f"{received}, which has none."
        )
    return runs, damaged


def read(directory: Path, name: str) -> FoundRun:
    """The run in a directory; a `ValueError` names a file that is damaged."""
    config = _json(directory / "config.json")
    for key in ("config", "versions"):
        if not isinstance(config.get(key), dict):
            raise ValueError(f"config.json is not that of a run: it has no {key}")
    records: Any = []
    if (directory / "metrics.json").exists():
        records = _json(directory / "metrics.json").get("records")
    try:
        seconds = float(sum(record["seconds"] for record in records))
    except (TypeError, KeyError):
        raise ValueError("metrics.json has no records of finished work") from None
    report = directory / "report.md"
    text = _text(report) if report.exists() else None
    return FoundRun(name, directory, config["config"], config["versions"], seconds, text, records)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not that of a run: it holds no object")
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8") from None
