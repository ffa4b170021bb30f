"""The flags of a feature selection run and its presets."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.attacks import AttackConfig, attack_work
from experiments.config import settled
from experiments.data import PROTOCOLS, TABULAR, Split, load
from keras_uae._checks import check_choice, check_integer
from keras_uae.similarity import MINE, BivariateSampling, RandomSampling
from models import concrete_autoencoder

# the paper's M; digits are not among its data
FEATURES = {"digits": 16, "mice_protein": 10}
OTHER_FEATURES = 50
# epochs of `ConcreteFeatureSelector`, by its preset
EPOCHS = {"default": 100, "published": 800}
# more samples than these are attacked by MINE only where the paper's settings are wanted
MINE_SAMPLES = 2_000
PROJECTIONS = 500  # of the paper, section 6.2
SAMPLINGS = {"random": RandomSampling, "bivariate": BivariateSampling}


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs help to select features? Table 6 of the paper, with controls and baselines."""

    experiment = "feature_selection"
    counts = (*AttackConfig.counts, "features", "projections")

    dataset: str = "digits"
    """digits (comes with scikit-learn), mnist, fashion_mnist, isolet, coil20, mice_protein,
    activity, or any other image data set of tensorflow-datasets."""
    data_dir: Path | None = None
    """Directory of tensorflow-datasets, or of the files of isolet, coil20, mice_protein and
    activity. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    epochs: int | None = None
    """Epochs of every selector. Preset: 800 of the published selector, else 100; quick on digits:
    30; smoke: 5."""
    similarity: str = "auto"
    """What the attack minimises: random or bivariate (MINE), gaussian, l2, cosine. auto: bivariate,
    which is random by its exact law; but gaussian for more than 2000 samples, unless the preset is
    paper."""
    features: int | None = None
    """Features to select, K. Default: 50, as in the paper; mice_protein: 10; digits: 16."""
    selector: str | None = None
    """Settings of ConcreteFeatureSelector: default (fast) or published. Preset: default; paper:
    published."""
    projections: int | None = None
    """Projections of random and bivariate: pairs from which MINE estimates. Preset: 500, as in the
    paper; smoke and quick: 96, as in its Table 2."""
    protocol: str = "clean"
    """How the data are filled in, scaled and split: clean, which uses nothing of the test samples,
    or published, as the published code does."""
    split_seed: int = 0
    """Split of data sets that come without one. All seeds share it: they measure the training."""

    def resolve(self) -> Self:
        """As of every experiment; and the selector and the protocol are known."""
        owner = type(self).__name__
        if self.selector is not None:
            check_choice(owner, "selector", self.selector, EPOCHS)
        check_choice(owner, "protocol", self.protocol, PROTOCOLS)
        check_integer(owner, "split_seed", self.split_seed, 0, 2**32 - 1)
        return super().resolve()

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set."""
        selector = self.selector or ("published" if self.preset == "paper" else "default")
        settings: dict[str, Any] = {
            **super().preset_settings(),
            "features": FEATURES.get(self.dataset, OTHER_FEATURES),
            "selector": selector,
            "epochs": EPOCHS[selector],
            "projections": PROJECTIONS if self.preset == "paper" else 96,
            "train_size": None,  # all
        }
        if self.preset == "smoke":
            settings.update(train_size=300, epochs=5)
        elif self.preset == "quick" and self.dataset == "digits":
            settings.update(epochs=30)
        elif self.preset == "quick" and self.dataset not in TABULAR:
            settings.update(train_size=10_000)
        return settings

    def load(self) -> Split:
        """The data set, split and prepared as the flags say."""
        return load(
            self.dataset,
            data_dir=self.data_dir,
            train_size=self.train_size,
            seed=self.split_seed,
            protocol=self.protocol,
        )

    def complete(self, data: Split) -> Self:
        """As of every attack; and there are as many features, and the similarity is settled."""
        width = flat(data.x_train).shape[1]
        check_integer(type(self).__name__, "features", self.features, 1, width)
        config = self
        if self.similarity == "auto":
            small = len(data.x_train) <= MINE_SAMPLES or self.preset == "paper"
            config = dataclasses.replace(self, similarity="bivariate" if small else "gaussian")
        return AttackConfig.complete(config, data)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A concrete autoencoder that has not been trained."""
        return concrete_autoencoder((math.prod(shape),), settled(self.features))

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of `model`."""
        if self.similarity in SAMPLINGS:
            sampling = SAMPLINGS[self.similarity](samples=settled(self.projections))
            settings["similarity"] = MINE(features=sampling)
        if self.similarity in ("gaussian", "l2"):
            # Both pull at all features alike, and the network sees K of them: from c = 0 on, δ is
            # far off in these K before c has grown. On the digits the attack succeeds for 16 % and
            # 3 % of the samples that way, and for 95 % with this start.
            settings["initial_multiplier"] = 10.0
        return super().attack(model, **settings)

    def attack_work(self) -> int:
        """What attacking one sample takes, in the unit of `JobProgress`, and roughly."""
        steps = settled(self.steps)
        work = attack_work(self.similarity, steps)
        return max(steps, work * settled(self.projections) // PROJECTIONS)


def flat(x: Any) -> Any:
    """Samples as vectors: pixels row by row."""
    return x.reshape(len(x), -1)
