"""The flags of a contrastive run and its presets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import tensorflow as tf

import keras_uae as uae
from experiments.attacks import AttackConfig, attack_work
from experiments.config import settled
from experiments.data import COUNTS, Split
from keras_uae._checks import check_choice, check_integer, check_number
from models.simclr import LARS, SimCLR, cosine_schedule, resnet

OPTIMIZERS = ("adam", "lars")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
GREY = ("digits", "mnist", "fashion_mnist")
# digits and clothes are not themselves when mirrored, and small parts of them look all the same
GREY_VIEWS = uae.ViewAugmentation(min_area=0.3, flip_probability=0.0)
PGD_STEP_SIZE = 0.01  # supplement 6.17
CLAE_WORK = 2  # steps of SimCLR that take as long as one of CLAE, about


def several_gpus() -> bool:
    """Whether trainings are shared out among GPUs."""
    return len(tf.config.list_physical_devices("GPU")) > 1


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve contrastive learning? Table 7 and Figure 10 (b), with controls."""

    experiment = "contrastive"
    counts = (
        *AttackConfig.counts,
        "retraining_epochs",
        "batch_size",
        "width",
        "pairs",
        "every",
        "pgd_steps",
    )

    retraining_epochs: int | None = None
    """Epochs of the trainings on originals and additions together (the paper: 1.5 ×)."""
    batch_size: int | None = None
    """Images a training step, and images whose views are told apart in the test loss. Preset:
    512; quick and smoke: 64."""
    depth: int | None = None
    """Layers of the ResNet: 10, 18 or 34. Preset: 18; quick and smoke: 10."""
    width: int | None = None
    """Maps of its first layer; the features are 8 times as many. Preset: 64; quick: 8; smoke: 4."""
    optimizer: str | None = None
    """lars (learning rate 1 for each 256 images of a step, as published) or adam (0.001). Preset:
    lars; quick and smoke, whose few steps are too few for it: adam."""
    precision: str | None = None
    """Of the trainings: float32, mixed_bfloat16, or on one GPU mixed_float16. All else is float32.
    Preset: mixed_bfloat16; quick and smoke: float32."""
    pairs: int | None = None
    """Pairs of views that the attack's criterion compares. Preset: 50, as published; quick: 5;
    smoke: 3."""
    every: int | None = None
    """Epochs between two looks at the nearest neighbors; a training that is stopped goes on from
    the last one. Preset: 10; quick: 4; smoke: 2."""
    epsilons: tuple[float, ...] | None = None
    """ε of PGD on the linear classifiers. Preset: 0.0025 to 0.04; grey images: 0.025 to 0.4."""
    pgd_size: int | None = None
    """Attack the first so many test images that a linear classifier gets right. Preset: 1000;
    quick: 200; smoke: 20."""
    pgd_steps: int | None = None
    """Iterations of PGD. Preset: 100; quick: 50; smoke: 10."""

    def resolve(self) -> Self:
        """As of every experiment; and the choices are known."""
        config, owner = super().resolve(), type(self).__name__
        check_choice(owner, "optimizer", config.optimizer, OPTIMIZERS)
        check_choice(owner, "precision", config.precision, PRECISIONS)
        check_integer(owner, "batch_size", config.batch_size, 2)
        for epsilon in settled(config.epsilons):
            check_number(owner, "epsilons", epsilon, 0)
        return config

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set."""
        epsilons = (0.0025, 0.005, 0.01, 0.02, 0.04)
        settings: dict[str, Any] = {
            **super().preset_settings(),
            "steps": 20,
            "train_size": None,  # all
            "epochs": 1000,
            "retraining_epochs": 1500,
            "batch_size": 512,
            "depth": 18,
            "width": 64,
            "optimizer": "lars",
            "precision": "mixed_bfloat16",
            "pairs": 50,
            "every": 10,
            "epsilons": tuple(10 * each for each in epsilons) if self.grey else epsilons,
            "pgd_size": 1000,
            "pgd_steps": 100,
        }
        if self.preset != "paper":
            settings.update(depth=10, optimizer="adam", precision="float32", every=2)
        if self.preset == "quick":
            size = min(2_000, COUNTS.get(self.dataset, (2_000,))[0])
            settings.update(train_size=size, seeds=(0, 1), epochs=16, retraining_epochs=24)
            settings.update(batch_size=64, width=8, every=4, pairs=5)
            settings.update(pgd_size=200, pgd_steps=50)
        elif self.preset == "smoke":
            settings.update(train_size=300, steps=5, epochs=4, retraining_epochs=6)
            settings.update(batch_size=64, width=4, pairs=3, pgd_size=20, pgd_steps=10)
            settings.update(epsilons=settings["epsilons"][::2])
        return settings

    def complete(self, data: Split) -> Self:
        """As of every attack; and there are as many test images, and the GPUs can do it."""
        owner = type(self).__name__
        check_integer(owner, "pgd_size", self.pgd_size, 1, len(data.x_test))
        if several_gpus() and self.precision == "mixed_float16":
            # Keras skips a step by the gradients of the first GPU, and takes NaN from the others
            raise ValueError(
                f"`precision` of {owner} must be float32 or mixed_bfloat16 on several GPUs. "
                f"Received: precision={self.precision!r}."
            )
        return super().complete(data)

    @property
    def grey(self) -> bool:
        """Whether the images are those of figures and clothes in grey."""
        return self.dataset in GREY

    def untrained(self, shape: Sequence[int], seed: int = 0, clae: bool = False) -> SimCLR:
        """A model that has not been trained; it depends on `seed` alone."""
        encoder = resnet(shape, depth=settled(self.depth), width=settled(self.width), seed=seed)
        augmentation = GREY_VIEWS if self.grey else None
        weight = 1.0 if clae else 0.0
        return SimCLR(encoder, augmentation=augmentation, adversarial_weight=weight, seed=seed)

    def optimizer_of(self, steps: int) -> keras.optimizers.Optimizer:
        """The optimizer of a training of so many steps; published: a hundredth to warm up in."""
        warmup = {"warmup_steps": steps // 100}
        if self.optimizer == "adam":
            return keras.optimizers.Adam(cosine_schedule(1e-3, steps, **warmup))
        rate = settled(self.batch_size) / 256
        return LARS(cosine_schedule(rate, steps, **warmup), weight_decay=1e-4)

    def epochs_of(self, name: str) -> int:
        """Epochs of the training of a row."""
        if name == "untrained":
            return 0
        return settled(self.epochs if name == "original" else self.retraining_epochs)

    def samples_of(self, name: str) -> int:
        """Images that a row trains on."""
        added = 0 if name in ("untrained", "original") else settled(self.attack_size)
        return settled(self.train_size) + added

    def epoch_work(self, name: str) -> int:
        """What an epoch of a row takes, in the unit of `JobProgress`, and roughly."""
        return self.samples_of(name) * (CLAE_WORK if name == "clae" else 1)

    def criterion(self, model: SimCLR) -> uae.Contrastive:
        """The criterion of the attack: the views and the loss of the training of `model`."""
        return uae.Contrastive(
            model,
            pairs=settled(self.pairs),
            temperature=model.temperature,
            augmentation=model.augmentation,
        )

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of a SimCLR."""
        return super().attack(model, **{"criterion": self.criterion(model), **settings})

    def pgd(self, classifier: keras.Model, epsilon: float) -> uae.PGDAttack:
        """The attack on a linear classifier."""
        return uae.PGDAttack(
            classifier,
            criterion=uae.Misclassification(),
            epsilon=epsilon,
            steps=settled(self.pgd_steps),
            step_size=PGD_STEP_SIZE,
        )

    def attack_work(self) -> int:
        """What attacking one image takes, in the unit of `JobProgress`, and roughly."""
        return attack_work(self.similarity, settled(self.steps)) * settled(self.pairs)
