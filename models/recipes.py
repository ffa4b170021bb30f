"""How the paper's autoencoders were trained on MNIST: build, compile, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

from keras_uae.checks import check_choice
from models.convolutional import convolutional_autoencoder
from models.dense import dense_autoencoder
from models.sparse import sparse_autoencoder


@dataclass(frozen=True)
class Recipe:
    """A model and its published training settings.

    Attributes:
        build: Function `(input_shape, *, seed, ...)` that makes a new, uncompiled model.
        optimizer: Function that makes a new optimizer; one serves one model.
        loss: Name of the Keras loss.
        batch_size: Samples a step.
        epochs: Epochs of the first training.
        retraining_epochs: Epochs of the training on originals and examples together (Table 10).
    """

    build: Callable[..., keras.Model]
    optimizer: Callable[[], keras.optimizers.Optimizer]
    loss: str
    batch_size: int
    epochs: int
    retraining_epochs: int

    def compile(self, model: keras.Model) -> keras.Model:
        """Compile `model` with a fresh optimizer and the metric `mse`, and return it."""
        metric = keras.metrics.MeanSquaredError(name="mse")
        model.compile(optimizer=self.optimizer(), loss=self.loss, metrics=[metric])
        return model


RECIPES = {
    "dense": Recipe(
        build=dense_autoencoder,
        # Keras 3 adds epsilon inside the square root: its default 1e-7 is as 3e-4 outside, far
        # above this model's gradients. 1e-14 is the 1e-7 that Keras 2 added outside.
        optimizer=partial(keras.optimizers.RMSprop, learning_rate=0.0025, epsilon=1e-14),
        loss="mse",
        batch_size=100,
        epochs=20,
        retraining_epochs=30,
    ),
    "sparse": Recipe(
        build=sparse_autoencoder,
        optimizer=keras.optimizers.Adam,
        loss="mse",
        batch_size=100,
        epochs=50,
        retraining_epochs=80,
    ),
    "conv": Recipe(
        build=convolutional_autoencoder,
        # "adadelta" meant a learning rate of 1 when the model was published and means 0.001 today.
        optimizer=partial(keras.optimizers.Adadelta, learning_rate=1.0),
        loss="binary_crossentropy",
        batch_size=100,
        epochs=20,
        retraining_epochs=30,
    ),
}


def get_recipe(name: str) -> Recipe:
    """Return `RECIPES[name]`; an unknown name is answered with the nearest known one."""
    return RECIPES[check_choice("get_recipe", "name", name, RECIPES)]
