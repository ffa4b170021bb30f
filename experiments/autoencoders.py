"""How experiments train the autoencoder that they attack in many ways, and on which images."""

from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
from experiments import training
from experiments.config import ExperimentConfig, settled
from experiments.data import Split
from experiments.job import Job
from keras_uae._checks import check_integer, check_number
from models import get_recipe

# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS = {"batch_size": 32, "epochs": 10}


@dataclass(frozen=True)
class AutoencoderConfig(ExperimentConfig):
    """Settings of experiments that attack one convolutional autoencoder, in many ways."""

    counts = (*ExperimentConfig.counts, "batch_size", "attack_size", "steps")

    batch_size: int | None = None
    """Images a training step."""
    attack_size: int | None = None
    """Attack the first so many training images."""
    steps: int | None = None
    """Iterations T of an attack. Preset: 40; smoke: 12."""
    epsilon: float = 1.0
    """Largest change ε of any value of an image."""

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set."""
        recipe = get_recipe("conv")
        settings: dict[str, Any] = {
            **super().preset_settings(),
            "train_size": None,  # all
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "attack_size": {"smoke": 32, "quick": 256}.get(self.preset, 1000),
            "steps": 12 if self.preset == "smoke" else 40,
        }
        if self.dataset == "digits":
            settings.update(DIGITS)
        elif self.preset != "paper":
            settings.update(train_size=10_000)
        if self.preset == "smoke":
            settings.update(train_size=300, epochs=4)
        return settings

    def complete(self, data: Split) -> Self:
        """As of every experiment; and the data are images, as many as are attacked."""
        owner = type(self).__name__
        check_number(owner, "epsilon", self.epsilon, 0)
        if data.x_train.ndim != 4:
            raise ValueError(
                f"`dataset` of {owner} must hold images. Received: "
                f"dataset={self.dataset!r} with samples of shape {data.x_train.shape[1:]}."
            )
        check_integer(owner, "attack_size", self.attack_size, 1, len(data.x_train))
        return super().complete(data)


def train(job: Job[Any], seed: int, name: str, added: Any, *, epochs: int | None) -> keras.Model:
    """The autoencoder of a row, trained on the originals and `added`; its errors are recorded."""
    batch_size = settled(job.config.batch_size)
    return training.kept(
        job,
        seed,
        name,
        get_recipe("conv"),
        uae.UAEAugmentation(job.data.x_train, added, batch_size=batch_size, seed=seed),
        epochs=settled(epochs),
        measure=lambda model: training.errors(model, job.data),
    )
