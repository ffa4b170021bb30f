"""How experiments attack: the flags of an attack, and generation that can stop and go on."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

import keras_uae as uae
from experiments.config import ExperimentConfig
from experiments.data import Split
from experiments.job import Job
from experiments.progress import JobProgress
from keras_uae._checks import check_choice, check_integer
from keras_uae.attacks.base import Attack

# the similarities that MINE estimates
MINE = ("auto", "conv", "random", "bivariate")
# An iteration of MINE on random projections, in training samples: hundreds of pairs of its own
SAMPLING_WORK = {"random": 100, "bivariate": 40}
SAVE_EVERY = 300  # seconds; Ctrl-C saves too, this is for the plug
ATTACK_PRESETS = ("default", "paper", "published_code")


@dataclass(frozen=True)
class AttackConfig(ExperimentConfig):
    """Settings of experiments that attack a model."""

    attack_size: int | None = None
    """Augment the first so many training samples. Every augmentation adds exactly these, so does
    the duplicate control. Default: all."""
    attack_preset: str = "default"
    """Settings of the attack: default, paper (the letter of Algorithm 1) or published_code."""
    steps: int | None = None
    """Iterations T of the attack. Preset: 40; smoke: 10."""
    epsilon: float = 1.0
    """Largest change ε of any value of a sample."""
    similarity: str = "auto"
    """What the attack minimises: auto, conv, random or bivariate (MINE), gaussian, l2, cosine,
    feature_scattering."""

    def preset_settings(self) -> dict[str, Any]:
        """As of every experiment, and the iterations."""
        return {**super().preset_settings(), "steps": 10 if self.preset == "smoke" else 40}

    def complete(self, data: Split) -> Self:
        """This configuration with the sizes that "all samples" stands for.

        Raises:
            ValueError: A setting does not suit the data, the model or the others.
        """
        size = len(data.x_train)
        added = size if self.attack_size is None else self.attack_size
        check_integer(type(self).__name__, "attack_size", added, 1, size)
        # what the attack itself refuses
        self.attack(self.untrained(data.x_train.shape[1:]))
        return dataclasses.replace(super().complete(data), attack_size=added)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A model like those that are attacked, for samples of `shape`."""
        raise NotImplementedError

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of `model`; `settings` override those of its preset."""
        check_choice(type(self).__name__, "attack_preset", self.attack_preset, ATTACK_PRESETS)
        return uae.MinMaxAttack.from_preset(
            self.attack_preset,
            model,
            **{"similarity": self.similarity, **settings},
            steps=self.steps,
            epsilon=self.epsilon,
        )


def attack_work(similarity: str, steps: int) -> int:
    """What attacking one sample takes, in the unit of `JobProgress`, and roughly."""
    return steps * SAMPLING_WORK.get(similarity, 1)


def uae_label(similarity: str) -> str:
    """How the UAEs of an attack that minimises `similarity` are called."""
    return "MINE-UAE" if similarity in MINE else f"UAE ({similarity})"


def attacked(job: Job) -> np.ndarray:
    """The training samples that are augmented."""
    return job.data.x_train[: job.config.attack_size]


def uaes(
    job: Job,
    seed: int,
    name: str,
    attack: Attack,
    x: np.ndarray,
    work: int,
    y: np.ndarray | None = None,
    *,
    trace: bool = False,
    measure: Callable[[uae.UAEs], dict[str, Any]] = lambda found: {},
) -> uae.UAEs:
    """The examples of `x`, from the file of an earlier session as far as it goes, and their record.

    `work` is what a sample counts for in the job's progress, `y` the labels if the attack takes
    any; `measure` gives what else is to be recorded of the examples.
    """
    key = {"stage": "attack", "seed": seed, "name": name}
    record = job.run.find(**key) or {}
    path = job.run.path(f"seed-{seed}", f"{name}_uae.npz")
    before, begin = record.get("seconds", 0.0), time.perf_counter()
    label = job.label(seed, name) + " · attack"
    settings: dict[str, Any] = {"seed": seed, "progress": job.progress, "label": label}
    try:
        found = generate(attack, x, path, y, **settings, work=work, trace=trace)
    except KeyboardInterrupt:
        job.run.add(key, seconds=before + time.perf_counter() - begin)
        raise
    if "asr" not in record:
        seconds = before + time.perf_counter() - begin
        figures = {**attack_figures(x, found.x, found.success), **measure(found)}
        job.run.add(key, **figures, frozen=int(found.frozen.sum()), seconds=seconds)
        job.progress.say(f"{label}: ASR {found.success_rate:.1%} ({seconds:.1f} s)")
    return found


def attack_figures(x: np.ndarray, z: np.ndarray, success: np.ndarray) -> dict[str, Any]:
    """ASR, and the mean L2 norm of the perturbation where the attack succeeded."""
    norms = np.linalg.norm((z - x).reshape(len(x), -1), axis=1)
    return {
        "asr": float(success.mean()),
        "l2": float(norms[success].mean()) if success.any() else None,
    }


def generate(
    attack: Attack,
    x: np.ndarray,
    path: Path,
    y: np.ndarray | None = None,
    *,
    seed: int,
    progress: JobProgress,
    label: str,
    work: int,
    trace: bool = False,
) -> uae.UAEs:
    """The examples of `x`, kept in the file `path`: what it holds is not generated again.

    `y` are the labels, if the attack takes any; `work` is what a sample counts for in `progress`.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was done by then is in the file.
    """
    parts = [uae.UAEs.load(path)] if path.exists() else []
    done = sum(map(len, parts))
    progress.skip(done * work)
    if done == len(x):
        return parts[0]
    size = min(attack.auto_batch_size(x.shape[1:]), len(x))
    saved = time.monotonic()
    try:
        with progress.stage(f"{label} · {done}/{len(x)}", (len(x) - done) * work):
            for start in range(done, len(x), size):
                # one batch at a time: the file then ends where a batch begins, whenever we stop
                rows = np.arange(start, min(start + size, len(x)))
                labels = None if y is None else y[rows]
                settings: dict[str, Any] = {"batch_size": size, "seed": seed, "index": rows}
                found = attack.generate(x[rows], y=labels, **settings, trace=trace, verbose=0)
                parts.append(found)
                progress.advance(len(rows) * work, f"{label} · {rows[-1] + 1}/{len(x)}")
                if time.monotonic() - saved > SAVE_EVERY:
                    uae.UAEs.concatenate(parts).save(path, overwrite=True)
                    saved = time.monotonic()
    finally:
        if parts:
            uae.UAEs.concatenate(parts).save(path, overwrite=True)
    return uae.UAEs.concatenate(parts)
