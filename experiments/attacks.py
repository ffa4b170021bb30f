"""How experiments attack: the flags of an attack, and generation that can stop and go on."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import keras
import numpy as np

import keras_uae as uae
from experiments.config import ExperimentConfig, settled
from experiments.datasets import Split
from experiments.progress import JobProgress
from keras_uae.attack import PRESETS
from keras_uae.checks import check_choice, check_integer
from keras_uae.generation import auto_batch_size
from models import get_recipe

# An iteration of MINE on random projections, in training samples: hundreds of pairs of its own
SAMPLING_WORK = {"random": 100, "bivariate": 40}
SAVE_EVERY = 300  # seconds; Ctrl-C saves too, this is for the plug
ATTACK_PRESETS = ("default", "paper", "published_code")


@dataclass(frozen=True)
class AttackConfig(ExperimentConfig):
    """Settings of experiments that attack a model."""

    attack_size: int | None = None
    """Augment the first so many training images. Every augmentation adds exactly these, so does
    the duplicate control. Default: all."""
    attack_preset: str = "default"
    """Settings of the attack: default, paper (the letter of Algorithm 1) or published_code."""
    steps: int | None = None
    """Iterations T of the attack. Preset: 40; smoke: 10."""
    epsilon: float = 1.0
    """Largest change ε of any pixel."""
    similarity: str = "auto"
    """What the attack minimises: auto, conv, random or bivariate (MINE), gaussian, l2, cosine."""
    target: str = "self"
    """What a model trained on x + δ restores: self (x + δ, as the paper does) or clean (x)."""

    def complete(self, data: Split) -> Self:
        """This configuration with the sizes that "all images" stands for.

        Raises:
            ValueError: A setting does not suit the data, the model or the others.
        """
        size = len(data.x_train)
        added = size if self.attack_size is None else self.attack_size
        check_integer(type(self).__name__, "attack_size", added, 1, size)
        check_choice(type(self).__name__, "target", self.target, ("self", "clean"))
        if self.target == "clean" and added < size:
            raise ValueError(
                f"`attack_size` of {type(self).__name__} must be {size}, all training images, "
                f"where the target is clean. Received: attack_size={added}."
            )
        # what the attack itself refuses
        self.attack(get_recipe(self.model).build(data.x_train.shape[1:]))
        return dataclasses.replace(self, train_size=size, attack_size=added)

    def attack(self, model: keras.Model) -> uae.MinMaxAttack:
        """The attack that finds UAEs of `model`."""
        check_choice(type(self).__name__, "attack_preset", self.attack_preset, ATTACK_PRESETS)
        return uae.MinMaxAttack.from_preset(
            self.attack_preset,
            model,
            similarity=self.similarity,
            steps=self.steps,
            epsilon=self.epsilon,
        )

    def l2_attack(self, model: keras.Model) -> uae.MinMaxAttack:
        """The baseline L2-UAE, in all else like `attack`."""
        start = PRESETS[self.attack_preset]
        return uae.MinMaxAttack.from_preset(
            "l2_uae", model, **start, steps=self.steps, epsilon=self.epsilon
        )

    def attack_work(self, name: str = "mine") -> int:
        """What attacking one sample takes, in the unit of `JobProgress`, and roughly."""
        kind = "random" if self.similarity == "auto" and self.model != "conv" else self.similarity
        return settled(self.steps) * (SAMPLING_WORK.get(kind, 1) if name == "mine" else 1)


def generate(
    attack: uae.MinMaxAttack,
    x: np.ndarray,
    path: Path,
    *,
    seed: int,
    progress: JobProgress,
    label: str,
    work: int,
    trace: bool = False,
) -> uae.UAEs:
    """The UAEs of `x`, kept in the file `path`: what it holds already is not generated again.

    `work` is what a sample counts for in `progress`.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was done by then is in the file.
    """
    parts = [uae.UAEs.load(path)] if path.exists() else []
    done = sum(map(len, parts))
    progress.skip(done * work)
    if done == len(x):
        return parts[0]
    size = min(auto_batch_size(attack, x.shape[1:]), len(x))
    saved = time.monotonic()
    try:
        with progress.stage(f"{label} · {done}/{len(x)}", (len(x) - done) * work):
            for start in range(done, len(x), size):
                # one batch at a time: the file then ends where a batch begins, whenever we stop
                rows = np.arange(start, min(start + size, len(x)))
                found = attack.generate(
                    x[rows], batch_size=size, seed=seed, index=rows, trace=trace, verbose=0
                )
                parts.append(found)
                progress.advance(len(rows) * work, f"{label} · {rows[-1] + 1}/{len(x)}")
                if time.monotonic() - saved > SAVE_EVERY:
                    uae.UAEs.concatenate(parts).save(path, overwrite=True)
                    saved = time.monotonic()
    finally:
        if parts:
            uae.UAEs.concatenate(parts).save(path, overwrite=True)
    return uae.UAEs.concatenate(parts)
