"""The flags of a supervised run and its presets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.attacks import SAMPLING_WORK
from experiments.classifiers import ClassifierConfig
from experiments.config import settled
from experiments.data import Split
from keras_uae._checks import check_choice, check_integer, check_number
from keras_uae.attacks.base import Attack
from keras_uae.attacks.minmax import MinMaxAttack
from keras_uae.similarity import MINE, BivariateSampling, Convolution, RandomSampling

SAMPLINGS = {"random": RandomSampling, "bivariate": BivariateSampling}
PROJECTIONS = 500  # K of the unit in which the work of sampling is counted
FIGURE_EPSILONS = (1.0, 0.03)  # of Figures 1 and 4
EPSILONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of Figure 3


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """Adversarial examples of greatest mutual information: MinMax, penalty, PGD."""

    experiment = "supervised"
    counts = (
        *ClassifierConfig.counts,
        "steps",
        "search_steps",
        "sampling_steps",
        "grid_size",
        "grid_steps",
    )

    seeds: tuple[int, ...] | None = None
    """One run for each, a classifier of its own; tables show mean ± std. Preset: 0."""
    epsilon: float = 1.0
    """Largest change ε of any value of an image, but for the grids."""
    steps: int | None = None
    """Iterations T of MinMax, and of all searches of the penalty method together. Preset: 9000;
    quick: 1800; smoke: 180."""
    search_steps: int = 9
    """Values of c, B, that the penalty method tries, T/B iterations each."""
    step_size: float = 0.01
    """Step α of δ."""
    step_rule: str = "max"
    """What a step follows: max (the gradient divided by its largest entry), sign, or raw (the
    gradient as it is, as in the paper)."""
    initial_radius: float = 0.0
    """δ₀ is uniform in ± so much; 0 starts at the image itself, as in the paper."""
    sampling_steps: int | None = None
    """Iterations of the comparison of samplings. Preset: 1000; quick: 200; smoke: 20."""
    projections: tuple[int, ...] | None = None
    """Random projections K to compare. Preset: those of Tables 2 and 8; quick: 50 96 200 500;
    smoke: 8 16."""
    sampling: str = "bivariate"
    """How random projections are drawn: random, or bivariate, which is random by its exact law."""
    epsilons: tuple[float, ...] | None = None
    """ε of the grid of MinMax and PGD. Preset: 0.1 to 1.0; smoke: 0.1 0.3 1.0."""
    grid_size: int = 10
    """Images of the grids, one of each class as far as there are."""
    grid_steps: int | None = None
    """Iterations of MinMax in the grids. Preset: 1000; quick: 400; smoke: 40."""
    inception: Path | None = None
    """Weights of InceptionV3 without its top (.h5), for the FID and KID of the paper. Default: the
    features of the classifier itself, whose distances compare with each other only."""

    def resolve(self) -> Self:
        """As of every experiment; and T is a multiple of B, and the projections are known."""
        owner = type(self).__name__
        check_choice(owner, "sampling", self.sampling, SAMPLINGS)
        config = super().resolve()
        if settled(config.steps) % config.search_steps:
            raise ValueError(
                f"`steps` of {owner} must be a multiple of search_steps={config.search_steps}, so "
                f"that all c have as many. Received: steps={config.steps}."
            )
        for count in settled(config.projections):
            check_integer(owner, "projections", count, 2)
        for epsilon in settled(config.epsilons):
            check_number(owner, "epsilons", epsilon, 0)
        return config

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides."""
        settings = {
            **super().preset_settings(),
            "seeds": (0,),
            "steps": 9000,
            "sampling_steps": 1000,
            "projections": (50, 96, 100, 200, 300, 400, 500, 600, 700, 800),
            "grid_steps": 1000,
            "epsilons": EPSILONS,
        }
        if self.preset == "smoke":
            settings.update(steps=180, sampling_steps=20, projections=(8, 16), grid_steps=40)
            settings.update(epsilons=(0.1, 0.3, 1.0))
        elif self.preset == "quick":
            settings.update(steps=1800, sampling_steps=200, projections=(50, 96, 200, 500))
            settings.update(grid_steps=400)
        return settings

    def complete(self, data: Split) -> Self:
        """As of every classifier; and what the attacks themselves refuse."""
        config = super().complete(data)
        self.minmax(self.untrained(data.x_train.shape[1:]))
        return config

    def minmax(self, model: keras.Model, **settings: Any) -> MinMaxAttack:
        """Algorithm 1 with T iterations; `settings` override the flags."""
        return MinMaxAttack(model, **{**self._settings(), **settings})

    def penalty(self, model: keras.Model) -> uae.PenaltyAttack:
        """Algorithm 3 with as many iterations in all."""
        settings = {**self._settings(), "steps": settled(self.steps) // self.search_steps}
        return uae.PenaltyAttack(model, **settings, search_steps=self.search_steps)

    def pgd(self, model: keras.Model, epsilon: float) -> Attack:
        """Projected gradient descent, steps of 2.5·ε/T as in the paper."""
        criterion = uae.Misclassification()
        steps = settled(self.pgd_steps)
        return uae.PGDAttack(model, criterion=criterion, epsilon=epsilon, steps=steps)

    def _settings(self) -> dict[str, Any]:
        return {
            "criterion": uae.Misclassification(),
            "similarity": MINE(features=Convolution()),
            "objective": "maximize",
            "epsilon": self.epsilon,
            "steps": self.steps,
            "step_size": self.step_size,
            "step_rule": self.step_rule,
            "initial_radius": self.initial_radius,
        }

    def random(self, projections: int) -> MINE:
        """MINE on so many random projections."""
        return MINE(features=SAMPLINGS[self.sampling](samples=projections))

    def sampling_work(self, projections: int, steps: int) -> int:
        """What attacking one image by random projections takes, in the unit of `JobProgress`."""
        return max(1, steps * SAMPLING_WORK[self.sampling] * projections // PROJECTIONS)


def image_work(config: Config) -> int:
    """What the attacks on an image take, but for those of the grids."""
    steps = settled(config.sampling_steps)
    samplings = sum(config.sampling_work(count, steps) for count in settled(config.projections))
    return 2 * settled(config.steps) + steps + samplings


def grid_work(config: Config) -> int:
    """What the attacks on an image of the grids take."""
    steps = settled(config.sampling_steps)
    samplings = config.sampling_work(settled(config.projections)[-1], steps)
    epsilons = len({*settled(config.epsilons), *FIGURE_EPSILONS})
    descents = len(settled(config.epsilons)) * settled(config.pgd_steps)
    return epsilons * settled(config.grid_steps) + descents + len(FIGURE_EPSILONS) * samplings
