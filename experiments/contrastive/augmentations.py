"""What a contrastive run adds to the originals: duplicates, UAEs or noise."""

import dataclasses
import time
from typing import Any

import numpy as np

import keras_uae as uae
from experiments.attacks import attack_figures, attacked, uaes
from experiments.contrastive.config import Config
from experiments.job import Job
from models.simclr import SimCLR

UNSEEN = 1  # seed of views that no attack compares
IMAGES = 512  # views that are judged at a time


def examples(job: Job[Config], seed: int, original: SimCLR) -> np.ndarray:
    """The UAEs of the training images, recorded with how many succeed by other views too."""
    images, attack = attacked(job), job.config.attack(original)

    def measure(found: uae.UAEs) -> dict[str, Any]:
        unseen = dataclasses.replace(job.config.criterion(original), seed=UNSEEN)
        success = found.success & _succeeds(unseen, images, found.x)
        return {"asr_unseen": float(success.mean())}

    return uaes(job, seed, "mine", attack, images, job.config.attack_work(), measure=measure).x


def additions(
    job: Job[Config], seed: int, name: str, original: SimCLR, found: np.ndarray
) -> np.ndarray:
    """The images that row `name` adds."""
    if name == "mine":
        return found
    return noisy(job, seed, original, found) if name == "gaussian" else attacked(job)


def noisy(job: Job[Config], seed: int, original: SimCLR, found: np.ndarray) -> np.ndarray:
    """Images with noise whose mean L2 norm is that of the UAEs; its figures are recorded."""
    images, key = attacked(job), {"stage": "attack", "seed": seed, "name": "gaussian"}
    begin = time.perf_counter()
    norms = np.linalg.norm((found - images).reshape(len(images), -1), axis=1)
    sigma = float(norms.mean() / np.sqrt(images[0].size))
    noise = uae.gaussian_noise(images, sigma, seed=seed)
    if job.run.find(**key) is None:
        # every image is kept as it is, also where it is no success
        success = _succeeds(job.config.criterion(original), images, noise)
        figures = {**attack_figures(images, noise, success), "sigma": sigma}
        job.run.add(key, **figures, seconds=time.perf_counter() - begin)
    return noise


def _succeeds(criterion: uae.Contrastive, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    batch_size = max(1, IMAGES // criterion.inputs_per_sample)
    return uae.criterion_values(criterion, x, z, batch_size=batch_size) <= 0
