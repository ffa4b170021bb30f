"""Train a model from scratch, the same way every time, and measure it."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_uae as uae
from experiments.data import Split
from experiments.job import Job
from experiments.progress import JobProgress
from models import ClassifierRecipe, Recipe

# Steps that Keras runs between two looks at Python: changes the speed and nothing else.
STEPS_PER_EXECUTION = 10


def train(
    recipe: Recipe | ClassifierRecipe,
    data: uae.UAEAugmentation,
    *,
    seed: int,
    epochs: int,
    progress: JobProgress,
    label: str,
    weight: int = 1,
) -> tuple[keras.Model, dict[str, Any]]:
    """A new model of the recipe, trained on `data`, and what that took.

    Initial weights and the order of the samples depend on `seed` alone, so that two trainings
    with one seed differ in their data only. A sample of a step counts for `weight` in `progress`. A
    training whose loss is no longer finite ends early.
    """
    rows = len(data.x) + sum(map(len, data.found))
    begin = time.perf_counter()
    keras.utils.set_random_seed(seed)
    model = recipe.compile(recipe.build(data.x.shape[1:], seed=seed))
    model.steps_per_execution = STEPS_PER_EXECUTION
    work = rows * weight
    with progress.stage(label, work * epochs):
        callbacks = [_StopWhenDiverged(), progress.callback(label, work)]
        if isinstance(recipe, Recipe):
            # the best weights are taken, but no training stops early: budgets are to be equal
            callbacks += recipe.callbacks(monitor="loss", patience=epochs)
        model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    took = {"steps": int(model.optimizer.iterations), "seconds": time.perf_counter() - begin}
    return model, {"samples": rows, **took}


def kept(
    job: Job,
    seed: int,
    name: str,
    recipe: Recipe | ClassifierRecipe,
    data: uae.UAEAugmentation,
    *,
    epochs: int,
    measure: Callable[[keras.Model], dict[str, Any]],
    weight: int = 1,
) -> keras.Model:
    """The trained model of a row, from the file of an earlier session if it is there.

    What `measure` gives of it is recorded. Of a robust training the classifier is kept.
    """
    path, key = job.run.path(f"seed-{seed}", f"{name}.keras"), {"seed": seed, "name": name}
    if job.run.find(stage="training", **key):
        job.progress.skip(epochs * weight * (len(data.x) + sum(map(len, data.found))))
        return keras.models.load_model(path)
    label, progress = job.label(seed, name), job.progress
    model, took = train(
        recipe, data, seed=seed, epochs=epochs, progress=progress, label=label, weight=weight
    )
    model = getattr(model, "classifier", model)
    save_model(model, path)
    figures = measure(model)
    job.run.add({"stage": "training", **key}, **figures, **took)
    words = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in figures.items())
    progress.say(f"{label}: {words} ({took['seconds']:.1f} s)")
    return model


def errors(model: keras.Model, data: Split) -> dict[str, float | None]:
    """Reconstruction errors on the test and the training images; `None` if it has diverged."""
    values = {
        "test_error": uae.reconstruction_error(model, data.x_test),
        "train_error": uae.reconstruction_error(model, data.x_train),
    }
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def save_model(model: keras.Model, path: Path) -> None:
    """Write all of a `.keras` file or nothing."""
    temporary = path.with_suffix(".part.keras")
    model.save(temporary)
    temporary.replace(path)


class _StopWhenDiverged(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
