"""The image classifiers that the supervised attacks are aimed at, and how they were trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers

from keras_uae._checks import check_choice, check_integer
from models.seeds import drawn_seeds
from models.shapes import check_input_shape


def mnist_classifier(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    classes: int = 10,
    seed: int = 0,
    name: str = "mnist_classifier",
) -> keras.Model:
    """Build Conv 32, 32, pool, 64, 64, pool → Dense 200, Dropout 0.5, Dense 200 → logits.

    The convolutions are 3×3 "valid"; ReLU everywhere.

    Args:
        input_shape: Shape of one image, `(height, width, channels)`, 16×16 or larger.
        classes: Number of classes.
        seed: Integer, fixes the initial weights, and dropout.
        name: Name of the model.

    Returns:
        An uncompiled model on values in [0, 1], its output the logits;
        `models.get_classifier("mnist")` compiles it.
    """
    return _classifier(
        "mnist_classifier", input_shape, ((32, 32), (64, 64)), 200, classes, seed, name
    )


def cifar_classifier(
    input_shape: Sequence[int] = (32, 32, 3),
    *,
    classes: int = 10,
    seed: int = 0,
    name: str = "cifar_classifier",
) -> keras.Model:
    """Build `mnist_classifier` with 64 and 128 filters and 256 units.

    Arguments and result are those of `mnist_classifier`; `models.get_classifier("cifar")`
    compiles it.
    """
    return _classifier(
        "cifar_classifier", input_shape, ((64, 64), (128, 128)), 256, classes, seed, name
    )


def small_classifier(
    input_shape: Sequence[int] = (8, 8, 1),
    *,
    classes: int = 10,
    seed: int = 0,
    name: str = "small_classifier",
) -> keras.Model:
    """Build Conv 32, pool → Dense 64, Dropout 0.5, Dense 64 → logits, for the digits of 8×8.

    It is not in the paper. Arguments and result are those of `mnist_classifier`, for images of 4×4
    or larger; `models.get_classifier("small")` compiles it.
    """
    return _classifier("small_classifier", input_shape, ((32,),), 64, classes, seed, name)


@dataclass(frozen=True)
class ClassifierRecipe:
    """A classifier and its published training settings.

    The published learning rate also falls by 1e-6 a step, less than 3 % in all; here it does not.

    Attributes:
        build: Function `(input_shape, *, classes, seed, name)` that makes a new, uncompiled model.
        optimizer: Function that makes a new optimizer; one serves one model.
        batch_size: Samples a step.
        epochs: Epochs of the training.
    """

    build: Callable[..., keras.Model]
    optimizer: Callable[[], keras.optimizers.Optimizer] = partial(
        keras.optimizers.SGD, learning_rate=0.01, momentum=0.9, nesterov=True
    )
    batch_size: int = 128
    epochs: int = 50

    def compile(self, model: keras.Model) -> keras.Model:
        """Compile `model` with a fresh optimizer, cross-entropy and accuracy, and return it.

        The labels are integers `(n,)`. `models.TRADES` and `models.AdversarialTraining` are
        compiled in the same way.
        """
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        model.compile(optimizer=self.optimizer(), loss=loss, metrics=[accuracy])
        return model


CLASSIFIERS = {
    "mnist": ClassifierRecipe(mnist_classifier),
    "cifar": ClassifierRecipe(cifar_classifier),
    "small": ClassifierRecipe(small_classifier),
}


def get_classifier(name: str) -> ClassifierRecipe:
    """Return `CLASSIFIERS[name]`; an unknown name is answered with the nearest known one."""
    return CLASSIFIERS[check_choice("get_classifier", "name", name, CLASSIFIERS)]


def _classifier(
    owner: str,
    input_shape: Sequence[int],
    blocks: tuple[tuple[int, ...], ...],
    units: int,
    classes: int,
    seed: int,
    name: str,
) -> keras.Model:
    """Blocks of convolutions with so many filters, a pool after each; then the dense layers."""
    shape = check_input_shape(owner, input_shape, rank=3)
    least = 1
    for block in reversed(blocks):
        least = 2 * least + 2 * len(block)
    if min(shape[:2]) < least:
        raise ValueError(
            f"`input_shape` of {owner} must be {least}×{least} or larger, or the convolutions "
            f"leave nothing of it. Received: input_shape={input_shape!r}."
        )
    classes = check_integer(owner, "classes", classes, 2)
    seeds = drawn_seeds(owner, seed)

    def settings(activation: str | None = "relu") -> dict[str, Any]:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return {"activation": activation, "kernel_initializer": start}

    inputs = features = keras.Input(shape)
    for block in blocks:
        for filters in block:
            features = layers.Conv2D(filters, 3, **settings())(features)
        features = layers.MaxPooling2D(2)(features)
    hidden = layers.Dense(units, **settings())(layers.Flatten()(features))
    hidden = layers.Dropout(0.5, seed=next(seeds))(hidden)
    hidden = layers.Dense(units, **settings())(hidden)
    logits = layers.Dense(classes, name="logits", **settings(None))(hidden)
    return keras.Model(inputs, logits, name=name)
