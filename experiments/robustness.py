"""How well classifiers withstand perturbations: Figures 6 to 9, and 10 (a) with its control.

For every seed, classifiers are trained on the images alone, with as many duplicates, with UAEs of
a convolutional autoencoder, and with noise as large as these, by standard and by adversarial
training, or by TRADES, and attacked over ε: see `PARTS` of robustness_curves.py.

    python -m experiments.robustness
    python -m experiments.robustness --dataset mnist --parts trades --weights trades.npz
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import keras

import keras_uae as uae
import models
from experiments import robustness_curves as curves
from experiments.data import COUNTS, Split
from experiments.engine import autoencoders, classifiers
from experiments.engine.attacking import find_uaes, found_figures
from experiments.engine.classifiers import ClassifierConfig
from experiments.engine.config import Choice, Epsilons, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.robustness_curves import PARTS, attacked, classifier, family, point
from keras_uae._checks import Integer, Number
from keras_uae.attacks.base import Attack
from keras_uae.comparison import noise_like
from models import ClassifierRecipe, get_recipe

GREY_EPSILONS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
COLOUR_EPSILONS = tuple(value / 255 for value in (1, 2, 4, 8, 16))
# ε of the robust trainings; 8×8 images bear less
TRAINING_EPSILONS = {"digits": 0.1, "mnist": 0.3, "fashion_mnist": 0.1}
STANDARD_STEP = 0.01  # of PGD on standard classifiers (supplement 6.17)
ROBUST = {"madry": models.AdversarialTraining, "trades": models.TRADES}


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """How well classifiers withstand PGD and MinMax, trained with and without UAEs."""

    choosing = (*ClassifierConfig.choosing, "epochs")

    parts: tuple[Annotated[str, Choice(PARTS)], ...] = tuple(PARTS)
    """What to do, see Figures 7 to 10."""
    epsilons: Epsilons = GREY_EPSILONS
    """ε of the attacks."""
    weights: Path | None = None
    """File of the published TRADES classifier for MNIST. Default: one is trained."""
    minmax_steps: int = 200
    """Iterations of MinMax; half as many again on TRADES, as in the paper."""
    steps: int = 40
    """Iterations T of the attack that finds UAEs."""
    autoencoder_epochs: int = 10
    """Epochs of the autoencoder whose UAEs are added."""
    robust_epochs: int = classifiers.DIGITS_EPOCHS
    """Epochs of the robust trainings: as many as `epochs`, unless set."""
    robust_steps: int = 10
    """Iterations for each sample of a robust training."""
    robust_warm_up: Annotated[int, Integer(0)] = 200
    """Training steps over which ε of a robust training grows to its value."""
    robust_epsilon: Annotated[float, Number(0)] = TRAINING_EPSILONS["digits"]
    """ε of the robust trainings."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every classifier, and what suits grey images or those in colour."""
        config = super().for_preset(preset, dataset, **settings)
        colour = config.model == "cifar"
        mine: dict[str, Any] = {"epsilons": COLOUR_EPSILONS if colour else GREY_EPSILONS}
        mine["robust_epsilon"] = 8 / 255 if colour else TRAINING_EPSILONS.get(dataset, 0.3)
        mine["robust_epochs"] = config.epochs
        if preset == "smoke":
            mine |= {"minmax_steps": 20, "steps": 10, "robust_steps": 4}
            mine["epsilons"] = (0.05, 0.1, 0.2, 0.4)
        elif preset == "paper":
            mine |= {"autoencoder_epochs": get_recipe("conv").epochs, "robust_steps": 40}
            mine["robust_warm_up"] = 0
        return dataclasses.replace(config, **{**mine, **settings})

    def complete(self, data: Split) -> Self:
        """As of every classifier; and the weights are there and suit the data."""
        config = super().complete(data)
        shape = None if self.weights is None else self.published().input_shape[1:]
        if shape not in (None, data.x_train.shape[1:]):
            raise ValueError(
                f"`weights` of {type(self).__name__} are those of a classifier of images {shape}. "
                f"Received: dataset={self.dataset!r}."
            )
        return config

    def published(self) -> keras.Model:
        """The published TRADES classifier."""
        return models.load_trades_classifier(self.weights or "")

    @property
    def rows(self) -> dict[str, list[str]]:
        """The methods that attack each row, in the order of the work."""
        rows: dict[str, list[str]] = {}
        for row, method in dict.fromkeys(each for part in self.parts for each in PARTS[part]):
            rows.setdefault(row, []).append(method)
        return rows

    def recipe_of(self, row: str) -> ClassifierRecipe:
        """How the classifier of a row is trained."""
        plain, kind = self.recipe(), ROBUST.get(family(row))
        if kind is None:
            return plain
        # a robust training takes about a third more steps than it takes to cross the ball
        ball: dict[str, Any] = {"epsilon": self.robust_epsilon, "steps": self.robust_steps}
        ball["step_size"] = 4 / 3 * self.robust_epsilon / self.robust_steps
        # without it, two of three trainings with UAEs ended with one class for all images
        ball["warm_up"] = self.robust_warm_up

        def build(shape: Sequence[int], *, seed: int) -> keras.Model:
            return kind(plain.build(shape, seed=seed), **ball, seed=seed)

        recipe = dataclasses.replace(plain, build=build)
        if kind is models.TRADES:
            return recipe
        # published: 1e-4, and 100 000 steps; fewer need longer ones
        rate = 1e-4 if self.preset == "paper" else 1e-3
        adam = functools.partial(keras.optimizers.Adam, learning_rate=rate)
        return dataclasses.replace(recipe, optimizer=adam)

    def effort(self, row: str) -> dict[str, int]:
        """Epochs of the training of a row, and what a sample of a step counts for."""
        if family(row) in ROBUST:
            return {"epochs": self.robust_epochs, "weight": 1 + self.robust_steps}
        return {"epochs": self.epochs, "weight": 1}

    def attack(self, row: str, method: str, model: keras.Model, epsilon: float) -> Attack:
        """The attack on the classifier of a row."""
        settings: dict[str, Any] = {"criterion": uae.Misclassification(), "epsilon": epsilon}
        settings["steps"] = self.attack_steps(row, method)
        if method == "pgd":
            step_size = None if family(row) in ROBUST else STANDARD_STEP
            return uae.PGDAttack(model, **settings, step_size=step_size)
        settings |= {"objective": "maximize", "similarity": "conv", "initial_radius": 0.0}
        return uae.MinMaxAttack(model, **settings)

    def attack_steps(self, row: str, method: str) -> int:
        """Iterations of an attack."""
        if method == "pgd":
            return self.pgd_steps
        return self.minmax_steps * 3 // 2 if family(row) == "trades" else self.minmax_steps


