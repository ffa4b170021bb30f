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
from experiments.classifiers import classes
from experiments.config import settled
from experiments.contrastive.config import Config, several_gpus
from experiments.job import Job
from experiments.training import save_model
from models.simclr import NearestNeighborMonitor, SimCLR, linear_classifier


def kept(job: Job[Config], seed: int, name: str, added: Any) -> SimCLR:
    """The trained model of a row, from the files of earlier sessions as far as they go.

    Initial weights, views and the order of the images depend on `seed` alone: two rows of one seed
    differ in their data and their steps. The model that is kept is in float32, without optimizer.
    """
    config, key = job.config, {"stage": "training", "seed": seed, "name": name}
    record = job.run.find(**key) or {}
    path, work = job.run.path(f"seed-{seed}", f"{name}.keras"), config.epoch_work(name)
    job.progress.skip(record.get("epochs", 0) * work)
    if "test_loss" in record:
        return keras.models.load_model(path)
    data = uae.UAEAugmentation(
        job.data.x_train, added, batch_size=settled(config.batch_size), seed=seed
    )
    trained, record = _train(job, key, data)
    begin, label = time.perf_counter(), job.label(seed, name)
    model = config.untrained(data.x.shape[1:], seed)
    model.set_weights(trained.get_weights())
    save_model(model, path)
    figures = judge(job, seed, name, model)
    seconds = record.pop("seconds")
    job.run.add(key, **record, **figures, seconds=seconds + time.perf_counter() - begin)
    _checkpoint(job, key, record["epochs"]).unlink(missing_ok=True)
    job.progress.say(
        f"{label}: test loss {figures['test_loss']:.4f}, linear accuracy "
        f"{figures['accuracy']:.2%} ({seconds:.1f} s)"
    )
    return model


def judge(job: Job[Config], seed: int, name: str, model: SimCLR) -> dict[str, float]:
    """The loss on the test images, and what classifiers make of the features.

    The linear one is kept.
    """
    x, y, x_test, y_test = job.data
    model.compile(jit_compile=False)
    classifier = linear_classifier(model.encoder, x, y)
    save_model(classifier, job.run.path(f"seed-{seed}", f"{name}-classifier.keras"))
    return {
        "test_loss": model.evaluate(x_test, batch_size=settled(job.config.batch_size), verbose=0),
        "accuracy": float(np.mean(classes(classifier, x_test) == y_test)),
        "train_accuracy": float(np.mean(classes(classifier, x) == y)),
        "neighbor_accuracy": NearestNeighborMonitor(*job.data).accuracy(model.encoder),
    }


def _train(
    job: Job[Config], key: dict[str, Any], data: uae.UAEAugmentation
) -> tuple[keras.Model, dict[str, Any]]:
    """The model, and the record of its training, as far as neither is there.

    Training stops every so many epochs to look at the nearest neighbors, and to save: first the
    model, then the record that tells of it. `SimCLR` goes on from a file as if it had never
    stopped.
    """
    config, label = job.config, job.label(key["seed"], key["name"])
    epochs, work = config.epochs_of(key["name"]), config.epoch_work(key["name"])
    record = dict(job.run.find(**key) or {})
    batches = _batches(data)
    each = int(batches.cardinality()) if batches is not data else data.num_batches
    if record:
        with _strategy().scope():
            model = keras.models.load_model(_checkpoint(job, key, record["epochs"]))
    else:
        model = _new(config, key, data.x.shape[1:], max(1, epochs * each))
        rows = len(data.x) + sum(map(len, data.found))
        record = {"epochs": 0, "steps": 0, "samples": rows, "seconds": 0.0}
        record |= {"losses": [], "neighbor_accuracies": []}
    monitor = NearestNeighborMonitor(*job.data)
    with job.progress.stage(label, (epochs - record["epochs"]) * work):
        while (start := record["epochs"]) < epochs:
            begin, stop = time.perf_counter(), min(start + settled(config.every), epochs)
            data.epoch = start
            history = model.fit(
                batches,
                initial_epoch=start,
                epochs=stop,
                shuffle=False,
                verbose=0,
                callbacks=[job.progress.callback(label, work)],
            ).history
            _check_finite(history["loss"], label)
            record["epochs"], record["steps"] = stop, stop * each
            record["losses"] = [*record["losses"], *history["loss"]]
            accuracy = monitor.accuracy(model.encoder)
            record["neighbor_accuracies"] = [*record["neighbor_accuracies"], accuracy]
            save_model(model, _checkpoint(job, key, stop))
            record["seconds"] += time.perf_counter() - begin
            job.run.add(key, **{name: record[name] for name in record if name not in key})
            _checkpoint(job, key, start).unlink(missing_ok=True)
    return model, {name: value for name, value in record.items() if name not in key}


def _new(config: Config, key: dict[str, Any], shape: Sequence[int], steps: int) -> keras.Model:
    """A compiled model at the start of a training of so many steps."""
    with _strategy().scope(), _precision(settled(config.precision)):
        model = config.untrained(shape, key["seed"], clae=key["name"] == "clae")
        model.compile(config.optimizer_of(steps), jit_compile=False)
    return model


def _batches(data: uae.UAEAugmentation) -> Any:
    """What an epoch of `fit` takes: on several GPUs full batches alone.

    A smaller one may leave a GPU without images, and the mean over none is no number.
    """
    if _strategy().num_replicas_in_sync == 1:
        return data
    rows = len(data.x) + sum(map(len, data.found))
    return data.as_tf_dataset().take(rows // data.batch_size)


def _checkpoint(job: Job[Config], key: dict[str, Any], epochs: int) -> Path:
    """The file of a training that has done so many epochs."""
    return job.run.path(f"seed-{key['seed']}", f"{key['name']}-after-{epochs}.keras")


def _check_finite(losses: list[float], label: str) -> None:
    if not all(map(math.isfinite, losses)):
        raise FloatingPointError(f"The loss of {label!r} is no longer finite. Received: {losses}.")


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
