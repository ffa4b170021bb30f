"""What a run was, from its files, as the present program has it: experiment, settings, summary."""

import importlib
from dataclasses import fields
from typing import Any

from experiments.engine.experiment import Experiment
from experiments.report.runs import FoundRun

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


def experiment(run: FoundRun) -> Experiment:
    """What it is a run of."""
    return importlib.import_module(f"experiments.{run.settings['experiment']}").EXPERIMENT


def config(run: FoundRun) -> Any:
    """Its settings; those that its version did not have are the defaults."""
    kind: Any = experiment(run).config
    known = {field.name for field in fields(kind)} & run.settings.keys()
    values = {name: run.settings[name] for name in known}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def summary(run: FoundRun) -> Any:
    """What its records come to."""
    return experiment(run).summarize(run.records)


def labels(run: FoundRun) -> dict[str, str]:
    """How its rows are called, also by the preset of its attack."""
    found = dict(experiment(run).labels(config(run)))
    preset = PRESETS.get(run.settings.get("attack_preset", "default"), "")
    return {name: f"{each}{preset}" if name == "mine" else each for name, each in found.items()}


def data(run: FoundRun, model: str = "") -> str:
    """Its data, and the model that it trains on them."""
    return ", ".join(filter(None, [DATA.get(key := run.settings["dataset"], key), model]))
