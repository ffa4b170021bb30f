"""What a reconstruction run adds to the originals: duplicates, UAEs or noise."""

import time

import keras
import numpy as np

import keras_uae as uae
from experiments.attacks import attack_figures, attacked, uaes
from experiments.job import Job
from experiments.reconstruction.config import Config

NOISE = {"ga_0.01": 0.01, "ga_0.001": 0.001}
ATTACKS = ("mine", "l2")


def additions(job: Job[Config], seed: int, name: str, original: keras.Model) -> np.ndarray:
    """The images that augmentation `name` adds; its attack figures are recorded."""
    images, config = attacked(job), job.config
    if name == "duplicate":
        return images
    if name in ATTACKS:
        attack = config.l2_attack(original) if name == "l2" else config.attack(original)
        return uaes(job, seed, name, attack, images, config.attack_work(name)).x
    key = {"stage": "attack", "seed": seed, "name": name}
    begin = time.perf_counter()
    noisy = uae.gaussian_noise(images, NOISE[name], seed=seed)
    seconds = time.perf_counter() - begin
    # every sample is kept as it is, also where it is no success
    success = uae.criterion_values(config.attack(original).criterion, images, noisy) <= 0
    job.run.add(key, **attack_figures(images, noisy, success), seconds=seconds)
    return noisy
