"""The rows of a reconstruction run: what each adds to which, what is tabulated and said of them.

Conventional augmentation is that of Table 5: flips, rotations and noise by layers of Keras. One
augmented copy of every image is drawn before the training, like the UAEs that it is compared with.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from experiments.engine import attacking, verdicts
from experiments.engine import summary as statistics
from experiments.engine.job import Job
from experiments.engine.summary import Records, Summary, by_seed
from experiments.engine.tables import OUTCOME, SECONDS, Column, Sheet, beside, sheet
from keras_uae.attacks.presets import PRESETS
from models import ClippedNoise


class Row(NamedTuple):
    """A training from scratch on the originals, on what its base has added, and on one thing more.

    That is "duplicate" (the images as they are), a name in `ATTACKS` (UAEs of the base's model), in
    `NOISE` or in `LAYERS`; "" of the original model.
    """

    label: str  # below its base; `{uae}` stands for the name of the run's UAEs
    adds: str = ""
    base: str = "original"  # the row that it builds on, and that "vs original" compares it with
    control: str = "duplicate"  # has as many samples and steps, and adds duplicates in its place

    @property
    def attacks(self) -> bool:
        """Whether it needs an attack on the model of its base."""
        return self.adds in ATTACKS


# what an attack has in place of the settings of the run
ATTACKS: dict[str, dict[str, Any]] = {
    "mine": {},
    "small": PRESETS["augmentation"],
    "l2": PRESETS["l2_uae"],
    "published": attacking.PUBLISHED,
    "published_exact": {**attacking.PUBLISHED, "similarity": "bivariate"},
}
NOISE = {"ga_0.01": 0.01, "ga_0.001": 0.001}

# Table 4: one kind of addition at a time
_UAE = {
    "original": Row("Original"),
    "duplicate": Row("Duplicate control", "duplicate"),
    "mine": Row("{uae}", "mine"),
    "small": Row("{uae}, ε = 0.02", "small"),
    "l2": Row("L2-UAE", "l2"),
    "ga_0.01": Row("GA σ = 0.01", "ga_0.01"),
    "ga_0.001": Row("GA σ = 0.001", "ga_0.001"),
}

# Table 4 by the attack that the paper's numbers were made with. Where no convolution gives MINE its
# pairs, the closed form stands for it, and the law of random projections takes 50 times as long
_CODE = {
    "published": Row("{uae}, published code", "published"),
    "published_exact": Row("MINE-UAE, published code", "published_exact"),
}

# Table 5: conventional augmentation, alone and with UAEs of the model trained on it
_WITH = {}
for _kind, _label in (
    ("flip_rotation", "Flip + rotation"),
    ("gaussian", "Gaussian noise"),
    ("flip_rotation_gaussian", "Flip + rotation + noise"),
):
    _control = f"{_kind}+duplicate"
    _WITH[_kind] = Row(_label, _kind)
    _WITH[_control] = Row("& duplicates", "duplicate", base=_kind)
    _WITH[f"{_kind}+mine"] = Row("& {uae}", "mine", base=_kind, control=_control)

# Supplement 6.15: UAEs of the model that was trained on UAEs
_ROUNDS = {
    "duplicate_2": Row("Duplicates twice", "duplicate", base="duplicate"),
    "mine_2": Row("{uae}, second round", "mine", base="mine", control="duplicate_2"),
}

# a row comes after its base and its control: this is the order of the work
ROWS = {**_UAE, **_CODE, **_WITH, **_ROUNDS}

GROUPS = {
    "uae": tuple(_UAE),
    "published": ("original", "duplicate", "published"),
    "published_exact": ("original", "duplicate", "published_exact"),
    "conventional": ("original", "duplicate", *_WITH),
    "rounds": ("original", "duplicate", "mine", *_ROUNDS),
}


def chain(name: str) -> list[str]:
    """The rows that add something to the originals, up to and with `name`."""
    return [] if name == "original" else [*chain(ROWS[name].base), name]


def followed(config: Any) -> str:
    """The row whose attack the report shows."""
    return next(name for name in config.row_names if ROWS[name].attacks)


def shown_seed(job: Job[Any]) -> int | None:
    """The first seed whose attacked model has not diverged."""
    trained = by_seed(job.run.records, "training", ROWS[followed(job.config)].base)
    return next((s for s in job.config.seeds if trained[s]["test_error"] is not None), None)


# Supplement 6.12: horizontal and vertical flips, and 10°, taken as the largest angle either way
_ANGLE = 10 / 360
# σ is 0.01 in Table 5 and 0.001 in supplement 6.12
_SIGMA = 0.01
_CHUNK = 1000  # images at once


_TURNED = (
    # a layer for each direction: one for both draws once, so that it is a half turn or nothing
    partial(keras.layers.RandomFlip, "horizontal"),
    partial(keras.layers.RandomFlip, "vertical"),
    partial(keras.layers.RandomRotation, _ANGLE, fill_mode="nearest"),
)
_NOISY = (partial(ClippedNoise, _SIGMA),)
LAYERS: dict[str, tuple[Callable[..., keras.Layer], ...]] = {
    "flip_rotation": _TURNED,
    "gaussian": _NOISY,
    "flip_rotation_gaussian": (*_TURNED, *_NOISY),
}


def augmented(x: np.ndarray, name: str, seed: int) -> np.ndarray:
    """A copy of every image, changed by the layers of `name`: a function of images and seed."""
    # layers of one seed would draw the same numbers
    seeds = np.random.default_rng(seed).integers(2**31, size=len(LAYERS[name]))
    layers = [make(seed=int(each)) for make, each in zip(LAYERS[name], seeds, strict=True)]
    parts = []
    for start in range(0, len(x), _CHUNK):
        images = tf.constant(x[start : start + _CHUNK])
        for layer in layers:
            images = layer(images, training=True)
        parts.append(np.clip(images.numpy(), 0, 1))
    return np.concatenate(parts)


def drawn(images: np.ndarray, adds: str, seed: int) -> np.ndarray:
    """A copy of every image, as it is, with noise, or augmented."""
    if adds == "duplicate":
        return images
    if adds in NOISE:
        return uae.gaussian_noise(images, NOISE[adds], seed=seed)
    return augmented(images, adds, seed)


def labels(config: Any) -> dict[str, str]:
    """How the rows of a run are called, in the order of the work."""
    short = short_labels(config)
    return {
        name: f"{short[ROWS[name].base]} {label}" if label.startswith("&") else label
        for name, label in short.items()
    }


def short_labels(config: Any) -> dict[str, str]:
    """The same where a row stands below the one that it builds on."""
    name = attacking.uae_label(config.minimised)
    return {row: ROWS[row].label.format(uae=name) for row in config.row_names}


def summarize(records: Records) -> Summary:
    """Rows of the table, by augmentation; only those of which there is something to say.

    Every figure is `{"mean", "std", "count"}` over the seeds that have it, or `None`. A row is
    compared with its base, as `gain_original`, and with its control, as `vs_control`.
    """
    summary = {}
    for name, row in ROWS.items():
        if rows := list(by_seed(records, "training", name).values()):
            budget = {key: rows[0][key] for key in ("samples", "steps")}
            control = None if row.adds in ("", "duplicate") else row.control
            figures = statistics.errors(records, name, original=row.base, duplicate=control)
            summary[name] = {**figures, **statistics.attack(records, name), **budget}
    return statistics.judge(records, summary)


TITLES = {
    "uae": "Reconstruction error on the test images",
    "published": "The attack of the published code",
    "published_exact": "The attack of the published code, MINE on random projections",
    "conventional": "With conventional augmentation",
    "rounds": "A second round of UAEs",
}
DETAILS = (
    Column("ASR", "asr", ".1%"),
    Column("paper's ASR", "paper.asr", ".1%"),
    Column("L2 of δ", "l2", ".3f"),
    Column("training error", "train_error", ".5f"),
    Column("paper's training error", "paper.train_error", ".5f"),
    *SECONDS,
)


def tables(config: Any, summary: Summary) -> list[Sheet]:
    """What came out of every group of rows, then what all of it took."""
    rows = beside(summary, config.printed, short_labels(config))
    titles = {group: f"{TITLES[group]} · {config.where}" for group in config.rows}
    shown = {group: [rows[name] for name in GROUPS[group] if name in rows] for group in titles}
    outcomes = [sheet(title, OUTCOME, shown[group]) for group, title in titles.items()]
    made = "Attack on the training images, training error, time for one seed"
    return [*outcomes, sheet(made, DETAILS, list(rows.values()))]


def sentences(config: Any, summary: Summary) -> list[str]:
    """A sentence for every row of the table, then the best row."""
    names, lines = labels(config), []
    for name, (_, row) in beside(summary, config.printed, names).items():
        base, control = ROWS[name].base, ROWS[name].control
        called = {
            "original": "the original" if base == "original" else f"“{names[base]}”",
            "duplicate": (
                "the duplicate control" if control == "duplicate" else f"“{names[control]}”"
            ),
        }
        missing = verdicts.not_found(row, "images") if ROWS[name].attacks else ""
        lines.append(f"**{names[name]}**: {verdicts.on_error(row, **called)}{missing}")
    lines += verdicts.lowest(summary, names)
    if not config.printed:
        lines.append(
            f"The paper has no figures for a {config.model} autoencoder on {config.dataset}."
        )
    return lines
