"""The rows of a reconstruction run: what each adds to which, and what it is compared with.

Conventional augmentation is that of Table 5: flips, rotations and noise by layers of Keras. One
augmented copy of every image is drawn before the training, like the UAEs that it is compared with,
so that all rows have samples and steps in equal number.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from models import ClippedNoise


class Row(NamedTuple):
    """A training from scratch on the originals, on what its base has added, and on one thing more.

    That is "duplicate" (the images as they are), "mine" or "l2" (UAEs of the base's model), a name
    in `NOISE` or in `LAYERS`; "" of the original model.
    """

    label: str  # below its base; `{uae}` stands for the name of the run's UAEs
    adds: str = ""
    base: str = "original"  # the row that it builds on, and that "vs original" compares it with
    control: str = "duplicate"  # has as many samples and steps, and adds duplicates in its place

    @property
    def attacks(self) -> bool:
        """Whether it needs an attack on the model of its base."""
        return self.adds in ("mine", "l2")


NOISE = {"ga_0.01": 0.01, "ga_0.001": 0.001}

# Table 4: one kind of addition at a time
_UAE = {
    "original": Row("Original"),
    "duplicate": Row("Duplicate control", "duplicate"),
    "mine": Row("{uae}", "mine"),
    "l2": Row("L2-UAE", "l2"),
    "ga_0.01": Row("GA σ = 0.01", "ga_0.01"),
    "ga_0.001": Row("GA σ = 0.001", "ga_0.001"),
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
ROWS = {**_UAE, **_WITH, **_ROUNDS}

GROUPS = {
    "uae": tuple(_UAE),
    "conventional": ("original", "duplicate", *_WITH),
    "rounds": ("original", "duplicate", "mine", *_ROUNDS),
}


def chain(name: str) -> list[str]:
    """The rows that add something to the originals, up to and with `name`."""
    return [] if name == "original" else [*chain(ROWS[name].base), name]


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
