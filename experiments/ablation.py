"""What each choice of the attack does: Tables 9, 12, 13 and supplement 6.6.

One convolutional autoencoder for each seed is attacked in many ways, part by part: see `PARTS` of
ablation_variants.py.

    python -m experiments.ablation
    python -m experiments.ablation --dataset mnist --parts penalty time
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf
from matplotlib.ticker import PercentFormatter

import keras_uae as uae
from experiments import paper
from experiments.ablation_variants import PARTS, SEARCHES, Variant, every_part
from experiments.benchmark.cases import search
from experiments.benchmark.timing import Method, compare, round_robin
from experiments.data import Split
from experiments.engine import autoencoders, plots
from experiments.engine.attacking import attacked, find_uaes, found_figures
from experiments.engine.autoencoders import AutoencoderConfig, train_original
from experiments.engine.config import Choice, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.engine.information import information
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, PURPLE, RED
from experiments.engine.summary import Records, errors, mean, names, spreads
from experiments.engine.tables import Column, Sheet, error, sheet
from keras_uae._checks import Integer
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE
from models import get_recipe

SIGMA = 0.01  # of Gaussian augmentation
ROTATION = 10 / 360  # of a full turn (supplement 6.12)
AUGMENTATIONS = {"ga": "Gaussian noise", "flip_or_rotation": "Flip and rotation"}
PRINTED = ("sensitivity", "similarity", "penalty")  # parts that the paper has a table of
FIGURES = ("asr", "l2", "mi_again", "mi_self", "pairs", "better", "seconds")
TIMED = ("ms_per_sample", "ratio")
COLORS = dict(zip(PARTS, (BLUE, RED, GREEN, ORANGE, GREY, LIGHT_GREEN, PURPLE), strict=True))

# what the attacks of a part differ in; MinMax and the penalty method are compared by themselves
RANGES = {
    "sensitivity": "the grid of α and β",
    "similarity": "the similarities",
    "samples": "what MINE estimates from",
    "start": "δ₀ and step rules",
    "margin": "κ",
}

Rows = dict[str, tuple[str, dict[str, Any]]]  # by the paper's name, label and figures


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
    duplicates, as the paper does: the errors of its tables. Takes hours."""
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
            raise ValueError(
                f"`steps` of {type(self).__name__} must be a multiple of {multiple}, so that the "
                f"penalty method has as many. Received: steps={self.steps}."
            )

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
    """The attack of a row, which is compiled once for a seed."""
    make, model = job.config.attack, job.model("original")
    return job.once(("attack", name), lambda: make(job.config.variants[name], model))


def attack(job: Job[Config]) -> dict[str, Any]:
    """The examples of an attack, and what they are worth by one measure for all.

    That is mutual information, estimated anew, and how much better an image is restored.
    """
    x, model = attacked(job), job.model("original")
    found = find_uaes(job, attack_of(job, job.name), x)
    figures = {**found_figures(x, found), **information(model, MINE(), x)(found)}
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
    for row in compare(methods, round_robin(methods, config.rounds, tick), "mine"):
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


def labels(config: Config) -> dict[str, str]:
    """Names in the files → on the bar."""
    attacks = {name: variant.label for name, variant in config.variants.items()}
    return {**attacks, "mine": "default", "original": "Autoencoder", "duplicate": "Duplicates"}


def summarize(records: Records) -> dict[str, Any]:
    """Figures of the attacks as `{"mean", "std", "count"}` over the seeds that have them.

    "attacks" by name; "timing" by name, milliseconds a sample and the ratio to the default attack,
    each with its quartiles; "trainings" by name, the errors.
    """
    timed = [row for row in records if row["stage"] == "timing"]
    return {
        "attacks": {
            name: spreads(records, "attack", name, *FIGURES) for name in names(records, "attack")
        },
        "timing": {row["name"]: {key: row[key] for key in TIMED} for row in timed},
        "trainings": {name: errors(records, name) for name in names(records, "training")},
    }


