"""Do UAEs beat noise of the same size where data are few and an autoencoder overfits?

Every seed has a set of training images of its own. An autoencoder is trained on it, then again
from scratch on the images and as many additions: duplicates, the UAEs of several attacks, and for
each of these noise whose L2 norm is, image by image, that of the UAE. Test error and what a linear
classifier makes of the code are compared set by set, with confidence intervals.

    python -m experiments.small_data
    python -m experiments.small_data --dataset mnist --train-size 1000 --seeds 0 1
    python -m experiments.small_data --dataset mnist --settings epsilon_0.1 --seeds 2 3 4 5 6 7

Of many settings one seems good by chance: choose on some seeds, confirm on others.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np

import keras_uae as uae
from experiments import small_data_rows as shown
from experiments.data import COUNTS, Split, load
from experiments.engine import training
from experiments.engine.attacking import attack_figures, attack_on, attack_work, find_uaes
from experiments.engine.config import Choice, ExperimentConfig, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.small_data_rows import DUPLICATE, SETTINGS, TARGETS, Row
from keras_uae.comparison import linear_probe, noise_like
from keras_uae.comparison.noise import KINDS
from keras_uae.comparison.training import Trained
from keras_uae.similarity import names as similarity_names
from models import RECIPES, Recipe

# whose loss is all that there is to their training, and whose code is one layer
MODELS = ("dense", "sparse", "conv")
CODE = "code"  # their layer


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """Do UAEs beat noise of the same size where an autoencoder overfits?"""

    choosing = (*ExperimentConfig.choosing, "model")

    train_size: int | None = 100
    """Training images of a set. Seed s has images s·n to (s + 1)·n of the data set."""
    epochs: int | None = None  # type: ignore[assignment]
    """None: trainings are counted in steps."""
    model: Annotated[str, Choice(MODELS)] = "dense"
    """Autoencoder."""
    settings: tuple[Annotated[str, Choice(SETTINGS)], ...] = tuple(SETTINGS)
    """Attacks to try, of experiments/small_data_rows.py."""
    targets: tuple[Annotated[str, Choice(TARGETS)], ...] = tuple(TARGETS)
    """What a model trained on x + δ restores: self (x + δ, as the paper does), clean (x), or
    both, one training each."""
    steps: int = 2000
    """Training steps of the original model."""
    retraining_steps: int = 6000
    """Training steps of all others."""
    batch_size: int = 20
    """Images a training step."""
    similarity: Annotated[str, Choice(similarity_names())] = "gaussian"
    """What the attack minimises, where a setting does not say; auto, conv, random and bivariate are
    estimates of MINE."""

    @classmethod
    def for_preset(
        cls, preset: str = "quick", dataset: str = "digits", model: str = "dense", **settings: Any
    ) -> Self:
        """As of every experiment, and how large the sets are and how long they are trained on."""
        mine: dict[str, Any] = {"dataset": dataset, "model": model}
        mine |= {"steps": 6000, "retraining_steps": 18_000} if preset == "paper" else {}
        mine |= {"steps": 30, "retraining_steps": 60} if preset == "smoke" else {}
        if dataset != "digits":
            mine |= {"train_size": 1000, "batch_size": RECIPES[model].batch_size}
        return super().for_preset(preset, **{**mine, **settings})

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.model, self.preset

    @property
    def where(self) -> str:
        """What stands in the titles of tables."""
        sets = ", ".join(map(str, self.seeds))
        return f"{self.dataset}, {self.model}, sets of {self.train_size}: {sets}"

    @property
    def recipe(self) -> Recipe:
        """The model and its training."""
        return RECIPES[self.model]

    def load(self) -> Split:
        """The data set as far as the last of the sets."""
        count, sets = size(self.train_size), max(self.seeds) + 1
        most = COUNTS.get(self.dataset, (count * sets, 0))[0] // sets
        if count > most:
            why = f"so that there are {sets} sets, from that of seed 0 to that of seed {sets - 1}"
            received = f"train_size={count}, dataset={self.dataset!r}"
            self.refuse("train_size", f"be at most {most}, {why}", received)
        return load(self.dataset, data_dir=self.data_dir, train_size=count * sets)

    def complete(self, data: Split) -> Self:
        """As it is: `train_size` is that of a set."""
        self.check_images(data)
        model = self.recipe.build(data.x_train.shape[1:])
        for name in self.settings:
            self.attack(name, model)
        return self

    def set_of(self, data: Split, seed: int) -> Split:
        """The training images of a seed, and all test images."""
        count = size(self.train_size)
        part = slice(seed * count, (seed + 1) * count)
        return data._replace(x_train=data.x_train[part], y_train=data.y_train[part])

    def attack(self, setting: str, model: keras.Model) -> uae.MinMaxAttack:
        """The attack of a setting."""
        settings = {"similarity": self.similarity, **SETTINGS[setting].attack}
        return uae.MinMaxAttack(model, **settings)

    @property
    def rows(self) -> dict[str, Row]:
        """The trainings of a seed but the original, by name and in the order of the work."""
        parts = itertools.product(self.settings, self.targets, ("uae", *KINDS))
        return {row.name: row for row in (DUPLICATE, *itertools.starmap(Row, parts))}


def pieces(config: Config) -> Iterator[Piece]:
    """The original of every seed, and the trainings of its rows with their attacks."""
    for seed in config.seeds:
        yield Piece("training", seed, "original", config.steps * config.batch_size, train_original)
        for name, row in config.rows.items():
            setting = SETTINGS[row.setting]
            work = config.retraining_steps * config.batch_size
            if row.kind == "uae":
                found = setting.rounds * setting.examples * size(config.train_size)
                work += found * _image_work(config, row)
            yield Piece("training", seed, name, work, retrain)


def _image_work(config: Config, row: Row) -> int:
    attack = SETTINGS[row.setting].attack
    return attack_work(str(attack.get("similarity", config.similarity)), attack.get("steps", 40))


def train_original(job: Job[Config]) -> dict[str, Any]:
    """The autoencoder of a set."""
    data = job.config.set_of(job.data, job.seed)
    trained = _train(job, data.x_train, [], job.config.steps)
    job.keep(trained.model)
    return _measured(trained, data)


def retrain(job: Job[Config]) -> dict[str, Any]:
    """A new model, trained on the images of the set and on what its row adds, round after round.

    It has the initial weights of the original, which is attacked first; in further rounds it is
    attacked itself.
    """
    row, data = job.config.rows[job.name], job.config.set_of(job.data, job.seed)
    x, figures = data.x_train, {}
    trained: Any = None  # before the first round
    for place, steps in enumerate(round_steps(job.config, row)):
        added = additions(job, x, row, trained and trained.model, place)
        if row.kind == "uae" and place == 0:
            found = uae.UAEs.concatenate(added)
            figures = attack_figures(np.tile(x, (len(added), 1, 1, 1)), found.x, found.success)
        total = job.config.retraining_steps
        trained = _train(job, x, added, steps, target=row.target, after=trained, total=total)
    return {**_measured(trained, data), **figures}


def additions(
    job: Job[Config], x: np.ndarray, row: Row, model: keras.Model | None, place: int
) -> list[Any]:
    """The additions of a round, `examples` times as many as x.

    UAEs are those of `model`, at first of the original. Noise is like those that the same setting
    has made before.
    """
    if row.kind == "duplicate":
        return [x]
    paths = example_paths(job, row, place)
    if row.kind == "uae":
        make = partial(job.config.attack, row.setting)
        attack = attack_on(job, model or job.model("original"), row.setting, make)
        return [
            find_uaes(
                job,
                attack,
                x,
                path=path,
                # no two examples of an image have the same δ₀
                seed=job.seed + 1_000_003 * (place + 7 * example),
                work=_image_work(job.config, row),
            )
            for example, path in enumerate(paths)
        ]
    z = np.concatenate([job.run.read(path, uae.UAEs.load).x for path in paths])
    key = (job.seed, place, list(KINDS).index(row.kind))
    noisy = noise_like(np.tile(x, (len(paths), 1, 1, 1)), z, row.kind, key)
    return np.split(noisy, len(paths))


def example_paths(job: Job[Config], row: Row, place: int) -> list[Path]:
    """Where the UAEs of a round are, a file for each example of an image.

    Those of the first round are of the original model, and the same for all targets.
    """
    model = "original" if place == 0 else f"{row.target}-{place}"
    examples = range(SETTINGS[row.setting].examples)
    return [job.path(f"{row.setting}-{model}-{example}_uae.npz") for example in examples]


def round_steps(config: Config, row: Row) -> list[int]:
    """The training steps of every round: all of them together are those of the duplicates."""
    borders = np.linspace(0, config.retraining_steps, SETTINGS[row.setting].rounds + 1)
    return np.diff(borders.round().astype(int)).tolist()


def _train(
    job: Job[Config],
    x: np.ndarray,
    added: list[Any],
    steps: int,
    *,
    target: str = "self",
    after: Trained | None = None,
    total: int | None = None,
) -> Trained:
    """A new model, or the one of an earlier round, trained on the images of a set and additions.

    `total` are the steps of all rounds together; without it there is one round.
    """
    config = job.config
    data = uae.UAEAugmentation(x, added, batch_size=config.batch_size, target=target, seed=job.seed)
    return training.trainer(job, config.recipe, x.shape[1:]).train(
        job.seed,
        data,
        budget=steps,
        after=after,
        total=total,
        advance=lambda samples: job.progress.advance(samples, job.label),
    )


def _measured(trained: Trained, data: Split) -> dict[str, Any]:
    """Errors, and what the code is worth, of the last and of the averaged weights."""
    probe = replace(linear_probe(data.x_train, data.y_train, layer=CODE), name="accuracy")
    return {**training.errors(trained, data, probe), **training.budget(trained)}


EXPERIMENT = Experiment(
    name="small_data",
    config=Config,
    pieces=pieces,
    labels=shown.labels,
    summarize=shown.summarize,
    tables=shown.tables,
    legend="vs: by how much UAEs are better (+) or worse (−) than the duplicate control and than "
    "noise of the same L2 norm, image by image: Gaussian, uniform, signs at random, and δ itself "
    "with its values on other pixels of the image (shuffled). Mean over the sets ± half of the 95 "
    "% confidence interval, by the weights averaged over the end of the training; in % of the test "
    "error, and in percentage points of the test accuracy of logistic regression on the code. ASR "
    "and L2 of δ are those of the first round.",
    title=lambda config: f"Small data: {config.dataset}, {config.model} autoencoder",
    introduction=lambda config: (
        f"Each of {len(config.seeds)} sets has {config.train_size} training images of its own. An "
        f"autoencoder is trained on them for {config.steps} steps, and again from scratch on them "
        f"and their additions for {config.retraining_steps}. Noise has the L2 norm of the UAE of "
        "the same image."
    ),
    verdicts=shown.verdicts,
    figures={
        "gains": Figure(
            "UAEs next to noise of the same size, with 95 % confidence intervals", shown.draw
        )
    },
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
