"""Do UAEs help the concrete autoencoder to select features? Table 6, with the controls it lacks.

For every seed: fit `ConcreteFeatureSelector` to the training samples, find UAEs of these on its
network, by the attack of the run and by that of the published code, and fit new selectors, with the
same seed, to the originals and these, or the originals once more; compare the reconstruction errors
of their networks on the test samples, and what classifiers make of the selected features alone.
Beside them stand features that took no network; see `ROWS` of feature_selection_rows.py.

    python -m experiments.feature_selection
    python -m experiments.feature_selection --dataset mnist --preset paper
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Self

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning

import keras_uae as uae
from experiments import feature_selection_rows as rows
from experiments import paper
from experiments.data import PROTOCOLS, TABULAR, Split, load, names
from experiments.engine import attacking, training
from experiments.engine.attacking import PROJECTIONS, SAMPLINGS, AttackConfig, attacked
from experiments.engine.config import Choice, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.feature_selection_rows import ATTACKS, FIXED, NETWORKS, ROWS, SEEDED
from keras_uae import evaluation
from keras_uae import similarity as similarities
from keras_uae._checks import Integer, check_integer
from keras_uae.comparison.training import Trained
from keras_uae.selection import ConcreteFeatureSelector
from models import concrete_autoencoder

FEATURES = {"digits": 16, "mice_protein": 10}  # the paper's M, of all others 50; it has no digits
EPOCHS = {"default": 100, "published": 800}  # of `ConcreteFeatureSelector`, by its preset
# more samples than these are attacked by MINE only where the paper's settings are wanted
MINE_SAMPLES = 2_000
FORESTS = (0, 1, 2)  # their seeds, the same for every selection
# Three forests and a look at all neighbours, in training samples of a network for each sample
JUDGING_WORK = 10


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs help to select features? Table 6 of the paper, with controls and baselines."""

    choosing = (*AttackConfig.choosing, "selector")

    dataset: Annotated[str, Choice(names(), others=True)] = "digits"
    """The digits come with scikit-learn; isolet, coil20, mice_protein and activity are also read
    from their files in --data-dir; all others are those of tensorflow-datasets."""
    epochs: int = 30
    """Epochs of every selector."""
    similarity: Annotated[str, Choice(similarities.names())] = "auto"
    """What the attack minimises; random, and bivariate, its exact law, are estimates of MINE. auto:
    bivariate; but gaussian for more than 2000 samples, unless the preset is paper."""
    features: int = FEATURES["digits"]
    """Features to select, K."""
    selector: Annotated[str, Choice(EPOCHS)] = "default"
    """Settings of ConcreteFeatureSelector; default is the fast one."""
    projections: int = 96
    """Projections of random and bivariate: pairs from which MINE estimates. 96 are those of the
    paper's Table 2, 500 those of its selections."""
    protocol: Annotated[str, Choice(PROTOCOLS)] = "clean"
    """How the data are filled in, scaled and split: clean, which uses nothing of the test samples,
    or published, as the published code does."""
    split_seed: Annotated[int, Integer(0, 2**32 - 1)] = 0
    """Split of data sets that come without one. All seeds share it: they measure the training."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every attack, and how the data set and the selector are trained."""
        selector = settings.get("selector", "published" if preset == "paper" else "default")
        mine = {"dataset": dataset, "selector": selector, "epochs": EPOCHS[selector]}
        mine["features"] = FEATURES.get(dataset, 50)
        mine["projections"] = PROJECTIONS if preset == "paper" else 96
        if preset == "smoke":
            mine |= {"train_size": 300, "epochs": 5}
        elif preset == "quick" and dataset == "digits":
            mine["epochs"] = 30
        elif preset == "quick" and dataset not in TABULAR:
            mine["train_size"] = 10_000
        return super().for_preset(preset, **{**mine, **settings})

    @property
    def printed(self) -> paper.Rows:
        """What the paper prints of this data set."""
        return paper.feature_selection(self.dataset, self.similarity)

    def load(self) -> Split:
        """The data set, split and prepared as the flags say."""
        kept: dict[str, Any] = {"data_dir": self.data_dir, "train_size": self.train_size}
        return load(self.dataset, **kept, seed=self.split_seed, protocol=self.protocol)

    def complete(self, data: Split) -> Self:
        """As of every attack; and there are as many features, and the similarity is settled."""
        width = flat(data.x_train).shape[1]
        check_integer(type(self).__name__, "features", self.features, 1, width)
        small = len(data.x_train) <= MINE_SAMPLES or self.preset == "paper"
        auto = "bivariate" if small else "gaussian"
        config = replace(self, similarity=auto) if self.similarity == "auto" else self
        return AttackConfig.complete(config, data)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A concrete autoencoder that has not been trained."""
        return concrete_autoencoder((math.prod(shape),), self.features)

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of `model`."""
        if self.similarity in SAMPLINGS:
            sampling = SAMPLINGS[self.similarity](samples=self.projections)
            settings["similarity"] = similarities.MINE(features=sampling)
        return super().attack(model, **settings)


def flat(x: Any) -> Any:
    """Samples as vectors: pixels row by row."""
    return x.reshape(len(x), -1)


