"""Supervised adversarial examples of greatest mutual information: Tables 2, 3, 8, Figures 1 to 4.

For every seed: train a classifier, take test images that it gets right, and find examples that it
gets wrong and that share as much information with their originals as can be, by MinMax and by the
penalty method, by MINE on feature maps and on K random projections; and both MinMax and PGD for
several ε, on an image of each class.

    python -m experiments.supervised
    python -m experiments.supervised --dataset mnist --preset paper
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import keras

import keras_uae as uae
from experiments import supervised_rows as rows
from experiments.data import Split
from experiments.engine import classifiers
from experiments.engine.attacking import SAMPLINGS, attack_work, find_uaes, found_figures
from experiments.engine.classifiers import ClassifierConfig, one_of_each
from experiments.engine.config import Choice, Epsilons, Seeds, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.engine.information import information, mutual_information
from experiments.supervised_rows import FIGURE_EPSILONS, METHODS, grid_row, images_of, random_row
from keras_uae._checks import Integer
from keras_uae.attacks import geometry
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE, Convolution

Make = Callable[..., Attack]
Figures = dict[str, Any]
CONV = MINE(features=Convolution())
EPSILONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of Figure 3
PUBLISHED = (50, 96, 100, 200, 300, 400, 500, 600, 700, 800)  # K of Tables 2 and 8
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"steps": 180, "sampling_steps": 20, "projections": (8, 16), "grid_steps": 40},
    "quick": {},
    "paper": {"steps": 9000, "sampling_steps": 1000, "grid_steps": 1000, "projections": PUBLISHED},
}
PRESETS["smoke"]["epsilons"] = (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """Adversarial examples of greatest mutual information: MinMax, penalty, PGD."""

    seeds: Seeds = (0,)
    """One run for each, a classifier of its own; tables show mean ± std."""
    epsilon: float = 1.0
    """Largest change ε of any value of an image, but for the grids."""
    steps: int = 1800
    """Iterations T of MinMax, and of all searches of the penalty method together."""
    search_steps: int = 9
    """Values of c, B, that the penalty method tries, T/B iterations each."""
    step_size: float = 0.01
    """Step α of δ."""
    step_rule: Annotated[str, Choice(geometry.STEP_RULES)] = "max"
    """What a step follows: max (the gradient divided by its largest entry), sign, or raw (the
    gradient as it is, as in the paper)."""
    initial_radius: float = 0.0
    """δ₀ is uniform in ± so much; 0 starts at the image itself, as in the paper."""
    sampling_steps: int = 200
    """Iterations of the comparison of samplings."""
    projections: tuple[Annotated[int, Integer(2)], ...] = (50, 96, 200, 500)
    """Random projections K to compare; preset paper has those of Tables 2 and 8."""
    sampling: Annotated[str, Choice(SAMPLINGS)] = "bivariate"
    """How random projections are drawn; bivariate is random by its exact law."""
    epsilons: Epsilons = EPSILONS
    """ε of the grid of MinMax and PGD."""
    grid_size: int = 10
    """Images of the grids, one of each class as far as there are."""
    grid_steps: int = 400
    """Iterations of MinMax in the grids."""
    inception: Path | None = None
    """Weights of InceptionV3 without its top (.h5), for the FID and KID of the paper. Default: the
    features of the classifier itself, whose distances compare with each other only."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every classifier, and iterations, projections and ε."""
        mine = {"seeds": (0,), **PRESETS[preset]}
        return super().for_preset(preset, dataset, **{**mine, **settings})

    def check(self) -> None:
        """As of every experiment; and T is a multiple of B."""
        super().check()
        if self.steps % self.search_steps:
            multiple = f"be a multiple of search_steps={self.search_steps}"
            self.refuse("steps", f"{multiple}, so that all c have as many")

    def complete(self, data: Split) -> Self:
        """As of every classifier; and what the attacks themselves refuse."""
        config = super().complete(data)
        self.minmax(self.untrained(data.x_train.shape[1:]))
        return config

    def minmax(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """Algorithm 1 with T iterations; `settings` override the flags."""
        return uae.MinMaxAttack(model, **{**self._settings, **settings})

    def penalty(self, model: keras.Model) -> uae.PenaltyAttack:
        """Algorithm 3 with as many iterations in all."""
        steps = {"steps": self.steps // self.search_steps, "search_steps": self.search_steps}
        return uae.PenaltyAttack(model, **{**self._settings, **steps})

    @property
    def _settings(self) -> dict[str, Any]:
        names = ("steps", "epsilon", "step_size", "step_rule", "initial_radius")
        aims = {"criterion": uae.Misclassification(), "objective": "maximize", "similarity": CONV}
        return {**aims, **{name: getattr(self, name) for name in names}}

    @property
    def methods(self) -> dict[str, Make]:
        """The attacks of Table 3."""
        return {"minmax": self.minmax, "penalty": self.penalty}

    @property
    def samplings(self) -> dict[str, tuple[int, Make]]:
        """The work for an image, and the attack, of the rows of Tables 2 and 8."""
        steps, kind = self.sampling_steps, self.sampling
        rows: dict[str, tuple[int, Make]] = {"conv": (steps, partial(self.minmax, steps=steps))}
        for count in self.projections:
            random = MINE(features=SAMPLINGS[kind](samples=count))
            make = partial(self.minmax, steps=steps, similarity=random)
            rows[random_row(count)] = attack_work(kind, steps, count), make
        return rows

    @property
    def grids(self) -> dict[str, tuple[tuple[float, ...], int, Make]]:
        """All ε, the work for an image, and the attack, of the methods of the grids."""
        epsilons = tuple(dict.fromkeys((*self.epsilons, *FIGURE_EPSILONS)))
        minmax = partial(self.minmax, steps=self.grid_steps)
        # steps of 2.5·ε/T, as in the paper
        pgd = partial(uae.PGDAttack, criterion=uae.Misclassification(), steps=self.pgd_steps)
        return {
            "minmax": (epsilons, self.grid_steps, minmax),
            "pgd": (self.epsilons, self.pgd_steps, pgd),
            "random": (FIGURE_EPSILONS, *self.samplings[random_row(self.projections[-1])]),
        }


def pieces(config: Config) -> Iterator[Piece]:
    """A classifier; the two methods and the samplings on many images; the grids on a few."""
    images = config.attack_size
    for seed in config.seeds:
        work = config.epochs * size(config.train_size)
        yield Piece("training", seed, "classifier", work, train)
        for name, make in config.methods.items():
            run = partial(search, make=make, trace=True)
            yield Piece("attack", seed, name, images * config.steps, run, mark="asr")
        yield Piece("comparison", seed, "minmax", 0, compare)
        yield Piece("attack", seed, "clean", 0, clean)
        for name, (work, make) in config.samplings.items():
            run = partial(search, make=make, far=True)
            yield Piece("attack", seed, name, images * work, run, mark="asr")
        for method, (epsilons, work, make) in config.grids.items():
            for epsilon in epsilons:
                name, run = grid_row(method, epsilon), partial(fill, make=make, epsilon=epsilon)
                yield Piece("attack", seed, name, config.grid_size * work, run, mark="asr")


def train(job: Job[Config]) -> dict[str, Any]:
    """The classifier that is attacked."""
    return classifiers.train(job, job.config.recipe(), [], epochs=job.config.epochs)


def search(job: Job[Config], *, make: Make, trace: bool = False, far: bool = False) -> Figures:
    """Table 3, or 2 and 8: an attack on all images, and how `far` from training images it gets."""
    attack: Any = make(job.model("classifier"))
    x, y = images_of(job)
    found = find_uaes(job, attack, x, y, trace=trace)
    informed = information(attack.model, attack.similarity, x, found)
    away = rows.distances(job, found.x[found.success]) if far else {}
    return {**found_figures(x, found), **informed, **away}


def clean(job: Job[Config]) -> Figures:
    """Table 2: how far the images themselves are from training images."""
    return rows.distances(job, images_of(job).x)


def compare(job: Job[Config]) -> dict[str, Any]:
    """Table 3 image by image, and Figure 2."""
    model, x = job.model("classifier"), images_of(job).x
    minmax, penalty = (job.uaes(name) for name in METHODS)
    again = [mutual_information(model, CONV, x, each.x) for each in (minmax, penalty)]
    return rows.comparison(minmax, penalty, *again)


def fill(job: Job[Config], *, make: Make, epsilon: float) -> dict[str, Any]:
    """Figures 1, 3 and 4: a row of a grid."""
    images, attack = images_of(job), make(job.model("classifier"), epsilon=epsilon)
    x, y = (each[one_of_each(images, job.config.grid_size)] for each in images)
    return found_figures(x, find_uaes(job, attack, x, y))


EXPERIMENT = Experiment(
    name="supervised",
    config=Config,
    pieces=pieces,
    labels=rows.labels,
    summarize=rows.summarize,
    tables=rows.tables,
    legend="Attacked are test images that the classifier gets right; ASR: the fraction for which "
    "an example was found that it gets wrong. MI: mutual information of image and example in nats, "
    "mean over the examples: the attack's own estimate, and new ones (anew), with shuffles that no "
    "attack has seen; x with x: the new estimate for the image and itself. K: pairs from which MI "
    "is estimated; no estimate can be trusted beyond log K. FID and KID: distances of the examples "
    f"to the first {rows.REFERENCE_SIZE} training images in features of Inception v3; without its "
    "weights they are called Fréchet and kernel, use the classifier before its last layer, and "
    "compare with each other only.",
    title=lambda config: (
        f"Supervised adversarial examples: {config.dataset}, {config.model} classifier"
    ),
    introduction=lambda config: (
        f"A classifier is trained on {config.train_size} images. Test images that it gets right "
        "are changed until it gets them wrong, by examples that share as much information with "
        "their originals as can be."
    ),
    verdicts=rows.sentences,
    figures={
        "iterations": Figure(
            "Best mutual information so far by iteration (Figure 2)", rows.draw_iterations
        ),
        "grid": Figure(
            "Examples over ε, with their classes, failures crossed out (Figure 3)", rows.draw_grid
        ),
        "samplings": Figure(
            "Examples from feature maps and random projections (1 and 4)", rows.draw_samplings
        ),
    },
    published=lambda config: {
        **PRESETS["paper"],
        **{"attack_size": 1000, "step_rule": "raw", "initial_radius": 0.0, "epsilons": EPSILONS},
    },
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
