"""How experiments train the autoencoder that they attack in many ways, and on which images."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

import keras_uae as uae
from experiments.data import Split
from experiments.engine import training
from experiments.engine.config import ExperimentConfig
from experiments.engine.job import Job
from keras_uae._checks import Number, check_integer
from models import get_recipe

# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS = {"batch_size": 32, "epochs": 10}


@dataclass(frozen=True)
class AutoencoderConfig(ExperimentConfig):
    """Settings of experiments that attack one convolutional autoencoder, in many ways."""

    batch_size: int = DIGITS["batch_size"]
    """Images a training step."""
    attack_size: int = 256
    """Attack the first so many training images."""
    steps: int = 40
    """Iterations T of an attack."""
    epsilon: Annotated[float, Number(0)] = 1.0
    """Largest change ε of any value of an image."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every experiment, and how the data set is trained and attacked."""
        recipe = get_recipe("conv")
        mine: dict[str, Any] = {"epochs": recipe.epochs, "batch_size": recipe.batch_size}
        mine["attack_size"] = {"smoke": 32, "quick": 256}.get(preset, 1000)
        if dataset == "digits":
            mine |= DIGITS
        elif preset != "paper":
            mine["train_size"] = 10_000
        if preset == "smoke":
            mine |= {"train_size": 300, "epochs": 4, "steps": 12}
        return super().for_preset(preset, **{"dataset": dataset, **mine, **settings})

    def complete(self, data: Split) -> Self:
        """As of every experiment; and the data are images, as many as are attacked."""
        self.check_images(data)
        check_integer(type(self).__name__, "attack_size", self.attack_size, 1, len(data.x_train))
        return super().complete(data)


def train(job: Job[Any], added: Any, *, epochs: int) -> dict[str, Any]:
    """The autoencoder of the piece, trained on the originals and `added`, is kept; its errors."""
    data = uae.UAEAugmentation(
        job.data.x_train, added, batch_size=job.config.batch_size, seed=job.seed
    )
    return training.train_and_keep(
        job,
        get_recipe("conv"),
        data,
        epochs=epochs,
        measure=lambda trained: training.errors(trained, job.data),
    )


def train_original(job: Job[Any]) -> dict[str, Any]:
    """The autoencoder that is attacked."""
    return train(job, [], epochs=job.config.epochs)
