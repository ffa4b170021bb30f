"""How experiments train classifiers, and which images they attack them on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Self

import keras
import numpy as np

import keras_uae as uae
from experiments.data import Split
from experiments.engine import training
from experiments.engine.config import Choice, ExperimentConfig
from experiments.engine.job import Job
from experiments.engine.plots import Panel
from keras_uae._checks import check_integer
from keras_uae.comparison.training import Trained
from keras_uae.evaluation import extract_features
from models import CLASSIFIERS, ClassifierRecipe, get_classifier

# The networks by data set; all others are colour images like those of CIFAR-10
_NETWORKS = {"digits": "small", "mnist": "mnist", "fashion_mnist": "mnist"}
CLASSES = 10
DIGITS_EPOCHS = 30


@dataclass(frozen=True)
class ClassifierConfig(ExperimentConfig):
    """Settings of experiments that train classifiers and attack them."""

    choosing = (*ExperimentConfig.choosing, "model")

    epochs: int = DIGITS_EPOCHS
    """Epochs of the classifier."""
    model: Annotated[str, Choice(CLASSIFIERS)] = "small"
    """Classifier: small for the digits, mnist for MNIST and Fashion-MNIST, else cifar."""
    batch_size: int = 32
    """Images a training step."""
    attack_size: int = 200
    """Attack the first so many test images that the classifier gets right."""
    pgd_steps: int = 100
    """Iterations of PGD."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every experiment, and how the data set is trained and attacked."""
        model = settings.get("model") or _NETWORKS.get(dataset, "cifar")
        recipe = get_classifier(model)
        mine = {"dataset": dataset, "epochs": recipe.epochs, "batch_size": recipe.batch_size}
        mine["attack_size"] = {"smoke": 20, "quick": 200}.get(preset, 1000)
        if dataset == "digits":
            mine |= {"batch_size": 32, "epochs": DIGITS_EPOCHS}
        elif preset != "paper":
            mine |= {"train_size": 10_000, "epochs": 10}
        if preset == "smoke":
            mine |= {"batch_size": 32, "epochs": 10, "pgd_steps": 20}
        return super().for_preset(preset, **{**mine, **settings, "model": model})

    def complete(self, data: Split) -> Self:
        """As of every experiment; and the data are images that the classifier takes."""
        self.untrained(data.x_train.shape[1:])
        check_integer(type(self).__name__, "attack_size", self.attack_size, 1, len(data.x_test))
        if (count := data.y_train.max() + 1) > CLASSES:
            received = f"dataset={self.dataset!r} with {count}"
            self.refuse("dataset", f"have {CLASSES} classes at most", received)
        return super().complete(data)

    def recipe(self) -> ClassifierRecipe:
        """The classifier and its training."""
        return get_classifier(self.model)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A classifier that has not been trained."""
        return self.recipe().build(shape)


class Attacked(NamedTuple):
    """The images that are attacked, and their labels."""

    x: np.ndarray
    y: np.ndarray


def train(
    job: Job[Any], recipe: ClassifierRecipe, added: Any, *, epochs: int, weight: int = 1
) -> dict[str, Any]:
    """The classifier of the piece, trained on the originals and `added`, is kept.

    Its figures are the accuracy, and how many classes it gives to the test images at all.

    What is added has the labels of the originals.
    """
    x, y, x_test, y_test = job.data
    data = uae.UAEAugmentation(x, added, y, batch_size=job.config.batch_size, seed=job.seed)

    def measure(trained: Trained) -> dict[str, Any]:
        given = classes(trained.model, x_test)
        return {"accuracy": float(np.mean(given == y_test)), "classes": len(np.unique(given))}

    return training.train_and_keep(job, recipe, data, epochs=epochs, measure=measure, weight=weight)


def classes(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The class that the classifier gives to each image."""
    return extract_features(model, x, batch_size=256).argmax(axis=1)


def attacked(data: Split, model: keras.Model, count: int) -> Attacked:
    """The first `count` test images that `model` gets right."""
    x, y = data.x_test, data.y_test
    right = np.flatnonzero(classes(model, x) == y)[:count]
    if not len(right):
        raise ValueError(f"`model` of attacked gets no image right. Received: {model.name!r}.")
    return Attacked(x[right], y[right])


def one_of_each(images: Attacked, count: int) -> np.ndarray:
    """The rows of the first image of each class, at most `count` of them."""
    return np.unique(images.y, return_index=True)[1][:count]


def panel(title: str, model: keras.Model, x: np.ndarray, lines: Mapping[str, uae.UAEs]) -> Panel:
    """Images and their examples, the class that `model` gives to each, failures crossed out."""
    images = [x, *(found.x for found in lines.values())]
    words = [[str(each) for each in classes(model, line)] for line in images]
    crossed = [[False] * len(x), *(list(~found.success) for found in lines.values())]
    return Panel(title, ["original", *lines], images, words, crossed)