def pieces(config: Config) -> Iterator[Piece]:
    """Networks and what their features are worth; no seed where that is the same for all."""
    count, added = size(config.train_size), size(config.attack_size)
    judging = count * JUDGING_WORK
    one = attacking.attack_work(config.similarity, config.steps, config.projections)
    for name in FIXED:
        yield Piece("features", None, name, judging, judge)
    for seed in config.seeds:
        for name in NETWORKS:
            if name in ATTACKS:
                yield Piece("attack", seed, name, added * one, attack, mark="asr")
            rows = count if name == "original" else count + added
            yield Piece("training", seed, name, config.epochs * rows, train)
            yield Piece("features", seed, name, judging, judge)
        for name in SEEDED:
            yield Piece("features", seed, name, judging, judge)


def attack(job: Job[Config]) -> dict[str, Any]:
    """UAEs of the first network."""
    x, make = flat(attacked(job)), partial(job.config.attack, **ATTACKS[job.name])
    attack = attacking.attack_on(job, job.model("original"), job.name, make)
    return attacking.found_figures(x, attacking.find_uaes(job, attack, x))


def selector(config: Config, seed: int) -> ConcreteFeatureSelector:
    """The selector of every row that trains one: those of a seed differ in their data only."""
    # a further try, which takes twice the epochs, would give one row more of them than another
    settings: dict[str, Any] = {"epochs": config.epochs, "tryouts": 1, "random_state": seed}
    return ConcreteFeatureSelector.from_preset(config.selector, config.features, **settings)


def train(job: Job[Config]) -> dict[str, Any]:
    """A selector fitted to the originals and what the row adds: its errors and features."""
    data = job.data.flat()
    x = data.x_train
    if job.name != "original":
        added = flat(attacked(job)) if job.name == "duplicate" else job.uaes(job.name).x
        x = np.concatenate([x, added])
    fitted, average = selector(job.config, job.seed), uae.MeanWeights()
    # the warning is in the record and in the tables; printed, it would break the bar
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        fitted.fit(x, callbacks=[average, job.progress.callback(job.label, len(x))])
    if job.name == "original":
        job.keep(fitted.model_)
    return {
        **training.errors(Trained(fitted.model_, average, None, len(x)), data),
        "features": fitted.indices_.tolist(),
        "converged": bool(fitted.converged_),
        "mean_max_probability": float(fitted.mean_max_probability_),
        "epochs": sum(len(history["loss"]) for history in fitted.history_),
        "samples": len(x),
    }


def judge(job: Job[Config]) -> dict[str, Any]:
    """What the features of a row, each once, tell classifiers and a linear map of the samples."""
    row, data = ROWS[job.name], job.data
    if row.select is None:
        trained = job.run.find(stage="training", seed=job.seed, name=job.name) or {}
        features = np.unique(trained["features"])
    else:
        seed = [job.seed] if row.seeded else []
        features = row.select(flat(data.x_train), job.config.features, *seed)
    forests = evaluation.extra_trees_accuracy(*data, features=features, seeds=FORESTS)
    linear = evaluation.linear_reconstruction_error(data.x_train, data.x_test, features=features)
    return {
        "features": np.sort(features).tolist(),
        "n_unique": len(features),
        "accuracy": forests.mean,
        "accuracies": list(forests.test),
        "neighbor_accuracy": evaluation.nearest_neighbor_accuracy(*data, features=features),
        "linear_error": linear,
    }


def published(config: Config) -> dict[str, Any]:
    """The settings of Table 6, nothing for other data sets; what has no influence is as it is."""
    if not config.printed:
        return {}
    theirs = paper.printed("feature_selection", config.dataset)
    by_mine = config.similarity in SAMPLINGS
    return {
        "features": theirs["features"],
        "train_size": theirs["samples"][0],
        "attack_size": theirs["samples"][0],
        "selector": "published",
        "epochs": EPOCHS["published"],
        "steps": 40,
        "protocol": "published" if config.dataset in TABULAR else config.protocol,
        "similarity": config.similarity if by_mine else "random",
        "projections": PROJECTIONS if by_mine else config.projections,
    }


EXPERIMENT = Experiment(
    name="feature_selection",
    config=Config,
    pieces=pieces,
    labels=rows.labels,
    summarize=rows.summarize,
    tables=rows.tables,
    legend="Test error: mean squared error per input dimension of the network that sees the "
    "selected features, on test samples without perturbation; of the last weights, as the paper "
    "has it, and of weights averaged over the last quarter of the training. vs: + is a lower error "
    "than that of the original or the duplicate of the same seed, − a higher one; vs original by "
    "the last weights, vs duplicate by the averaged ones, ± half of the 95 % interval. ± std over "
    "the seeds; rows without ± are the same for all. ExtraTrees: test accuracy of 50 trees on the "
    "selected features, mean of three forests; 1-NN: of the nearest training sample. Linear error: "
    "as test error, of the best linear map. Features: how many different ones, where two units of "
    "a network may select the same. ASR: the fraction of training samples that the original "
    "network restores from the perturbed sample no worse than before. Settled: seeds in which "
    "every unit has settled on one feature.",
    title=lambda config: f"Feature selection: {config.features} features of {config.dataset}",
    introduction=lambda config: (
        f"A concrete autoencoder that selects {config.features} features is trained on "
        f"{config.train_size} samples, then anew, with the same seed, on these and "
        f"{config.attack_size} more: UAEs of the first network, or, as the control, the samples as "
        "they are. All of these see the same number of samples in the same number of steps: what a "
        "perturbation itself brings is the difference to the control. Every training is one try of "
        "the selector, where the paper has up to five. The other rows select without a network."
    ),
    verdicts=rows.sentences,
    figures={
        "scores": Figure(
            "Test error and accuracy of every row, a dot for each seed", rows.draw_scores
        ),
        "features": Figure("The selected features", rows.draw_features),
    },
    published=published,
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
