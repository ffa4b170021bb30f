"""How experiments attack: the flags of an attack, and generation that can stop and go on."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import keras
import numpy as np

import keras_uae as uae
from experiments.data import Split
from experiments.engine.config import Choice, ExperimentConfig
from experiments.engine.job import Job
from keras_uae import similarity as similarities
from keras_uae._checks import check_integer
from keras_uae.attacks.base import Attack
from keras_uae.attacks.presets import PRESETS

Made = TypeVar("Made", bound=Attack)

# the names of similarities that MINE estimates
MINE = (
    "auto",
    *(
        name
        for name, make in similarities.SIMILARITIES.items()
        if isinstance(make(similarities.Pixels()), similarities.MINE)
    ),
)
# what MINE on random projections draws them by
SAMPLINGS = {"random": similarities.RandomSampling, "bivariate": similarities.BivariateSampling}
PROJECTIONS = 500  # K of the paper, section 6.2
# An iteration of MINE on as many, in training samples: hundreds of pairs of its own
SAMPLING_WORK = {"random": 100, "bivariate": 40}
# the attack that the paper's numbers were made with, in place of the settings of a run
PUBLISHED: dict[str, Any] = {**PRESETS["published_code"], "epsilon": 1.0}
SAVE_EVERY = 300  # seconds; Ctrl-C saves too, this is for the plug
# the presets that leave it to the user what is minimised
ATTACK_PRESETS = tuple(name for name, each in PRESETS.items() if "similarity" not in each)


@dataclass(frozen=True)
class AttackConfig(ExperimentConfig):
    """Settings of experiments that attack a model to augment its training samples."""

    choosing = (*ExperimentConfig.choosing, "attack_preset")

    attack_size: int | None = None
    """Augment the first so many training samples. Every augmentation adds exactly these, so does
    the duplicate control. Default: all."""
    attack_preset: Annotated[str, Choice(ATTACK_PRESETS)] = "default"
    """Settings of the attack; paper is the letter of Algorithm 1, augmentation has a small ε."""
    steps: int = 40
    """Iterations T of the attack."""
    epsilon: float = 1.0
    """Largest change ε of any value of a sample."""
    similarity: Annotated[str, Choice(similarities.names())] = "auto"
    """What the attack minimises; conv, random and bivariate are estimates of MINE; auto is conv
    where the input meets a convolution, and otherwise gaussian."""

    @classmethod
    def for_preset(cls, preset: str = "quick", **settings: Any) -> Self:
        """As of every experiment, the iterations, and what the preset of the attack says of ε."""
        attack = PRESETS[settings.get("attack_preset", cls.attack_preset)]
        steps = 10 if preset == "smoke" else 40
        mine = {"steps": steps, "epsilon": attack.get("epsilon", cls.epsilon)}
        return super().for_preset(preset, **{**mine, **settings})

    def complete(self, data: Split) -> Self:
        """As of every experiment, and the number of samples that "all" stands for."""
        count = len(data.x_train)
        added = count if self.attack_size is None else self.attack_size
        check_integer(type(self).__name__, "attack_size", added, 1, count)
        # what the attack itself refuses
        self.attack(self.untrained(data.x_train.shape[1:]))
        return dataclasses.replace(super().complete(data), attack_size=added)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A model like those that are attacked, for samples of `shape`."""
        raise NotImplementedError

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of `model`; `settings` override those of its preset."""
        chosen = {"similarity": self.similarity, "steps": self.steps, "epsilon": self.epsilon}
        return uae.MinMaxAttack.from_preset(self.attack_preset, model, **{**chosen, **settings})


def attack_work(similarity: str, steps: int, projections: int = PROJECTIONS) -> int:
    """What attacking one sample takes, in the unit of `Piece.work`, and roughly."""
    work = steps * SAMPLING_WORK.get(similarity, 1)
    return max(steps, work * projections // PROJECTIONS)


def uae_label(similarity: str) -> str:
    """How the UAEs of an attack that minimises `similarity` are called."""
    return "MINE-UAE" if similarity in MINE else f"UAE ({similarity})"


def attack_on(
    job: Job, model: keras.Model, name: Hashable, make: Callable[[keras.Model], Made]
) -> Made:
    """The attack of that name, which `make` makes of a model, on one with the weights of `model`.

    It is made once for all seeds, and so traced once.
    """

    def on_a_copy() -> Made:
        return make(keras.models.clone_model(model))

    attack = job.once(("attack", name), on_a_copy, for_all=True)
    attack.model.set_weights(model.get_weights())
    return attack


def attacked(job: Job) -> np.ndarray:
    """The training samples that are augmented."""
    return job.data.x_train[: job.config.attack_size]


def find_uaes(
    job: Job,
    attack: Attack,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    path: Path | None = None,
    seed: int | None = None,
    work: int | None = None,
    trace: bool = False,
) -> uae.UAEs:
    """The examples of `x`, from the file of an earlier session as far as it goes.

    The file at `path`, what the attack draws by `seed`, and the `work` that a sample counts for are
    those of the piece, unless given; `job.uaes` reads its file. `trace` keeps all iterations. What
    is done by the time of a Ctrl-C is in the file.
    """
    path = job.path(f"{job.name}_uae.npz") if path is None else path
    parts = []
    if path.exists():
        earlier = job.run.read(path, uae.UAEs.load)
        # early files do not say what was minimised
        parts = [dataclasses.replace(earlier, measure=attack.measure)]
    done = sum(map(len, parts))
    work = job.piece.work // len(x) if work is None else work
    job.progress.skip(done * work)
    if done == len(x):
        return parts[0]
    saved = time.monotonic()

    def save() -> None:
        uae.UAEs.concatenate(parts).save(path, overwrite=True)

    batches = attack.batches(
        x[done:],
        None if y is None else y[done:],
        index=np.arange(done, len(x)),
        batch_size=min(attack.auto_batch_size(x.shape[1:]), len(x)),
        exact=True,  # the rest of the samples gets the rounding of all of them
        seed=job.seed if seed is None else seed,
        trace=trace,
    )
    try:
        for found in batches:
            parts.append(found)
            done += len(found)
            job.progress.advance(len(found) * work, f"{job.label} · {done}/{len(x)}")
            if time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
    finally:
        if parts:
            save()
    return uae.UAEs.concatenate(parts)


def attack_figures(x: np.ndarray, z: np.ndarray, success: np.ndarray) -> dict[str, Any]:
    """ASR, and the mean L2 norm of the perturbation where the attack succeeded."""
    norms = np.linalg.norm((z - x).reshape(len(x), -1), axis=1)
    return {
        "asr": float(success.mean()),
        "l2": float(norms[success].mean()) if success.any() else None,
    }


def found_figures(x: np.ndarray, found: uae.UAEs) -> dict[str, Any]:
    """The same of an attack, and how many samples were given up."""
    return {**attack_figures(x, found.x, found.success), "frozen": int(found.frozen.sum())}
