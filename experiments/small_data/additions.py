"""What a training adds to the images of its set: duplicates, UAEs, or noise as large as these."""

from pathlib import Path

import keras
import numpy as np

from experiments.attacks import attack_work, generate
from experiments.config import settled
from experiments.job import Job
from experiments.small_data.config import Config
from experiments.small_data.noise import KINDS, noise_of_size
from experiments.small_data.rows import Row
from experiments.small_data.settings import SETTINGS
from keras_uae.files import atomic_write

Added = tuple[np.ndarray, np.ndarray]


def additions(
    job: Job[Config], x: np.ndarray, seed: int, row: Row, model: keras.Model | None, place: int
) -> Added:
    """The additions of a round, `examples` for each of x one after another, and which are UAEs.

    `model` is attacked; only UAEs ask for it. Noise is as large as the UAEs that the same setting
    and round have made before.
    """
    examples = SETTINGS[row.setting].examples
    if row.kind == "duplicate":
        return x, np.zeros(len(x), bool)
    if row.kind == "uae":
        if model is None:
            raise ValueError("`model` of additions must be a model for UAEs. Received: None.")
        parts = [_examples(job, x, seed, row, model, place, each) for each in range(examples)]
        added, success = (np.concatenate(part) for part in zip(*parts, strict=True))
        with atomic_write(_sizes_path(job, seed, row, place)) as file:
            np.save(file, _norms(added - np.tile(x, (examples, 1, 1, 1))))
        return added, success
    norms = np.load(_sizes_path(job, seed, row, place))
    key = (seed, place, list(KINDS).index(row.kind))
    repeated = np.tile(x, (examples, 1, 1, 1))
    return noise_of_size(repeated, norms, row.kind, key), np.zeros(len(repeated), bool)


def additions_work(config: Config, row: Row) -> int:
    """What the attacks of a row take, in the unit of `JobProgress`."""
    if row.kind != "uae":
        return 0
    setting = SETTINGS[row.setting]
    return setting.rounds * setting.examples * settled(config.train_size) * _work(config, row)


def _examples(
    job: Job[Config],
    x: np.ndarray,
    seed: int,
    row: Row,
    model: keras.Model,
    place: int,
    example: int,
) -> Added:
    """The UAEs of one round, each from a δ₀ that no other example of its image has."""
    # those of the original model serve all targets
    name = f"{row.setting}-{example}" if place == 0 else f"{row.setting}-{row.target}-{place}"
    found = generate(
        job.config.attack(row.setting, model),
        x,
        job.run.path(f"seed-{seed}", f"{name}_uae.npz"),
        seed=seed + 1_000_003 * (place + 7 * example),
        progress=job.progress,
        label=f"{job.label(seed, row.name)} · attack",
        work=_work(job.config, row),
    )
    return found.x, found.success


def _work(config: Config, row: Row) -> int:
    attack = SETTINGS[row.setting].attack
    return attack_work(str(attack.get("similarity", config.similarity)), attack.get("steps", 40))


def _norms(delta: np.ndarray) -> np.ndarray:
    return np.linalg.norm(delta.reshape(len(delta), -1), axis=1)


def _sizes_path(job: Job[Config], seed: int, row: Row, place: int) -> Path:
    return job.run.path(f"seed-{seed}", f"{row.setting}-{row.target}-{place}_sizes.npy")
