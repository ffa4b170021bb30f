"""What every experiment can be told on the command line; a preset fills in the rest."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from experiments.data import Split, load
from keras_uae._checks import check_choice, check_integer

PRESETS = ("smoke", "quick", "paper")


@dataclass(frozen=True)
class ExperimentConfig:
    """Settings that the experiments share. `None` leaves a setting to the preset.

    A subclass says what it is called and what its presets decide.
    """

    experiment: ClassVar[str]
    # what may differ when a run is taken up again: it has no influence on the numbers
    incidental: ClassVar[tuple[str, ...]] = ("output", "data_dir", "quiet")
    # settings that count something: at least 1, where they are not `None`
    counts: ClassVar[tuple[str, ...]] = ("train_size", "epochs")

    dataset: str = "digits"
    """digits (comes with scikit-learn), mnist, fashion_mnist, svhn_cropped, cifar10,
    tiny_imagenet200, or any other image data set of tensorflow-datasets."""
    preset: str = "quick"
    """smoke: see it run, in a minute or two. quick: 10 000 samples (digits: all). paper: all
    samples and the paper's epochs. Every flag below overrides the preset."""
    seeds: tuple[int, ...] | None = None
    """One run for each; the tables show mean ± standard deviation. Preset: 0 1 2; smoke: 0."""
    output: Path | None = None
    """Directory of the run; one that holds a part of it is continued. Default: a directory in
    out/EXPERIMENT that is named after data set and preset."""
    data_dir: Path | None = None
    """Directory of tensorflow-datasets. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    train_size: int | None = None
    """Take the first so many training samples."""
    epochs: int | None = None
    """Epochs of the original model."""
    quiet: bool = False
    """Print nothing but the final table."""

    def resolve(self) -> Self:
        """This configuration with every `None` that the preset decides filled in.

        Raises:
            ValueError: A name is unknown, or a number is out of range.
        """
        owner = type(self).__name__
        check_choice(owner, "preset", self.preset, PRESETS)
        name = "-".join(self.name_parts).replace("/", "-").replace(":", "-")
        defaults = {"output": Path("out", self.experiment, name), **self.preset_settings()}
        missing = {
            key: value for key, value in defaults.items() if getattr(self, key, value) is None
        }
        config = dataclasses.replace(self, **missing)
        for key in self.counts:
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

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.preset

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides, settings by name; those of all experiments are here."""
        return {"seeds": (0,) if self.preset == "smoke" else (0, 1, 2)}

    def load(self) -> Split:
        """The data set."""
        return load(self.dataset, data_dir=self.data_dir, train_size=self.train_size)

    def complete(self, data: Split) -> Self:
        """This configuration with what only the data can tell.

        Raises:
            ValueError: A setting does not suit the data.
        """
        return dataclasses.replace(self, train_size=len(data.x_train))

    def as_json(self) -> dict[str, Any]:
        """The settings by name, as JSON would give them back."""
        values = dataclasses.asdict(self)
        plain = {Path: str, tuple: list}
        for kind, convert in plain.items():
            values.update({k: convert(v) for k, v in values.items() if isinstance(v, kind)})
        return values


def check_names(owner: str, name: str, chosen: Sequence[str], known: Iterable[str]) -> None:
    """Setting `name` of `owner` is one or more different names, all of them `known`."""
    for each in chosen:
        check_choice(owner, name, each, known)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"`{name}` of {owner} must be one or more different names. Received: {name}={chosen}."
        )


Value = TypeVar("Value")


def settled(value: Value | None) -> Value:
    """A setting that `resolve` has filled in."""
    if value is None:
        raise ValueError("`value` of settled must be of a resolved configuration. Received: None.")
    return value
