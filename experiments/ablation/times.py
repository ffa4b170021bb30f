"""What the attacks of an ablation run take, in turns, as multiples of the default one."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from experiments.ablation.config import Config
from experiments.attacks import attacked
from experiments.benchmark.cases import search
from experiments.benchmark.timing import Method, compare, round_robin
from experiments.config import settled
from experiments.job import Job
from keras_uae.attacks.base import Attack

SIGMA = 0.01  # of Gaussian augmentation
ROTATION = 10 / 360  # of a full turn (supplement 6.12)


def time_methods(job: Job[Config], seed: int, attacks: Mapping[str, Attack]) -> None:
    """Time every attack on a batch of images, and augmentations without an attack.

    All take turns in one process: compare their ratios, the times are those of a machine that may
    have other work to do.
    """
    config, x = job.config, attacked(job)
    if job.run.find(stage="timing", name="mine"):
        job.progress.skip(timing_work(config))
        return
    # the batch of `uaes`: nothing is traced again
    batches = {name: x[: attack.auto_batch_size(x.shape[1:])] for name, attack in attacks.items()}
    methods = [search(name, attack, batches[name]) for name, attack in attacks.items()]
    if "time" in config.parts:
        methods += [Method(name, len(x), run) for name, run in augmentations(x).items()]

    def tick(index: int) -> None:
        job.progress.advance(0, f"timing · {methods[index].name}")

    with job.progress.stage("timing", timing_work(config)):
        timings = round_robin(methods, settled(config.rounds), tick)
    # "mine" comes last: with it the timing is complete
    for row in reversed(compare(methods, timings, "mine")):
        key = {"stage": "timing", "seed": seed, "name": row["name"]}
        job.run.add(key, **row["summary"], seconds=row["warm_up_seconds"] + sum(row["seconds"]))


def augmentations(x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """What Table 9 compares with that attacks nothing."""
    turned = keras.Sequential(
        [keras.layers.RandomFlip(seed=0), keras.layers.RandomRotation(ROTATION, seed=0)]
    )
    compiled = tf.function(lambda images: turned(images, training=True), autograph=False)
    images = tf.constant(x)
    return {
        "ga": lambda: uae.gaussian_noise(x, SIGMA),
        "flip_or_rotation": lambda: compiled(images).numpy(),
    }


def timing_work(config: Config) -> int:
    """What the timing takes, in the unit of `JobProgress`."""
    iterations = sum(each.work for each in config.variants.values()) * settled(config.steps)
    return (settled(config.rounds) + 1) * settled(config.attack_size) * iterations
