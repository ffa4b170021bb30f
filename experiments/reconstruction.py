"""Do UAEs improve reconstruction? Tables 4, 5 and 11 of the paper, with controls it does not have.

For every seed: train an autoencoder, find UAEs of its training images, and train anew, from
scratch, on the originals and one augmentation at a time: see `ROWS` of reconstruction_rows.py.
Compare the reconstruction errors on the test images, with a control of equal budget for each row.

    python -m experiments.reconstruction
    python -m experiments.reconstruction --dataset mnist --model dense --preset paper
    python -m experiments.reconstruction --dataset svhn_cropped --rows uae conventional
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

import keras
import numpy as np

import keras_uae as uae
from experiments import paper
from experiments import reconstruction_figures as drawing
from experiments import reconstruction_rows as rows
from experiments.data import COUNTS, Split
from experiments.engine import attacking, training
from experiments.engine.attacking import AttackConfig, attacked, find_uaes, found_figures
from experiments.engine.config import Choice, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.reconstruction_rows import (
    ATTACKS,
    GROUPS,
    NOISE,
    ROWS,
    Row,
    chain,
    drawn,
    followed,
    shown_seed,
)
from models import RECIPES, Recipe

# What the paper trains in place of the recipes of MNIST
_SVHN = {name: f"{name}_svhn" for name in ("dense", "sparse", "adversarial")}
VARIANTS = {
    "svhn_cropped": {"conv": "deep", **_SVHN},
    **{name: {"conv": "deep"} for name in ("cifar10", "cifar10_first5k", "tiny_imagenet200")},
}
CONVOLUTIONAL = ("conv", "deep", "denoising", "unet")
# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS_EPOCHS = {
    "conv": (10, 15),
    "dense": (60, 90),
    "sparse": (80, 120),
    "adversarial": (60, 90),
    "deep": (20, 30),
    "denoising": (20, 30),
    "unet": (4, 6),
}
DIGITS_BATCH_SIZE = 32
# Where a recipe has more epochs than a quick run has time for. Table 10: the training loss of the
# convolutional autoencoder converges after 5.
QUICK_EPOCHS = {
    **dict.fromkeys(("deep", "denoising", "unet"), (5, 8)),
    "adversarial_svhn": (50, 80),
}
TRACE_SIZE = 256  # images whose attack is followed iteration by iteration


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve reconstruction? Tables 4, 5 and 11 of the paper, with a duplicate control."""

    choosing = (*AttackConfig.choosing, "model")

    model: Annotated[str, Choice(RECIPES)] = "conv"
    """Autoencoder. On SVHN, CIFAR-10 and Tiny-ImageNet, conv, dense, sparse and adversarial are
    those that the paper has there: conv is deep."""
    rows: tuple[Annotated[str, Choice(GROUPS)], ...] = ("uae",)
    """What to compare: uae (Table 4: UAEs and noise), published (UAEs of the published code's
    attack), published_exact (the same by MINE on random projections, which takes hours),
    conventional (Table 5: flips, rotations and noise, alone and with UAEs), rounds (UAEs of the
    model that was trained on UAEs)."""
    retraining_epochs: int = 15
    """Epochs of the trainings on originals and additions together (the paper: about 1.5 ×). All of
    them are done: stopping early would make the budgets unequal."""
    batch_size: int = DIGITS_BATCH_SIZE
    """Images a training step."""
    target: Annotated[str, Choice(("self", "clean"))] = "self"
    """What a model trained on x + δ restores: self (x + δ, as the paper does) or clean (x)."""

    @classmethod
    def for_preset(
        cls, preset: str = "quick", dataset: str = "digits", model: str = "conv", **settings: Any
    ) -> Self:
        """As of every attack, and how the data set and the model are trained."""
        name = recipe_name(dataset, model)
        recipe, count, batch = RECIPES[name], None, RECIPES[name].batch_size
        epochs = published = recipe.epochs, recipe.retraining_epochs
        if preset == "smoke":
            count, epochs, batch = 300, (4, 6), DIGITS_BATCH_SIZE
        elif preset == "quick" and dataset == "digits":
            epochs, batch = DIGITS_EPOCHS.get(model, published), DIGITS_BATCH_SIZE
        elif preset == "quick":
            epochs = QUICK_EPOCHS.get(name, published)
            count = min(10_000, COUNTS.get(dataset, (10_000,))[0])
        mine = {"train_size": count, "epochs": epochs[0], "retraining_epochs": epochs[1]}
        chosen = {"dataset": dataset, "model": model, "batch_size": batch}
        return super().for_preset(preset, **{**chosen, **mine, **settings})

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        groups = () if self.rows == ("uae",) else self.rows
        return self.dataset, self.model, *groups, self.preset

    @property
    def where(self) -> str:
        """What stands in the titles of tables."""
        return super().where.replace(", ", f", {self.model} autoencoder, ", 1)

    @property
    def recipe(self) -> Recipe:
        """The model and its training."""
        return RECIPES[recipe_name(self.dataset, self.model)]

    @property
    def row_names(self) -> tuple[str, ...]:
        """The rows of the run, in the order of the work."""
        chosen = {name for group in self.rows for name in GROUPS[group]}
        return tuple(name for name in ROWS if name in chosen)

    @property
    def bases(self) -> set[str]:
        """The rows whose models are attacked or judge noise, and are kept for that."""
        return {"original", *(ROWS[name].base for name in self.row_names if ROWS[name].attacks)}

    @property
    def printed(self) -> paper.Rows:
        """What the paper prints of this data set and model."""
        return paper.reconstruction(self.dataset, self.model, self.similarity)

    def complete(self, data: Split) -> Self:
        """As of every attack; and the data must be images, of which the report shows some."""
        self.check_images(data)
        if self.target == "clean" and "conventional" in self.rows:
            why = "a flipped image is not to be restored unflipped"
            self.refuse("target", f"be self where the rows are conventional: {why}")
        config = super().complete(data)
        if self.target == "clean" and config.attack_size != config.train_size:
            every = f"be {config.train_size}, all training images"
            config.refuse("attack_size", f"{every}, where the target is clean")
        return config

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """An autoencoder that has not been trained."""
        return self.recipe.build(shape)

    def attack_work(self, name: str = "mine") -> int:
        """What attacking one image takes, in the unit of `Piece.work`, and roughly."""
        similarity = ATTACKS[name].get("similarity", self.minimised)
        return attacking.attack_work(similarity, self.steps)

    @property
    def minimised(self) -> str:
        """The similarity, also where it is left to the attack."""
        if self.similarity != "auto":
            return self.similarity
        return "conv" if recipe_name(self.dataset, self.model) in CONVOLUTIONAL else "gaussian"


