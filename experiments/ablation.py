"""What each choice of the attack does: Tables 9, 12, 13 and supplement 6.6.

One convolutional autoencoder for each seed is attacked in many ways, part by part: see `PARTS` of
ablation_rows.py.

    python -m experiments.ablation
    python -m experiments.ablation --dataset mnist --parts penalty time
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from experiments import ablation_rows as shown
from experiments.ablation_rows import PARTS, SEARCHES, Variant, every_part
from experiments.benchmark.cases import search
from experiments.benchmark.timing import Method, compare, round_robin
from experiments.data import Split
from experiments.engine import autoencoders
from experiments.engine.attacking import attack_on, attacked, find_uaes, found_figures
from experiments.engine.autoencoders import AutoencoderConfig, train_original
from experiments.engine.config import Choice, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.engine.information import information, mutual_information
from keras_uae._checks import Integer
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE
from models import get_recipe

SIGMA = 0.01  # of Gaussian augmentation
ROTATION = 10 / 360  # of a full turn (supplement 6.12)


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """What each choice of the attack does: step sizes, similarity, penalty, start, margin, time."""

    parts: tuple[Annotated[str, Choice(PARTS)], ...] = tuple(PARTS)
    """What to do."""
    samples: tuple[Annotated[int, Integer(2)], ...] = (50, 100, 200, 500)
    """Random projections K of MINE to compare."""
    rounds: int = 3
    """Rounds in which every attack is timed once."""
    retrain: bool = False
    """Also retrain the autoencoder on the examples of the parts sensitivity and similarity, and on
    duplicates: the errors of the paper's tables, which add examples of all images (attack_size).
    Takes hours."""
    retraining_epochs: int = 15
    """Epochs of these trainings."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every attack on an autoencoder; what is compared, and how often timed."""
        epochs = 15 if dataset == "digits" else get_recipe("conv").retraining_epochs
        mine: dict[str, Any] = {"retraining_epochs": epochs}
        mine["rounds"] = 3 if preset == "quick" else 5
        if preset == "smoke":
            mine = {"rounds": 1, "retraining_epochs": 6, "samples": (8, 16)}
        return super().for_preset(preset, dataset, **{**mine, **settings})

    def check(self) -> None:
        """As of every experiment; and the penalty method has as many iterations."""
        super().check()
        multiple = math.lcm(*SEARCHES)
        if self.steps % multiple:
            why = "so that the penalty method has as many"
            self.refuse("steps", f"be a multiple of {multiple}, {why}")

    def complete(self, data: Split) -> Self:
        """As of every experiment; and what the attacks themselves refuse."""
        config = super().complete(data)
        model = get_recipe("conv").build(data.x_train.shape[1:])
        for variant in config.variants.values():
            config.attack(variant, model)
        return config

    @property
    def chosen(self) -> dict[str, dict[str, Variant]]:
        """The parts to do, and their rows."""
        every = every_part(self.steps, self.samples)
        return {part: rows for part, rows in every.items() if part in self.parts}

    @property
    def variants(self) -> dict[str, Variant]:
        """The attacks of all parts, by their name in the files, each once."""
        found = {"mine": Variant("mine", "MINE-UAE")}  # what all others are compared with
        for rows in self.chosen.values():
            for variant in rows.values():
                found.setdefault(variant.name, variant)
        return found

    @property
    def retrained(self) -> list[str]:
        """The names of the attacks on whose examples the autoencoder is trained again."""
        shown = [self.chosen.get(part, {}) for part in ("sensitivity", "similarity")]
        names = dict.fromkeys(variant.name for rows in shown for variant in rows.values())
        return list(names) if self.retrain else []

    def attack(self, variant: Variant, model: keras.Model) -> Attack:
        """The attack of a row."""
        settings = {"steps": self.steps, "epsilon": self.epsilon, **variant.settings}
        return variant.attack(model, **settings)


