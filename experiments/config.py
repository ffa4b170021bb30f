"""What every experiment can be told on the command line, and the presets that fill in the rest."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from experiments.datasets import COUNTS
from keras_uae.checks import check_choice, check_integer
from models import RECIPES

PRESETS = ("smoke", "quick", "paper")

# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS_BATCH_SIZE = 32
DIGITS_EPOCHS = {"conv": (10, 15), "dense": (60, 90), "sparse": (80, 120)}


@dataclass(frozen=True)
class ExperimentConfig:
    """Settings that the experiments share. `None` leaves a setting to the preset."""

    experiment: ClassVar[str]
    # what may differ when a run is taken up again: it has no influence on the numbers
    incidental: ClassVar[tuple[str, ...]] = ("output", "data_dir", "quiet")

    dataset: str = "digits"
    """digits (comes with scikit-learn), mnist, fashion_mnist, svhn_cropped, cifar10, or any other
    image data set of tensorflow-datasets."""
    model: str = "conv"
    """Autoencoder: conv, dense or sparse."""
    preset: str = "quick"
    """smoke: see it run, in a minute or two. quick: 10 000 images (digits: all). paper: all
    images and the paper's epochs. Every flag below overrides the preset."""
    seeds: tuple[int, ...] | None = None
    """One run for each; the tables show mean ± standard deviation. Preset: 0 1 2; smoke: 0."""
    output: Path | None = None
    """Directory of the run; one that holds a part of it is continued. Default:
    out/EXPERIMENT/DATASET-MODEL-PRESET."""
    data_dir: Path | None = None
    """Directory of tensorflow-datasets. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    train_size: int | None = None
    """Take the first so many training images."""
    epochs: int | None = None
    """Epochs of the original model."""
    retraining_epochs: int | None = None
    """Epochs of the trainings on originals and additions together (the paper: about 1.5 ×)."""
    batch_size: int | None = None
    """Images a training step."""
    quiet: bool = False
    """Print nothing but the final table."""

    def resolve(self) -> Self:
        """This configuration with every `None` that the preset decides filled in.

        Raises:
            ValueError: A name is unknown, or a number is out of range.
        """
        owner = type(self).__name__
        check_choice(owner, "model", self.model, RECIPES)
        check_choice(owner, "preset", self.preset, PRESETS)
        defaults = preset_settings(self.preset, self.dataset, self.model)
        name = f"{self.dataset}-{self.model}-{self.preset}".replace("/", "-").replace(":", "-")
        defaults["output"] = Path("out", self.experiment, name)
        missing = {
            key: value for key, value in defaults.items() if getattr(self, key, value) is None
        }
        config = dataclasses.replace(self, **missing)
        for key in ("train_size", "epochs", "retraining_epochs", "batch_size"):
            if getattr(config, key) is not None:
                check_integer(owner, key, getattr(config, key), 1)
        for seed in config.seeds or ():
            check_integer(owner, "seeds", seed, 0, 2**31 - 1)
        if not config.seeds or len(set(config.seeds)) < len(config.seeds):
            raise ValueError(
                f"`seeds` of {owner} must be one or more different integers. "
                f"Received: seeds={config.seeds}."
            )
        return config

    def as_json(self) -> dict[str, Any]:
        """The settings by name, as JSON would give them back."""
        values = dataclasses.asdict(self)
        plain = {Path: str, tuple: list}
        for kind, convert in plain.items():
            values.update({k: convert(v) for k, v in values.items() if isinstance(v, kind)})
        return values


def preset_settings(preset: str, dataset: str, model: str) -> dict[str, Any]:
    """What a preset decides for a data set and a model."""
    recipe = RECIPES[model]
    settings: dict[str, Any] = {
        "seeds": (0, 1, 2),
        "train_size": None,  # all
        "epochs": recipe.epochs,
        "retraining_epochs": recipe.retraining_epochs,
        "batch_size": recipe.batch_size,
        "steps": 40,  # of an attack, where there is one
    }
    if preset == "smoke":
        small = {"seeds": (0,), "train_size": 300, "epochs": 4, "retraining_epochs": 6, "steps": 10}
        settings.update(small, batch_size=DIGITS_BATCH_SIZE)
    elif preset == "quick" and dataset == "digits":
        epochs, retraining_epochs = DIGITS_EPOCHS[model]
        settings.update(epochs=epochs, retraining_epochs=retraining_epochs)
        settings.update(batch_size=DIGITS_BATCH_SIZE)
    elif preset == "quick":
        settings.update(train_size=min(10_000, COUNTS.get(dataset, (10_000,))[0]))
    return settings


Value = TypeVar("Value")


def settled(value: Value | None) -> Value:
    """A setting that `resolve` has filled in."""
    if value is None:
        raise ValueError("`value` of settled must be of a resolved configuration. Received: None.")
    return value