def recipe_name(dataset: str, model: str) -> str:
    """The name of the recipe that `model` stands for on this data set."""
    return VARIANTS.get(dataset, {}).get(model, model)


def pieces(config: Config) -> Iterator[Piece]:
    """An addition and a training for every row, and the attack that the report follows."""
    count, added = size(config.train_size), size(config.attack_size)
    for seed in config.seeds:
        for name in config.row_names:
            row, samples = ROWS[name], count + len(chain(name)) * added
            if row.attacks:
                work = added * config.attack_work(row.adds)
                yield Piece("attack", seed, name, work, find, mark="asr")
            elif row.adds not in ("", "duplicate"):
                yield Piece("attack", seed, name, 0, draw)
            epochs = config.retraining_epochs if row.adds else config.epochs
            yield Piece("training", seed, name, epochs * samples, train)
    work = min(TRACE_SIZE, added) * config.attack_work()
    yield Piece("figures", None, followed(config), work, follow, recorded=False)


def find(job: Job[Config]) -> dict[str, Any]:
    """UAEs of the model of the row's base."""
    x = attacked(job)
    return found_figures(x, find_uaes(job, attack_of(job, ROWS[job.name], job.seed), x))


def attack_of(job: Job[Config], row: Row, seed: int) -> uae.MinMaxAttack:
    """The attack of a row on the model of its base."""
    make = partial(job.config.attack, **ATTACKS[row.adds])
    return attacking.attack_on(job, job.model(row.base, seed), row.adds, make)


