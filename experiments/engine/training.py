"""Train a model from scratch, the same way every time, and measure it: as `uae.compare` does."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

import keras_uae as uae
from experiments.data import Split
from experiments.engine.job import Job
from keras_uae.comparison.fresh import FreshModels
from keras_uae.comparison.training import Trained, Trainer
from models import ClassifierRecipe, Recipe

_ERROR = uae.Metric(lambda model, x, y: uae.reconstruction_error(model, x), "error")


def trainer(job: Job, recipe: Recipe | ClassifierRecipe, shape: tuple[int, ...]) -> Trainer:
    """What trains models of a recipe: one serves all rows and seeds."""

    def build(seed: int) -> keras.Model:
        return recipe.compile(recipe.build(shape, seed=seed))

    def make() -> Trainer:
        return Trainer(FreshModels(build, job.data.x_train[:2].reshape(-1, *shape)))

    return job.once(("trainer", recipe, shape), make, for_all=True)


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
    # the best weights are taken, but no training stops early: budgets are to be equal
    best = recipe.callbacks if isinstance(recipe, Recipe) else lambda **settings: []
    return trainer(job, recipe, data.x.shape[1:]).train(
        job.seed,
        data,
        epochs=epochs,
        callbacks=best(monitor="loss", patience=epochs),
        advance=lambda samples: job.progress.advance(samples * weight, job.label),
    )


def train_and_keep(
    job: Job,
    recipe: Recipe | ClassifierRecipe,
    data: uae.UAEAugmentation,
    *,
    epochs: int,
    measure: Callable[[Trained], Mapping[str, Any]],
    weight: int = 1,
) -> dict[str, Any]:
    """What `measure` gives of a new model, samples and steps; later pieces have `job.model`.

    Of a robust training the classifier is kept.
    """
    trained = train(job, recipe, data, epochs=epochs, weight=weight)
    trained = trained._replace(model=getattr(trained.model, "classifier", trained.model))
    job.keep(trained.model)
    return {**measure(trained), **budget(trained)}


def budget(trained: Trained) -> dict[str, Any]:
    """What a training took, for its record."""
    return {"samples": trained.samples, "steps": trained.steps}


def errors(trained: Trained, data: Split, *metrics: uae.Metric) -> dict[str, float | None]:
    """Reconstruction errors on test and training images, and further figures of the test images.

    `averaged_…` are those of the averaged weights; `None` where the training has diverged.
    """
    found = trained.measure([_ERROR, *metrics], data.x_test, data.y_test)
    (last, averaged), training = found.values(), trained._replace(average=None)
    return {
        "test_error": last.pop("error"),
        "train_error": training.measure([_ERROR], data.x_train)["last"]["error"],
        **last,
        **{f"averaged_{name}": (averaged or {}).get(name) for name in ("error", *last)},
    }
