"""Initialisers that are fixed by one seed and differ from layer to layer."""

from collections.abc import Iterator

import keras
import numpy as np

from keras_uae._checks import check_integer


def drawn_seeds(owner: str, seed: int) -> Iterator[int]:
    """Yield seeds without end: one `next(...)` for whatever draws.

    They are hashed from `seed` rather than counted up from it: counting would hand the second layer
    of seed 0 the numbers of the first layer of seed 1, and runs over several seeds would not be
    independent.
    """
    generator = np.random.default_rng(check_integer(owner, "seed", seed, 0))
    while True:
        yield int(generator.integers(2**31))


def glorot_uniform(owner: str, seed: int) -> Iterator[keras.initializers.GlorotUniform]:
    """Yield Glorot-uniform initialisers without end: one `next(...)` a layer.

    Keras repeats the draw of an initialiser that has an integer seed, so each gets a seed of its
    own.
    """
    for drawn in drawn_seeds(owner, seed):
        yield keras.initializers.GlorotUniform(seed=drawn)
