"""Train SimCLR so that it can be stopped at any time, and judge what it has learned."""

import contextlib
import functools
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_uae as uae
from experiments.engine.classifiers import classes
from experiments.engine.job import Job, save_model
from models.simclr import NearestNeighborMonitor, SimCLR, linear_classifier


def several_gpus() -> bool:
    """Whether trainings are shared out among GPUs."""
    return len(tf.config.list_physical_devices("GPU")) > 1


def train(job: Job[Any], added: Any) -> dict[str, Any]:
    """A new SimCLR, trained on the originals and `added`, is kept, so is a classifier on it.

    Initial weights, views and the order of the images depend on the seed alone. The model that is
    kept is in float32, without optimizer. Training stops every so many epochs to look at the
    nearest neighbors, and to save: first the model, then the record that tells of it. `SimCLR` goes
    on from a file as if it had never stopped.
    """
    config, key = job.config, job.piece.key
    data = uae.UAEAugmentation(job.data.x_train, added, batch_size=config.batch_size, seed=job.seed)
    batches, each = _batches(data)
    epochs, work = config.epochs_of(job.name), config.epoch_work(job.name)
    earlier = job.run.find(**key) or {}
    begin = time.perf_counter() - earlier.get("seconds", 0.0)
    if "epochs" in earlier:
        figures = {name: value for name, value in earlier.items() if name not in (*key, "seconds")}
        with _strategy().scope():
            path = _checkpoint(job, figures["epochs"])
            trained = job.run.read(path, keras.models.load_model)
    else:
        figures = {"epochs": 0, "steps": 0, "samples": len(data.x) + sum(map(len, data.found))}
        figures |= {"losses": [], "neighbor_accuracies": []}
        trained = _new(job, data.x.shape[1:], max(1, epochs * each))
    job.progress.skip(figures["epochs"] * work)
    monitor = NearestNeighborMonitor(*job.data)
    while (start := figures["epochs"]) < epochs:
        stop = min(start + config.every, epochs)
        data.epoch = start
        leg = {"initial_epoch": start, "epochs": stop, "shuffle": False, "verbose": 0}
        callback = job.progress.callback(job.label, work)
        losses = trained.fit(batches, **leg, callbacks=[callback]).history["loss"]
        if not all(map(math.isfinite, losses)):
            raise FloatingPointError(
                f"The loss of {job.label!r} is no longer finite. Received: {losses}."
            )
        looks = [*figures["neighbor_accuracies"], monitor.accuracy(trained.encoder)]
        figures |= {"epochs": stop, "steps": stop * each, "neighbor_accuracies": looks}
        figures["losses"] = [*figures["losses"], *losses]
        save_model(trained, _checkpoint(job, stop))
        job.run.add(key, **figures, seconds=time.perf_counter() - begin)
        _checkpoint(job, start).unlink(missing_ok=True)
    model = config.untrained(data.x.shape[1:], job.seed)
    model.set_weights(trained.get_weights())
    job.keep(model)
    figures |= judge(job, model)
    job.run.add(key, **figures, seconds=time.perf_counter() - begin)
    _checkpoint(job, epochs).unlink(missing_ok=True)
    return figures


def judge(job: Job[Any], model: SimCLR) -> dict[str, float]:
    """The loss on the test images, and what classifiers make of the features.

    The linear one is kept.
    """
    x, y, x_test, y_test = job.data
    model.compile(jit_compile=False)
    classifier = linear_classifier(model.encoder, x, y)
    job.keep(classifier, f"{job.name}-classifier")
    return {
        "test_loss": model.evaluate(x_test, batch_size=job.config.batch_size, verbose=0),
        "accuracy": float(np.mean(classes(classifier, x_test) == y_test)),
        "train_accuracy": float(np.mean(classes(classifier, x) == y)),
        "neighbor_accuracy": NearestNeighborMonitor(*job.data).accuracy(model.encoder),
    }


def _batches(data: uae.UAEAugmentation) -> tuple[Any, int]:
    """What an epoch of `fit` takes, and how many batches: on several GPUs full ones alone.

    A smaller one may leave a GPU without images, and the mean over none is no number.
    """
    if _strategy().num_replicas_in_sync == 1:
        return data, data.num_batches
    full = (len(data.x) + sum(map(len, data.found))) // data.batch_size
    return data.as_tf_dataset().take(full), full


def _new(job: Job[Any], shape: Sequence[int], steps: int) -> keras.Model:
    """A compiled model at the start of a training of so many steps."""
    with _strategy().scope(), _precision(job.config.precision):
        model = job.config.untrained(shape, job.seed, clae=job.name == "clae")
        model.compile(job.config.optimizer_of(steps), jit_compile=False)
        # otherwise `fit` traces a step twice: once to make these variables, once without
        model.optimizer.build(model.trainable_weights)
    return model


def _checkpoint(job: Job[Any], epochs: int) -> Path:
    """The file of a training that has done so many epochs."""
    return job.path(f"{job.name}-after-{epochs}.keras")


@functools.cache
def _strategy() -> tf.distribute.Strategy:
    """All GPUs of the machine, if there are several."""
    return tf.distribute.MirroredStrategy() if several_gpus() else tf.distribute.get_strategy()


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Layers that are made in here have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