def draw(job: Job[Config]) -> dict[str, Any]:
    """Noise, which is kept also where it is no success; or conventional augmentation."""
    x, adds = attacked(job), ROWS[job.name].adds
    z = drawn(x, adds, job.seed)
    if adds not in NOISE:
        return {}
    criterion = job.config.attack(job.model("original")).criterion
    return attacking.attack_figures(x, z, uae.criterion_values(criterion, x, z) <= 0)


def added(job: Job[Config], name: str) -> np.ndarray:
    """What a row adds to those that it builds on."""
    row = ROWS[name]
    return job.uaes(name).x if row.attacks else drawn(attacked(job), row.adds, job.seed)


def train(job: Job[Config]) -> dict[str, Any]:
    """A new model, trained from scratch on the originals and all that the row adds."""
    config = job.config
    data = uae.UAEAugmentation(
        job.data.x_train,
        [added(job, name) for name in chain(job.name)],
        batch_size=config.batch_size,
        target=config.target,
        seed=job.seed,
    )
    epochs = config.retraining_epochs if ROWS[job.name].adds else config.epochs
    trained = training.train(job, config.recipe, data, epochs=epochs)
    if job.name in config.bases:
        job.keep(trained.model)
    return {**training.errors(trained, job.data), **training.budget(trained)}


def follow(job: Job[Config]) -> None:
    """The attack on some images, iteration by iteration."""
    seed, x = shown_seed(job), attacked(job)[:TRACE_SIZE]
    if seed is not None:
        attack = attack_of(job, ROWS[job.name], seed)
        find_uaes(job, attack, x, path=job.path("trace.npz", seed), seed=seed, trace=True)


def published(config: Config) -> dict[str, Any]:
    """The paper's settings, nothing where it has no such data set and model."""
    names = ("epochs", "retraining_epochs", "batch_size") if config.printed else ()
    count = {"train_size": COUNTS[config.dataset][0]} if config.printed else {}
    return {**count, **{name: getattr(config.recipe, name) for name in names}}


EXPERIMENT = Experiment(
    name="reconstruction",
    config=Config,
    pieces=pieces,
    labels=rows.labels,
    summarize=rows.summarize,
    tables=rows.tables,
    legend="Error: mean squared error per pixel, mean ± std over the seeds; of the last weights, "
    "as the paper has it, and of weights averaged over the last quarter of the training. vs: + is "
    "a lower error than that of the original or the duplicate of the same seed, − a higher one, "
    "mean over the seeds; vs original by the last weights, vs duplicate by the averaged ones, ± "
    "half of the 95 % interval. ASR: the fraction of training images that the original model "
    "reconstructs from the perturbed image no worse than before; δ: the perturbation where it "
    "succeeded. A row that builds on another (&: the augmentation above; second round: the first) "
    "is compared with that "
    "one in place of the original, and with a duplicate control of as many samples.",
    title=lambda config: f"Reconstruction: {config.dataset}, {config.model} autoencoder",
    introduction=lambda config: (
        f"An autoencoder is trained on {config.train_size} images, then again from scratch on "
        f"these and {config.attack_size} more, one kind of addition at a time; a row that builds "
        f"on another one adds {config.attack_size} more than that. The duplicate control adds the "
        "images as they are: what a perturbation itself brings is its difference to that row."
    ),
    verdicts=rows.sentences,
    figures={
        "errors": Figure("Test error of every augmentation, a dot for each seed", drawing.errors),
        "examples": Figure(
            "Originals, their UAEs, what the model makes of these, and the perturbation",
            drawing.examples,
        ),
        "trace": Figure("The attack, iteration by iteration", drawing.trace),
    },
    published=published,
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
