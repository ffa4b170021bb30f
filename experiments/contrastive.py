"""Do UAEs improve contrastive learning? Table 7 and Figure 10 (b), with controls.

For every seed: train SimCLR, find UAEs of its training images, and train anew, from scratch, on
twice as many images (`ADDED`), all rows in as many steps; compare the contrastive loss on the test
images, the accuracy of a linear classifier on the frozen features, and how well this classifier
withstands PGD.

    python -m experiments.contrastive
    python -m experiments.contrastive --dataset cifar10 --preset paper
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

import keras
import numpy as np

import keras_uae as uae
from experiments import contrastive_rows as rows
from experiments import contrastive_training, paper
from experiments.contrastive_rows import ATTACKED, LABELS, point
from experiments.data import COUNTS, Split
from experiments.engine import attacking, classifiers
from experiments.engine.attacking import AttackConfig, attacked, find_uaes, found_figures
from experiments.engine.config import Choice, Epsilons, Seeds, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from keras_uae._checks import Integer, check_integer
from keras_uae.comparison import noise_like
from models.simclr import LARS, SimCLR, cosine_schedule, resnet

GREY_IMAGES = ("digits", "mnist", "fashion_mnist")
# digits and clothes are not themselves when mirrored, and small parts of them look all the same
GREY_VIEWS = uae.ViewAugmentation(min_area=0.3, flip_probability=0.0)
GREY_EPSILONS = (0.025, 0.05, 0.1, 0.2, 0.4)
COLOUR_EPSILONS = (0.0025, 0.005, 0.01, 0.02, 0.04)
PGD_STEP_SIZE = 0.01  # supplement 6.17
CLAE_WORK = 2  # steps of SimCLR that take as long as one of CLAE, about
UNSEEN = 1  # seed of views that no attack compares
JUDGED = 512  # views that are judged at a time
PUBLISHED = {
    "epochs": 1000,
    "retraining_epochs": 1500,
    "batch_size": 512,
    "depth": 18,
    "width": 64,
    "optimizer": "lars",
    "pairs": 50,
    "pgd_size": 1000,
    "pgd_steps": 100,
}
# what is not that of `quick`, which are the defaults
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"train_size": 300, "epochs": 4, "retraining_epochs": 6, "width": 4, "every": 2},
    "quick": {"seeds": (0, 1)},
    "paper": {**PUBLISHED, "precision": "mixed_bfloat16", "every": 10},
}
PRESETS["smoke"] |= {"steps": 5, "pairs": 3, "pgd_size": 20, "pgd_steps": 10}


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve contrastive learning? Table 7 and Figure 10 (b), with controls."""

    seeds: Seeds = (0, 1)
    """One run for each; the tables show mean ± standard deviation."""
    epochs: int = 16
    """Epochs of the original model."""
    steps: int = 20
    """Iterations T of the attack."""
    retraining_epochs: int = 24
    """Epochs of the trainings on originals and additions together (the paper: 1.5 ×)."""
    batch_size: Annotated[int, Integer(2)] = 64
    """Images a training step, and images whose views are told apart in the test loss."""
    depth: int = 10
    """Layers of the ResNet: 10, 18 or 34."""
    width: int = 8
    """Maps of its first layer; the features are 8 times as many."""
    optimizer: Annotated[str, Choice(("adam", "lars"))] = "adam"
    """lars (learning rate 1 for each 256 images of a step, as published) or adam (0.001), where the
    steps are too few for it."""
    precision: Annotated[str, Choice(("float32", "mixed_float16", "mixed_bfloat16"))] = "float32"
    """Of the trainings; mixed_float16 on one GPU only. All else is float32."""
    pairs: int = 5
    """Pairs of views that the attack's criterion compares."""
    every: int = 4
    """Epochs between two looks at the nearest neighbors; a training that is stopped goes on from
    the last one."""
    epsilons: Epsilons = GREY_EPSILONS
    """ε of PGD on the linear classifiers."""
    pgd_size: int = 200
    """Attack the first so many test images that a linear classifier gets right."""
    pgd_steps: int = 50
    """Iterations of PGD."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every attack, and the trainings."""
        epsilons = GREY_EPSILONS if dataset in GREY_IMAGES else COLOUR_EPSILONS
        mine: dict[str, Any] = {"dataset": dataset, "steps": cls.steps, "epsilons": epsilons}
        if preset == "smoke":
            mine["epsilons"] = epsilons[::2]
        elif preset == "quick" and dataset != "digits":  # which are fewer
            mine["train_size"] = 2_000
        return super().for_preset(preset, **{**mine, **PRESETS[preset], **settings})

    def complete(self, data: Split) -> Self:
        """As of every attack; and there are as many test images, and the GPUs can do it."""
        check_integer(type(self).__name__, "pgd_size", self.pgd_size, 1, len(data.x_test))
        if contrastive_training.several_gpus() and self.precision == "mixed_float16":
            # Keras skips a step by the gradients of the first GPU, and takes NaN from the others
            self.refuse("precision", "be float32 or mixed_bfloat16 on several GPUs")
        return super().complete(data)

    @property
    def printed(self) -> paper.Rows:
        """What the paper prints of this data set."""
        return paper.contrastive(self.dataset, self.similarity)

    def untrained(self, shape: Sequence[int], seed: int = 0, clae: bool = False) -> SimCLR:
        """A model that has not been trained; it depends on `seed` alone."""
        encoder = resnet(shape, depth=self.depth, width=self.width, seed=seed)
        views = GREY_VIEWS if self.dataset in GREY_IMAGES else None
        return SimCLR(encoder, augmentation=views, adversarial_weight=float(clae), seed=seed)

    def optimizer_of(self, steps: int) -> keras.optimizers.Optimizer:
        """The optimizer of a training of so many steps; published: a hundredth to warm up in."""
        schedule = partial(cosine_schedule, steps=steps, warmup_steps=steps // 100)
        if self.optimizer == "adam":
            return keras.optimizers.Adam(schedule(1e-3))
        return LARS(schedule(self.batch_size / 256), weight_decay=1e-4)

    def epochs_of(self, name: str) -> int:
        """Epochs of the training of a row."""
        return {"untrained": 0, "original": self.epochs}.get(name, self.retraining_epochs)

    def epoch_work(self, name: str) -> int:
        """What an epoch of a row takes, in the unit of `Piece.work`, and roughly."""
        samples = size(self.train_size) + (size(self.attack_size) if name in ADDED else 0)
        return samples * (CLAE_WORK if name == "clae" else 1)

    def criterion(self, model: SimCLR) -> uae.Contrastive:
        """The criterion of the attack: the views and the loss of the training of `model`."""
        loss: Any = {"temperature": model.temperature, "augmentation": model.augmentation}
        return uae.Contrastive(model, pairs=self.pairs, **loss)

    def attack(self, model: keras.Model, **settings: Any) -> uae.MinMaxAttack:
        """The attack that finds UAEs of a SimCLR."""
        return super().attack(model, **{"criterion": self.criterion(model), **settings})

    def pgd(self, classifier: keras.Model, epsilon: float) -> uae.PGDAttack:
        """The attack on a linear classifier."""
        steps: Any = {"steps": self.pgd_steps, "step_size": PGD_STEP_SIZE}
        return uae.PGDAttack(
            classifier, criterion=uae.Misclassification(), epsilon=epsilon, **steps
        )


def pieces(config: Config) -> Iterator[Piece]:
    """A training for every row, what it adds before it; then PGD on the linear classifiers."""
    one = attacking.attack_work(config.similarity, config.steps)
    uaes = size(config.attack_size) * one * config.pairs
    for seed in config.seeds:
        for name in LABELS:
            if name == "mine":
                yield Piece("attack", seed, name, uaes, find, mark="asr")
            elif name == "gaussian":
                yield Piece("attack", seed, name, 0, draw_noise)
            work = config.epochs_of(name) * config.epoch_work(name)
            yield Piece("training", seed, name, work, train, mark="test_loss")
        for name in ATTACKED:
            for epsilon in config.epsilons:
                work, run = config.pgd_size * config.pgd_steps, partial(withstand, name, epsilon)
                yield Piece("attack", seed, point(name, epsilon), work, run, mark="asr")


def find(job: Job[Config]) -> dict[str, Any]:
    """UAEs of the training images, and how many succeed by other views too."""
    x, original = attacked(job), job.model("original")
    found = find_uaes(job, job.config.attack(original), x)
    unseen = dataclasses.replace(job.config.criterion(original), seed=UNSEEN)
    success = found.success & succeeds(unseen, x, found.x)
    return {**found_figures(x, found), "asr_unseen": float(success.mean())}


def noisy(job: Job[Config]) -> np.ndarray:
    """The images with noise of the L2 norm of their UAEs, after it was clipped."""
    return noise_like(attacked(job), job.uaes("mine").x, "gaussian", job.seed)


def draw_noise(job: Job[Config]) -> dict[str, Any]:
    """Noise, which is kept as it is also where it is no success."""
    x, z = attacked(job), noisy(job)
    success = succeeds(job.config.criterion(job.model("original")), x, z)
    return attacking.attack_figures(x, z, success)


def succeeds(criterion: uae.Contrastive, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Which of z are successes."""
    batch_size = max(1, JUDGED // criterion.inputs_per_sample)
    return uae.criterion_values(criterion, x, z, batch_size=batch_size) <= 0


# the images that each row adds to the originals; in every step, clae has adversarial views as well
ADDED = {
    "duplicate": attacked,
    "mine": lambda job: job.uaes("mine").x,
    "gaussian": noisy,
    "clae": attacked,
}


def train(job: Job[Config]) -> dict[str, Any]:
    """The SimCLR of a row."""
    return contrastive_training.train(job, ADDED[job.name](job) if job.name in ADDED else [])


def withstand(row: str, epsilon: float, job: Job[Config]) -> dict[str, Any]:
    """PGD on the linear classifier of a row, which sees the images through its encoder."""
    model, count = job.model(f"{row}-classifier"), job.config.pgd_size
    x, y = job.once(("attacked", row), lambda: classifiers.attacked(job.data, model, count))
    found = find_uaes(job, job.config.pgd(model, epsilon), x, y)
    return {**found_figures(x, found), "row": row, "epsilon": epsilon}


EXPERIMENT = Experiment(
    name="contrastive",
    config=Config,
    pieces=pieces,
    labels=rows.labels,
    summarize=rows.summarize,
    tables=rows.tables,
    legend=rows.LEGEND,
    title=lambda config: (
        f"Contrastive learning: {config.dataset}, SimCLR, ResNet-{config.depth} of width "
        f"{config.width}"
    ),
    introduction=lambda config: (
        f"SimCLR is trained on {config.train_size} images, then again from scratch on these and "
        f"{config.attack_size} more, one kind of addition at a time. All rows from the duplicate "
        "control on see as many images in as many steps. It adds the images as they are: what a "
        "perturbation itself brings is its difference to that row. CLAE has the images of the "
        "duplicate control, and moves one view of each in every step, which takes it longer. The "
        "Gaussian noise has the L2 norm of the UAE of the same image."
    ),
    verdicts=rows.sentences,
    figures={
        "training": Figure(
            "Loss and accuracy of the nearest neighbors during training, mean ± std",
            rows.draw_training,
        ),
        "robustness": Figure(
            "Success rate of PGD over ε, mean ± std over the seeds", rows.draw_robustness
        ),
        "examples": Figure("Originals, their UAEs, and the perturbation", rows.draw_examples),
    },
    published=lambda config: (
        {"train_size": COUNTS["cifar10"][0], **PUBLISHED} if config.printed else {}
    ),
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
