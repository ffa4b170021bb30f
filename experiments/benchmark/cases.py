"""What the benchmark times: models, inputs, and the attacks on them that are compared."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from experiments.benchmark.timing import Method
from experiments.data import load
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE, BivariateSampling, Gaussian, RandomSampling
from models import RECIPES, deep_convolutional_autoencoder

REFERENCE, AGAIN = "PGD", "PGD again"
CONV, EXACT, LITERAL = "MINE-UAE conv", "MINE-UAE exact law", "MINE-UAE random"

POWERS = tuple(2**power for power in range(11))

Shape = tuple[int, int, int]

MODELS: dict[str, tuple[Callable[..., keras.Model], Shape]] = {
    "conv 8×8×1": (RECIPES["conv"].build, (8, 8, 1)),
    "dense 8×8×1": (RECIPES["dense"].build, (8, 8, 1)),
    "conv 28×28×1": (RECIPES["conv"].build, (28, 28, 1)),
    "dense 28×28×1": (RECIPES["dense"].build, (28, 28, 1)),
    "deep conv 32×32×3": (deep_convolutional_autoencoder, (32, 32, 3)),
}


class Scale(NamedTuple):
    """How large the benchmark is."""

    repeats: int
    models: tuple[str, ...] = tuple(MODELS)  # of the section "attacks"
    model: str = "conv 28×28×1"  # of all others; it starts with a convolution
    steps: int = 40  # T
    mine_steps: int = 20  # T_I
    samples: int = 500  # K of random sampling
    dimension: int = 128  # d' of random sampling
    batches: tuple[int, ...] = POWERS
    sizes: tuple[int, ...] = (1024, 4096, 16_384)
    size_repeats: int = 1
    calls: int = 50  # to see whether memory grows
    call_size: int = 32  # samples of each of them


PRESETS = {
    "smoke": Scale(
        repeats=2,
        models=("conv 8×8×1", "dense 8×8×1"),
        model="conv 8×8×1",
        steps=8,
        mine_steps=2,
        samples=16,
        dimension=4,
        batches=(1, 512),
        sizes=(512, 1024),
        calls=10,
        call_size=4,
    ),
    # T = 10: both loops make as many passes of the model, so that ratios hardly depend on T
    "quick": Scale(repeats=5, steps=10, batches=POWERS[::2], sizes=(1024, 4096)),
    "full": Scale(repeats=9, sizes=(1024, 4096, 16_384, 60_000), size_repeats=3),
}


class Case(NamedTuple):
    """Methods that are compared: one model, one batch, the reference among them."""

    model: str
    batch: int
    methods: Sequence[Method]
    auto: bool = True  # whether the library would choose this batch size itself


def attack_cases(scale: Scale) -> list[Case]:
    """Every attack on every model, in batches of the size that the library takes for it.

    Those of one size are a case, with a PGD of its own.
    """
    cases = []
    for name in scale.models:
        model, shape = build(name)
        attacks = {
            **mine_attacks(model, scale),
            "Gaussian UAE": mine_max(model, Gaussian(), scale),
            "L2-UAE": uae.MinMaxAttack.from_preset("l2_uae", model, steps=scale.steps),
        }
        groups: dict[int, dict[str, uae.MinMaxAttack]] = {}
        for label, attack in attacks.items():
            groups.setdefault(attack.auto_batch_size(shape), {})[label] = attack
        for batch, group in groups.items():
            x = images(shape, batch)
            # twice: by how much a ratio is off where nothing differs
            twice = (uae.PGDAttack(model, steps=scale.steps) for _ in range(2))
            methods = [search(n, a, x) for n, a in zip((REFERENCE, AGAIN), twice, strict=True)]
            methods += [search(label, attack, x) for label, attack in group.items()]
            methods += [noise(x)] if "L2-UAE" in group else []
            cases.append(Case(name, batch, methods))
    return cases


def batch_cases(scale: Scale) -> list[Case]:
    """PGD and MINE-UAE at every batch size; the one that "auto" means is marked."""
    model, shape = build(scale.model)
    attack = mine_attacks(model, scale)[CONV]
    chosen = attack.auto_batch_size(shape)
    both = {REFERENCE: uae.PGDAttack(model, steps=scale.steps), CONV: attack}
    cases = []
    for batch in scale.batches:
        x = images(shape, batch)
        methods = [search(name, each, x) for name, each in both.items()]
        cases.append(Case(scale.model, batch, methods, auto=batch == chosen))
    return cases


def build(name: str) -> tuple[keras.Model, Shape]:
    """A model of `MODELS`, untrained, and the shape of its samples."""
    make, shape = MODELS[name]
    return make(shape, seed=0), shape


def images(shape: Shape, count: int) -> np.ndarray:
    """Images in [0, 1]: real digits for 8×8×1, over again if need be, and otherwise noise."""
    if shape == (8, 8, 1):
        return np.resize(load("digits").x_train, (count, *shape))
    return np.random.default_rng(0).random((count, *shape), dtype=np.float32)


def mine_attacks(model: keras.Model, scale: Scale) -> dict[str, uae.MinMaxAttack]:
    """MINE-UAE on feature maps where the model has them, otherwise both forms of sampling."""
    if uae.similarity.features.first_convolution(model) is not None:
        return {CONV: mine_max(model, MINE(steps=scale.mine_steps), scale)}
    size = {"samples": scale.samples, "dimension": scale.dimension}
    features = {EXACT: BivariateSampling(**size), LITERAL: RandomSampling(**size)}
    return {
        name: mine_max(model, MINE(steps=scale.mine_steps, features=each), scale)
        for name, each in features.items()
    }


def mine_max(model: keras.Model, similarity: Any, scale: Scale) -> uae.MinMaxAttack:
    return uae.MinMaxAttack(model, similarity=similarity, steps=scale.steps)


def search(name: str, attack: Attack, x: np.ndarray) -> Method:
    """One batch through the compiled attack, until the examples are there."""
    tensors = tf.constant(x), tf.range(len(x), dtype=tf.int64), tf.constant(0, tf.int64)
    return Method(name, len(x), lambda: attack.search(*tensors)[0]["x"].numpy())


def noise(x: np.ndarray) -> Method:
    """Gaussian augmentation: no pass of the model at all."""
    return Method("GA σ = 0.01", len(x), lambda: uae.gaussian_noise(x, 0.01))