TIMES = (Column("ms", "timing.ms_per_sample.median"), Column("×", "timing.ratio.median", ".2g"))
ATTACKS = (
    Column("ASR", "asr", ".1%", std=True),
    Column("MI", "mi_again", ".3f", std=True),
    Column("L2 of δ", "l2", ".2f", std=True),
    Column("better by", "better", ".4f"),
    *TIMES,
    Column("test error", error),
    Column("vs duplicate", "gain_duplicate", "+.1%"),
    Column("paper's ASR", "paper.asr", ".1%"),
    Column("paper's error", "paper.error", ".5f"),
)
METHODS = (*TIMES, Column("paper's ms", "paper.ms"), Column("paper's ×", "paper.ratio", ".2g"))
LEGEND = (
    "ASR: the fraction of the attacked training images with an example, mean ± std over the seeds; "
    "all other figures are those of the examples. MI: mutual information of image and example in "
    "nats, estimated anew, for all rows by the same MINE on feature maps with shuffles that no "
    "attack has seen; the less, the further the example is from its image. Better by: ‖x − Φ(x)‖ − "
    "‖x − Φ(x + δ)‖. Times are medians of one process in which all rows take turns; ×: as a "
    "multiple of the default attack in the same round. The paper's errors are those after "
    "retraining; its times are those of a TITAN Xp."
)


