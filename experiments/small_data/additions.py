"""What a training adds to the images of its set: duplicates, UAEs, or noise as large as these."""

from pathlib import Path

import keras
import numpy as np

import keras_uae as uae
from experiments.attacks import attack_work, generate
from experiments.config import settled
from experiments.job import Job
from experiments.small_data.config import Config
from experiments.small_data.noise import KINDS, noise_like
from experiments.small_data.rows import Row
from experiments.small_data.settings import SETTINGS

Added = tuple[np.ndarray, np.ndarray]


def additions(
    job: Job[Config], x: np.ndarray, seed: int, row: Row, model: keras.Model, place: int
) -> Added:
    """The additions of a round, `examples` for each of x one after another, and which are UAEs.

    `model` is attacked for UAEs. Noise is like those that the same setting has made before.
    """
    if row.kind == "duplicate":
        return x, np.zeros(len(x), bool)
    paths = example_paths(job, seed, row, place)
    repeated = np.tile(x, (len(paths), 1, 1, 1))
    if row.kind == "uae":
        parts = [
            generate(
                job.config.attack(row.setting, model),
                x,
                path,
                # no two examples of an image have the same δ₀
                seed=seed + 1_000_003 * (place + 7 * example),
                progress=job.progress,
                label=f"{job.label(seed, row.name)} · attack",
                work=_image_work(job.config, row),
            )
            for example, path in enumerate(paths)
        ]
        found = uae.UAEs.concatenate(parts)
        return found.x, found.success
    z = np.concatenate([uae.UAEs.load(path).x for path in paths])
    key = (seed, place, list(KINDS).index(row.kind))
    return noise_like(repeated, z, row.kind, key), np.zeros(len(z), bool)


def example_paths(job: Job[Config], seed: int, row: Row, place: int) -> list[Path]:
    """Where the UAEs of a round are, a file for each example of an image.

    Those of the first round are of the original model, and the same for all targets.
    """
    model = "original" if place == 0 else f"{row.target}-{place}"
    return [
        job.run.path(f"seed-{seed}", f"{row.setting}-{model}-{example}_uae.npz")
        for example in range(SETTINGS[row.setting].examples)
    ]


def additions_work(config: Config, row: Row) -> int:
    """What the attacks of a row take, in the unit of `JobProgress`."""
    if row.kind != "uae":
        return 0
    setting = SETTINGS[row.setting]
    images = setting.rounds * setting.examples * settled(config.train_size)
    return images * _image_work(config, row)


def _image_work(config: Config, row: Row) -> int:
    attack = SETTINGS[row.setting].attack
    return attack_work(str(attack.get("similarity", config.similarity)), attack.get("steps", 40))