def pieces(config: Config) -> Iterator[Piece]:
    """The autoencoder of every seed, its attacks, and what is trained again; the times once."""
    count, images = size(config.train_size), config.attack_size
    iterations = sum(each.work for each in config.variants.values()) * config.steps
    for seed in config.seeds:
        yield Piece("training", seed, "original", count * config.epochs, train_original)
        for name, variant in config.variants.items():
            yield Piece("attack", seed, name, images * variant.work * config.steps, attack, "asr")
        if seed == config.seeds[0]:
            work = (config.rounds + 1) * images * iterations
            yield Piece("timing", seed, "mine", work, time_methods)
        for name in ["duplicate", *config.retrained] if config.retrained else []:
            work = (count + images) * config.retraining_epochs
            yield Piece("training", seed, name, work, retrain)


def retrain(job: Job[Config]) -> dict[str, Any]:
    """The autoencoder trained again on the examples, as in the paper, or on duplicates."""
    added = attacked(job) if job.name == "duplicate" else job.uaes(job.name).x
    return autoencoders.train(job, added, epochs=job.config.retraining_epochs)


def attack_of(job: Job[Config], name: str) -> Attack:
    """The attack of a row."""
    make = partial(job.config.attack, job.config.variants[name])
    return attack_on(job, job.model("original"), name, make)


def attack(job: Job[Config]) -> dict[str, Any]:
    """The examples of an attack, and what they are worth by one measure for all.

    That is mutual information, estimated anew, and how much better an image is restored.
    """
    x, model = attacked(job), job.model("original")
    found = find_uaes(job, attack_of(job, job.name), x)
    itself = job.once("itself", lambda: mutual_information(model, MINE(), x, x))
    figures = {**found_figures(x, found), **information(model, MINE(), x, found, itself)}
    rows = found.success
    if rows.any():
        change = uae.criterion_values(uae.Reconstruction(model), x[rows], found.x[rows])
        figures["better"] = -float(change.mean())
    return figures


def time_methods(job: Job[Config]) -> dict[str, Any]:
    """Time every attack on a batch of images, and augmentations without an attack.

    All take turns in one process: compare their ratios, the times are those of a machine that may
    have other work to do.
    """
    config, x, methods = job.config, attacked(job), []
    for name in config.variants:
        attack = attack_of(job, name)
        methods.append(search(name, attack, x[: attack.auto_batch_size(x.shape[1:])]))
    if "time" in config.parts:
        methods += [Method(name, len(x), run) for name, run in augmentations(x).items()]

    def tick(index: int) -> None:
        job.progress.advance(0, f"timing · {methods[index].name}")

    figures = {}
    for row in compare(round_robin(methods, config.rounds, tick), "mine"):
        seconds = row["warm_up_seconds"] + sum(row["seconds"])
        figures[row["name"]] = {**row["summary"], "seconds": seconds}
    for name in reversed(figures):
        if name != "mine":  # which comes last: with it the timing is complete
            job.run.add({**job.piece.key, "name": name}, **figures[name])
    return figures["mine"]


def augmentations(x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """What Table 9 compares with that attacks nothing."""
    turned = keras.Sequential(
        [keras.layers.RandomFlip(seed=0), keras.layers.RandomRotation(ROTATION, seed=0)]
    )
    compiled = tf.function(lambda images: turned(images, training=True), autograph=False)
    images = tf.constant(x)
    return {
        "ga": lambda: uae.gaussian_noise(x, SIGMA),
        "flip_or_rotation": lambda: compiled(images).numpy(),
    }


EXPERIMENT = Experiment(
    name="ablation",
    config=Config,
    pieces=pieces,
    labels=shown.labels,
    summarize=shown.summarize,
    tables=shown.tables,
    legend=shown.LEGEND,
    title=lambda config: f"Ablation of the attack: {config.dataset}, convolutional autoencoder",
    introduction=lambda config: (
        f"An autoencoder is trained on {config.train_size} images. The first {config.attack_size} "
        "of them are attacked, each time with one setting other than the default."
    ),
    verdicts=shown.verdicts,
    figures={
        "attacks": Figure(
            "Mutual information and success rate of every attack over the size of δ", shown.draw
        )
    },
    published=lambda config: {"steps": 40},
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
