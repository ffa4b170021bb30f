"""Train a model from scratch, the same way every time, and measure it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_uae as uae
from experiments.data import Split
from experiments.engine.job import Job
from models import ClassifierRecipe, Recipe

# Steps that Keras runs between two looks at Python: changes the speed and nothing else.
STEPS_PER_EXECUTION = 10


class Trained(NamedTuple):
    """A model, the mean of its weights over the end of its training, and what that took."""

    model: keras.Model
    average: uae.MeanWeights
    took: dict[str, int]


def train(
    job: Job,
    recipe: Recipe | ClassifierRecipe,
    data: uae.UAEAugmentation,
    *,
    epochs: int,
    weight: int = 1,
) -> Trained:
    """A new model of the recipe, trained on `data`.

    Initial weights and the order of the samples depend on the seed of the piece alone. A sample of
    a step counts for `weight` in the progress. A training ends early if its loss is not finite.
    """
    rows = len(data.x) + sum(map(len, data.found))
    keras.utils.set_random_seed(job.seed)
    model = recipe.compile(recipe.build(data.x.shape[1:], seed=job.seed))
    model.steps_per_execution = STEPS_PER_EXECUTION
    average = uae.MeanWeights()
    callbacks = [_StopWhenDiverged(), average, job.progress.callback(job.label, rows * weight)]
    if isinstance(recipe, Recipe):
        # the best weights are taken, but no training stops early: budgets are to be equal
        callbacks += recipe.callbacks(monitor="loss", patience=epochs)
    model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    took = {"samples": rows, "steps": int(model.optimizer.iterations)}
    return Trained(model, average, took)


def train_and_keep(
    job: Job,
    recipe: Recipe | ClassifierRecipe,
    data: uae.UAEAugmentation,
    *,
    epochs: int,
    measure: Callable[[keras.Model], Mapping[str, Any]],
    weight: int = 1,
) -> dict[str, Any]:
    """What `measure` gives of a new model, samples and steps; later pieces have `job.model`.

    Of a robust training the classifier is kept.
    """
    trained = train(job, recipe, data, epochs=epochs, weight=weight)
    model = getattr(trained.model, "classifier", trained.model)
    job.keep(model)
    return {**measure(model), **trained.took}


def errors(model: keras.Model, data: Split) -> dict[str, float | None]:
    """Reconstruction errors on the test and the training images; `None` if it has diverged."""
    return {
        "test_error": known(uae.reconstruction_error(model, data.x_test)),
        "train_error": known(uae.reconstruction_error(model, data.x_train)),
    }


def averaged_error(
    model: keras.Model, average: uae.MeanWeights, data: Split
) -> dict[str, float | None]:
    """The test error of the averaged weights, which leaves the last ones where they were."""
    last = model.get_weights()
    model.set_weights(average.values or last)
    error = known(uae.reconstruction_error(model, data.x_test))
    model.set_weights(last)
    return {"averaged_error": error}


def known(value: float) -> float | None:
    """`None` for what is not finite."""
    return value if math.isfinite(value) else None


class _StopWhenDiverged(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
