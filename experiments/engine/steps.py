"""Train an autoencoder by steps, as one graph.

A thousand images make epochs of ten short steps, of which `fit` spends half between them.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from models import Recipe

CHUNK = 100  # steps between two looks at Python
CODE = "code"  # the layer of the recipes
AVERAGED = 0.25  # the part of the steps over whose end the weights are averaged


class Trainer:
    """A new model of a recipe and its training, which can go on with other images.

    `seed` is that of the initial weights and of the order of the images. `average` are the mean
    weights over the end of the last `run`.
    """

    average: list[np.ndarray]

    def __init__(self, recipe: Recipe, shape: tuple[int, ...], *, batch_size: int, seed: int):
        keras.utils.set_random_seed(seed)
        self.model = recipe.build(shape, seed=seed)
        self._batch_size = batch_size
        self._orders = np.random.default_rng(seed)
        optimizer, loss = recipe.optimizer(), keras.losses.get(recipe.loss)
        optimizer.build(self.model.trainable_variables)

        @tf.function
        def run(x: tf.Tensor, y: tf.Tensor, batches: tf.Tensor) -> None:
            for rows in batches:
                with tf.GradientTape() as tape:
                    restored = self.model(tf.gather(x, rows), training=True)
                    total = tf.reduce_mean(loss(tf.gather(y, rows), restored))
                    total += sum(self.model.losses)
                variables = self.model.trainable_variables
                gradients = tape.gradient(total, [each.value for each in variables])
                optimizer.apply(gradients, variables)

        self._run = run

    def run(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        steps: int,
        advance: Callable[[int], None] = lambda images: None,
    ) -> None:
        """Train for so many steps on inputs x and targets y; `advance` hears of the images done."""
        inputs, targets = tf.constant(x), tf.constant(y)
        batches, taken = self.batches(len(x), steps), []
        for start in range(0, steps, CHUNK):
            part = batches[start : start + CHUNK]
            self._run(inputs, targets, tf.constant(part))
            if start + len(part) > (1 - AVERAGED) * steps:
                taken.append(self.model.get_weights())
            advance(part.size)
        self.average = [np.mean(each, axis=0) for each in zip(*taken, strict=True)]

    def batches(self, count: int, steps: int) -> np.ndarray:
        """Rows of every step `(steps, batch)`: one permutation after another."""
        needed = steps * self._batch_size
        orders = [self._orders.permutation(count) for _ in range(-(-needed // count))]
        return np.concatenate(orders)[:needed].reshape(steps, self._batch_size).astype(np.int32)