def pieces(config: Config) -> Iterator[Piece]:
    """The UAEs that all rows share; then a training for every row, and its attacks over ε."""
    count = size(config.train_size)
    for seed in config.seeds:
        if any(row.endswith("-uae") for row in config.rows):
            epochs = config.autoencoder_epochs
            run = functools.partial(autoencoders.train, added=[], epochs=epochs)
            yield Piece("training", seed, "autoencoder", count * epochs, run)
            yield Piece("attack", seed, "uae", count * config.steps, find, mark="asr")
        for row, methods in config.rows.items():
            if row != "trades" or config.weights is None:
                samples = count * (2 if "-" in row else 1)
                work = samples * math.prod(config.effort(row).values())
                yield Piece("training", seed, row, work, train)
            for method in methods:
                work = config.attack_size * config.attack_steps(row, method)
                for epsilon in config.epsilons:
                    run = functools.partial(attack, row=row, method=method, epsilon=epsilon)
                    yield Piece("attack", seed, point(row, method, epsilon), work, run, mark="asr")


def find(job: Job[Config]) -> dict[str, Any]:
    """UAEs of the training images."""
    x, attack = job.data.x_train, uae.MinMaxAttack(job.model("autoencoder"), steps=job.config.steps)
    return found_figures(x, find_uaes(job, attack, x))


def train(job: Job[Config]) -> dict[str, Any]:
    """The classifier of a row, trained on the images and what it adds to them."""
    config, row = job.config, job.name
    added = added_to(row, job)
    return classifiers.train(job, config.recipe_of(row), added, **config.effort(row))


def added_to(row: str, job: Job[Config]) -> Any:
    """What the classifier of a row is trained on beside the images."""
    x = job.data.x_train
    match row.rpartition("-")[2]:
        case "duplicate":
            return x
        case "noise":
            return noise_like(x, job.uaes("uae").x, "gaussian", job.seed)
        case "uae":
            return job.uaes("uae")
    return []


def attack(job: Job[Config], *, row: str, method: str, epsilon: float) -> dict[str, Any]:
    """A point of a curve."""
    model, (x, y) = classifier(job, row), attacked(job, row)
    found = find_uaes(job, job.config.attack(row, method, model, epsilon), x, y)
    return {**found_figures(x, found), "row": row, "method": method, "epsilon": epsilon}


def published(config: Config) -> dict[str, Any]:
    """The paper's settings."""
    paper = Config.for_preset("paper", config.dataset, model=config.model)
    names = ("epochs", "robust_epochs", "robust_steps", "robust_warm_up", "attack_size")
    counts = {"train_size": COUNTS[config.dataset][0]} if config.dataset in COUNTS else {}
    return {**counts, **{name: getattr(paper, name) for name in names}}


EXPERIMENT = Experiment(
    name="robustness",
    config=Config,
    pieces=pieces,
    labels=curves.labels,
    summarize=curves.summarize,
    tables=curves.tables,
    legend="Success rate of the attack (ASR) for each ε on test images that the classifier gets "
    "right, mean ± std over the seeds; low is robust. Accuracy: on all test images, unperturbed. "
    "The duplicate control is trained on as many images in as many steps as the row with UAEs: "
    "what the UAEs themselves bring is the difference between these two. Noise: Gaussian, with the "
    "L2 norm of the UAE of each image.",
    title=lambda config: f"Robustness of classifiers: {config.dataset}, {config.model} classifier",
    introduction=lambda config: (
        f"Classifiers are trained on {config.train_size} images and attacked on "
        f"{config.attack_size} test images that they get right. UAEs are those of an autoencoder, "
        "with the labels of their originals; where none was found, the image itself is added."
    ),
    verdicts=curves.sentences,
    figures={
        "curves": Figure("Success rate over ε, mean ± std over the seeds", curves.draw_curves),
        "grid": Figure("Examples over ε, failures crossed out (Figure 6)", curves.draw_grid),
    },
    published=published,
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
