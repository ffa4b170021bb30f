"""What a reconstruction run adds to the originals: duplicates, UAEs, noise, flips and rotations."""

import time

import keras
import numpy as np

import keras_uae as uae
from experiments.attacks import attack_figures, attacked, uaes
from experiments.job import Job
from experiments.reconstruction.config import Config
from experiments.reconstruction.conventional import augmented
from experiments.reconstruction.rows import NOISE, ROWS, chain


def additions(job: Job[Config], seed: int, name: str, base: keras.Model | None) -> list[np.ndarray]:
    """All that row `name` adds, a set of images each; the figures of its own are recorded.

    `base` is the model of the row that it builds on; nothing asks for that of duplicates.
    """
    earlier = [_again(job, seed, each) for each in chain(name)[:-1]]
    return [*earlier, _new(job, seed, name, base)]


def _new(job: Job[Config], seed: int, name: str, base: keras.Model | None) -> np.ndarray:
    images, config, adds = attacked(job), job.config, ROWS[name].adds
    if ROWS[name].attacks:
        attack = config.l2_attack(base) if adds == "l2" else config.attack(base)
        return uaes(job, seed, name, attack, images, config.attack_work(adds)).x
    if adds == "duplicate":
        return images
    begin = time.perf_counter()
    drawn = _drawn(images, adds, seed)
    seconds = time.perf_counter() - begin
    figures = {}
    if adds in NOISE:
        # every sample is kept as it is, also where it is no success
        success = uae.criterion_values(config.attack(base).criterion, images, drawn) <= 0
        figures = attack_figures(images, drawn, success)
    job.run.add({"stage": "attack", "seed": seed, "name": name}, **figures, seconds=seconds)
    return drawn


def _again(job: Job[Config], seed: int, name: str) -> np.ndarray:
    """What a row that is done has added."""
    if ROWS[name].attacks:
        return uae.UAEs.load(job.run.path(f"seed-{seed}", f"{name}_uae.npz")).x
    return _drawn(attacked(job), ROWS[name].adds, seed)


def _drawn(images: np.ndarray, adds: str, seed: int) -> np.ndarray:
    if adds == "duplicate":
        return images
    if adds in NOISE:
        return uae.gaussian_noise(images, NOISE[adds], seed=seed)
    return augmented(images, adds, seed)
