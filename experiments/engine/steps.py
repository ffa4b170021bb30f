"""Train an autoencoder by steps, as one graph; and what its code is worth to a linear classifier.

A thousand images make epochs of ten short steps, of which `fit` spends half between them.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.data import Split
from models import Recipe

CHUNK = 500  # steps between two looks at Python
CODE = "code"  # the layer of the recipes
_MAX_ITER = 500


class Trainer:
    """A new model of a recipe and its training, which can go on with other images.

    `seed` is that of the initial weights and of the order of the images.
    """

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
        batches = self.batches(len(x), steps)
        for start in range(0, steps, CHUNK):
            part = batches[start : start + CHUNK]
            self._run(inputs, targets, tf.constant(part))
            advance(part.size)

    def batches(self, count: int, steps: int) -> np.ndarray:
        """Rows of every step `(steps, batch)`: one permutation after another."""
        needed = steps * self._batch_size
        orders = [self._orders.permutation(count) for _ in range(-(-needed // count))]
        return np.concatenate(orders)[:needed].reshape(steps, self._batch_size).astype(np.int32)


def code_accuracy(model: keras.Model, data: Split) -> float:
    """Test accuracy of logistic regression on the code, trained on the images of the set."""
    encoder = keras.Model(model.inputs, model.get_layer(CODE).output)
    codes = (
        encoder.predict(x, batch_size=1000, verbose=0).reshape(len(x), -1).astype(np.float64)
        for x in (data.x_train, data.x_test)
    )
    train, test = codes
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MAX_ITER))
    return float(classifier.fit(train, data.y_train).score(test, data.y_test))