def tables(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """One for each part."""
    where = config.where.replace(" ·", f", T = {config.steps} ·", 1)
    found = []
    for part, variants in config.chosen.items():
        rows = {name: (variant.name, variant.label) for name, variant in variants.items()}
        if part == "time":
            rows |= {name: (name, label) for name, label in AUGMENTATIONS.items()}
        printed = paper.printed(part, config.dataset) if part in PRINTED else {}
        printed = paper.times(config.dataset) if part == "time" else printed
        shown = [
            (label, {**_figures(summary, name), "paper": printed.get(key, {})})
            for key, (name, label) in rows.items()
        ]
        columns = METHODS if part == "time" else ATTACKS
        found.append(sheet(f"{PARTS[part]} · {where}", columns, shown))
    return found


def _figures(summary: dict[str, Any], name: str) -> dict[str, Any]:
    trained, found = (summary[stage].get(name, {}) for stage in ("trainings", "attacks"))
    return {**trained, **found, "timing": summary["timing"].get(name)}


def verdicts(config: Config, summary: dict[str, Any]) -> list[str]:
    """What each part comes to, and what differs from the paper."""
    found = summary["attacks"]
    lines = [_default(found.get("mine", {}))]
    for part, variants in config.chosen.items():
        rows = {
            k: (each.label, found[each.name]) for k, each in variants.items() if each.name in found
        }
        if rows and part == "penalty":
            lines.append(_penalty(config, rows))
        elif rows and part in RANGES:
            least = _least(rows) if part == "similarity" else ""
            lines.append(f"Over {RANGES[part]}, {_range(rows)}.{least}")
    if not config.retrain:
        lines.append("Nothing is retrained: the paper's test errors have no counterpart.")
    return lines


def _default(row: dict[str, Any]) -> str:
    again, itself, pairs = (mean(row.get(key)) for key in ("mi_again", "mi_self", "pairs"))
    if again is None or itself is None or pairs is None:
        return "The default attack finds no example."
    return (
        f"The default attack succeeds for {mean(row['asr']):.1%} of the images. Estimated anew, "
        f"its examples share {again:.3f} nats with their images, an image and itself "
        f"{itself:.3f}. From {pairs:.0f} feature maps nothing beyond log {pairs:.0f} = "
        f"{math.log(pairs):.2f} nats can be trusted."
    )


def _known(rows: Rows, figure: str) -> list[tuple[float, str]]:
    """The rows that have a figure: its mean, and how they are called."""
    means = [(mean(row[figure]), label) for label, row in rows.values()]
    return [(value, label) for value, label in means if value is not None]


def _range(rows: Rows) -> str:
    """From which row to which the success rate and the information run."""
    parts = []
    for figure, form, text in (
        ("asr", ".1%", "the success rate runs from {}"),
        ("mi_again", ".3f", "the mutual information from {} nats"),
    ):
        if known := _known(rows, figure):
            (low, at_low), (high, at_high) = min(known), max(known)
            parts.append(text.format(f"{low:{form}} ({at_low}) to {high:{form}} ({at_high})"))
    return ", ".join(parts)


def _least(rows: Rows) -> str:
    """Whose examples share the least with their images."""
    if not (known := _known(rows, "mi_again")):
        return ""
    if (label := min(known)[1]) == rows["mine"][0]:
        return " MINE, which minimises it, leaves the least by new estimates, too."
    return (
        f" MINE minimises it, yet the examples of “{label}” share less with their images by an "
        "estimator that neither has seen."
    )


def _penalty(config: Config, rows: Rows) -> str:
    printed = paper.printed("penalty", config.dataset)
    parts = []
    for key, (label, row) in rows.items():
        said = f" (the paper: {printed[key]['asr']:.1%})" if key in printed else ""
        parts.append(f"{label} {mean(row['asr']):.1%}{said}")
    minmax, *others = (rate for rate, _ in _known(rows, "asr"))
    holds = minmax > max(others, default=0.0)
    verdict = "is the greatest, as in" if holds else "is not the greatest, other than in"
    return (
        f"With {config.steps} iterations in all: {', '.join(parts)}. The success rate of MinMax "
        f"{verdict} the paper."
    )


def draw(job: Job[Config], path: Path) -> None:
    """How far the examples of each attack are from their images, and how often there is one."""
    found = job.run.summary["attacks"]
    with plots.canvas(path, (10.5, 4.6), 1, 2, sharex=True) as (figure, (left, right)):
        drawn: set[str] = set()
        for part, rows in job.config.chosen.items():
            new = [each.name for each in rows.values() if each.name in found]
            new = [name for name in new if name not in drawn and name != "mine"]
            drawn.update(new)
            mark: dict[str, Any] = {"ls": "", "ms": 7, "mec": "white", "color": COLORS[part]}
            _points(left, right, [found[name] for name in new], part, marker="o", **mark)
        mark = {"ls": "", "ms": 15, "mec": "white", "color": "#222222", "zorder": 3}
        _points(left, right, [found["mine"]], "default", marker="*", **mark)
        left.set_title("mutual information (nats), estimated anew")
        right.set_title("success rate")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        right.set_ylim(-0.03, 1.03)
        for axes in (left, right):
            axes.set_xlabel("L2 of δ")
            axes.grid(axis="y")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")


def _points(left: Any, right: Any, rows: list[dict[str, Any]], name: str, **mark: Any) -> None:
    """A mark for each row that has examples."""
    there = [row for row in rows if mean(row["mi_again"]) is not None]
    if there:
        sizes = [mean(row["l2"]) for row in there]
        left.plot(sizes, [mean(row["mi_again"]) for row in there], label=name, **mark)
        right.plot(sizes, [mean(row["asr"]) for row in there], **mark)


EXPERIMENT = Experiment(
    name="ablation",
    config=Config,
    pieces=pieces,
    labels=labels,
    summarize=summarize,
    tables=tables,
    legend=LEGEND,
    title=lambda config: f"Ablation of the attack: {config.dataset}, convolutional autoencoder",
    introduction=lambda config: (
        f"An autoencoder is trained on {config.train_size} images. The first {config.attack_size} "
        "of them are attacked, each time with one setting other than the default."
    ),
    verdicts=verdicts,
    figures={
        "attacks": Figure(
            "Mutual information and success rate of every attack over the size of δ", draw
        )
    },
    published=lambda config: {"steps": 40},
)

main = EXPERIMENT.main

if __name__ == "__main__":
    sys.exit(main())
