"""Training a concrete network in one graph per epoch, and reading off what it has selected."""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import linear_sum_assignment

from keras_uae import _draws as draws
from keras_uae.selection.layer import ConcreteSelect

SCHEDULES = ("constant", "cosine")


class Batches(NamedTuple):
    """The data on the device, and how they are drawn: anew every epoch, a function of `seed`."""

    x: np.ndarray
    y: np.ndarray | None
    size: int
    seed: int
    columns: np.ndarray | None = None  # those of x that go in
    weights: np.ndarray | None = None

    @property
    def steps(self) -> int:
        return math.ceil(len(self.x) / self.size)

    def forever(self) -> tf.data.Dataset:
        """Batches `(input, target)`, with the weights as third part, epoch after epoch."""
        x = tf.constant(self.x if self.columns is None else self.x[:, self.columns])
        same = self.columns is None and self.y is None
        y = x if same else tf.constant(self.x if self.y is None else self.y)
        weights = None if self.weights is None else tf.constant(self.weights)
        count = len(self.x)

        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            order = draws.permutations(tf.stack([tf.cast(self.seed, tf.int64), number]), (), count)

            def batch(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
                rows = order[start : start + self.size]
                inputs = tf.gather(x, rows)
                pair = inputs, inputs if same else tf.gather(y, rows)
                return pair if weights is None else (*pair, tf.gather(weights, rows))

            return tf.data.Dataset.range(0, count, self.size).map(batch)

        return tf.data.Dataset.counter().flat_map(epoch).prefetch(tf.data.AUTOTUNE)


def train(
    network: keras.Model,
    data: Batches,
    *,
    loss: Any,
    learning_rate: float,
    schedule: str,
    epochs: int,
    callbacks: list[keras.callbacks.Callback],
    verbose: int,
) -> dict[str, list[float]]:
    """Fit `network` by Adam and return its history.

    The learning rate is constant, or falls to 0 as half a period of a cosine, by `schedule`.
    """
    rate: Any = learning_rate
    if schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, data.steps * epochs)
    # the same layers in a model of its own: `network` stays free of optimizer and metrics
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile(
        keras.optimizers.Adam(rate),
        loss,
        steps_per_execution=data.steps,  # no return to Python within an epoch
    )
    # `fit` would make its variables in the first trace of a step, which is then traced again
    trainer.optimizer.build(trainer.trainable_variables)
    history = trainer.fit(
        data.forever(),
        steps_per_epoch=data.steps,
        epochs=epochs,
        shuffle=False,
        verbose=verbose,
        callbacks=callbacks,
    )
    return history.history


def describe_plan(
    selector: Any, shape: tuple[int, ...], features: int, batch_size: int, plan: list[int]
) -> str:
    """What a selector is about to do; `plan` has the epochs of each try."""
    samples, size = shape
    steps = math.ceil(samples / batch_size)
    text = (
        f"{type(selector).__name__}: {features} of {size} features from "
        f"{samples} samples; {plan[0]} epochs of {steps} steps (batch {batch_size}), temperature "
        f"{selector.start_temperature} to {selector.min_temperature}"
    )
    if len(plan) > 1:
        text += (
            f"\nUp to {len(plan)} tries, until the mean max probability is {selector.threshold}: "
            f"{', '.join(map(str, plan))} epochs, at most {sum(plan)} epochs and "
            f"{sum(plan) * steps} steps in all"
        )
    return text


def apply(model: keras.Model, x: np.ndarray, rows: int = 4096) -> np.ndarray:
    """The outputs of `model` at inference, in single precision also of a model in half."""
    parts = [model(x[i : i + rows], training=False).numpy() for i in range(0, len(x), rows)]
    return np.concatenate(parts).astype(np.float32, copy=False)


def favour(select: ConcreteSelect, features: np.ndarray, lead: float = 5.0) -> None:
    """Raise the logit of one feature for each unit by `lead`."""
    logits = select.logits.numpy()
    logits[np.arange(len(features)), features] += lead
    select.assign_logits(logits)


def assign_columns(logits: np.ndarray) -> np.ndarray:
    """The same logits, but with the greatest of each row in a column of its own.

    Rows whose greatest is theirs alone keep it; another one trades places with the one that the
    assignment of greatest total gives to its row. So the network itself makes the new choice.
    """
    rows, columns = linear_sum_assignment(logits, maximize=True)
    top = logits.argmax(axis=1)
    moved = rows[columns != top]
    logits, before = logits.copy(), logits
    logits[moved, top[moved]] = before[moved, columns[moved]]
    # a little more than it was, lest a tie goes to the other column
    logits[moved, columns[moved]] = np.nextafter(before[moved, top[moved]], np.float32(np.inf))
    return logits
