"""What a reconstruction run adds to the originals: duplicates, UAEs or noise."""

import time
from typing import Any

import keras
import numpy as np

import keras_uae as uae
from experiments.attacks import generate
from experiments.job import Job

NOISE = {"ga_0.01": 0.01, "ga_0.001": 0.001}
ATTACKS = ("mine", "l2")


def additions(job: Job, seed: int, name: str, original: keras.Model) -> np.ndarray:
    """The images that augmentation `name` adds; its attack figures are recorded."""
    if name == "duplicate":
        return job.images
    if name in ATTACKS:
        return uaes(job, seed, name, original).x
    key = {"stage": "attack", "seed": seed, "name": name}
    begin = time.perf_counter()
    noisy = uae.gaussian_noise(job.images, NOISE[name], seed=seed)
    seconds = time.perf_counter() - begin
    # every sample is kept as it is, also where it is no success
    criterion = job.config.attack(original).criterion
    success = uae.criterion_values(criterion, job.images, noisy) <= 0
    job.run.add(key, **_figures(job.images, noisy, success), seconds=seconds)
    return noisy


def uaes(job: Job, seed: int, name: str, original: keras.Model) -> uae.UAEs:
    """The UAEs of the original model, from the file of an earlier session as far as it goes."""
    key = {"stage": "attack", "seed": seed, "name": name}
    record = job.run.find(**key) or {}
    attack = (job.config.l2_attack if name == "l2" else job.config.attack)(original)
    path = job.run.path(f"seed-{seed}", f"{name}_uae.npz")
    before, begin = record.get("seconds", 0.0), time.perf_counter()
    label = job.label(seed, name) + " · attack"
    try:
        found = generate(
            attack,
            job.images,
            path,
            seed=seed,
            progress=job.progress,
            label=label,
            work=job.config.attack_work(name),
        )
    except KeyboardInterrupt:
        job.run.add(key, seconds=before + time.perf_counter() - begin)
        raise
    if "asr" not in record:
        seconds = before + time.perf_counter() - begin
        figures = _figures(job.images, found.x, found.success)
        job.run.add(key, **figures, frozen=int(found.frozen.sum()), seconds=seconds)
        job.progress.say(f"{label}: ASR {found.success_rate:.1%} ({seconds:.1f} s)")
    return found


def _figures(x: np.ndarray, z: np.ndarray, success: np.ndarray) -> dict[str, Any]:
    """ASR, and the mean L2 norm of the perturbation where the attack succeeded."""
    norms = np.linalg.norm((z - x).reshape(len(x), -1), axis=1)
    return {
        "asr": float(success.mean()),
        "l2": float(norms[success].mean()) if success.any() else None,
    }
