"""Conventional augmentation as in Table 5: flips, rotations and noise by layers of Keras.

One augmented copy of every image is drawn before the training, like the UAEs that it is compared
with, so that all rows have samples and steps in equal number.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from models import ClippedNoise

# Supplement 6.12: horizontal and vertical flips, and 10°, taken as the largest angle either way
_ANGLE = 10 / 360
# σ is 0.01 in Table 5 and 0.001 in supplement 6.12
_SIGMA = 0.01
_CHUNK = 1000  # images at once


def _left_to_right(seed: int) -> keras.Layer:
    return keras.layers.RandomFlip("horizontal", seed=seed)


def _upside_down(seed: int) -> keras.Layer:
    # a layer of its own: one for both directions draws once, so that it is a half turn or nothing
    return keras.layers.RandomFlip("vertical", seed=seed)


def _rotation(seed: int) -> keras.Layer:
    return keras.layers.RandomRotation(_ANGLE, fill_mode="nearest", seed=seed)


def _noise(seed: int) -> keras.Layer:
    return ClippedNoise(_SIGMA, seed=seed)


LAYERS: dict[str, tuple[Callable[[int], keras.Layer], ...]] = {
    "flip_rotation": (_left_to_right, _upside_down, _rotation),
    "gaussian": (_noise,),
    "flip_rotation_gaussian": (_left_to_right, _upside_down, _rotation, _noise),
}


def augmented(x: np.ndarray, name: str, seed: int) -> np.ndarray:
    """A copy of every image, changed by the layers of `name`: a function of images and seed."""
    # layers of one seed would draw the same numbers
    seeds = np.random.default_rng(seed).integers(2**31, size=len(LAYERS[name]))
    layers = [make(int(each)) for make, each in zip(LAYERS[name], seeds, strict=True)]
    parts = []
    for start in range(0, len(x), _CHUNK):
        images = tf.constant(x[start : start + _CHUNK])
        for layer in layers:
            images = layer(images, training=True)
        parts.append(np.clip(images.numpy(), 0, 1))
    return np.concatenate(parts)
