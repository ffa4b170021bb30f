"""compare: does it help *your* model? Many trainings, one answer."""

import inspect
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_uae._checks import check_boolean, check_choice, check_integer, check_samples
from keras_uae._datasets import read_data
from keras_uae._inputs import as_array
from keras_uae._model_layers import check_one_input
from keras_uae.attacks.data_space import check_any_bounds
from keras_uae.augmentation.dataset import TARGETS
from keras_uae.comparison.arms import (
    ORIGINAL,
    Adversarial,
    Arm,
    Augmented,
    Row,
    called,
    default_arms,
    rows_of,
)
from keras_uae.comparison.fresh import FreshModels
from keras_uae.comparison.identity import digest, sums_of
from keras_uae.comparison.metrics import Metric, as_metrics, default_metric
from keras_uae.comparison.protocol import Data, Protocol, Training
from keras_uae.comparison.result import Comparison
from keras_uae.comparison.run import RATE, SUMS, Run, versions

OWNER = "compare"
TEST_PART = 5  # a fifth of the samples are held out where there are no test samples


class ComparisonInterrupted(KeyboardInterrupt):
    """Ctrl-C during `compare`; what was done by then is in `comparison`.

    Example:

        >>> try:
        ...     comparison = uae.compare(autoencoder, x_train, x_test, epochs=20, arms=[])
        ... except uae.ComparisonInterrupted as interrupted:
        ...     comparison = interrupted.comparison
    """

    def __init__(self, comparison: Comparison, where: str):
        self.comparison = comparison
        super().__init__(f"interrupted: what is done is {where}")


def compare(
    build_or_model: keras.Model | Callable[..., keras.Model],
    x: Any,
    x_test: Any = None,
    *,
    y: Any = None,
    y_test: Any = None,
    epochs: int | None = None,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 5,
    arms: Arm | Sequence[Arm] | None = None,
    metrics: Any = None,
    fit: Callable[..., Any] | None = None,
    budget: int | None = None,
    target: str = "self",
    bounds: Any = (0.0, 1.0),
    out: str | os.PathLike | None = None,
    verbose: int | str = "auto",
) -> Comparison:
    """Train a model on its data with and without UAEs, many times, and say what that brings.

    For every seed a model is trained on the originals and then, from the same initial weights, one
    for every row: on the originals and as many duplicates (the control), UAEs of the first model,
    noise as large as these, or augmented copies. All of these see as many samples in as many steps.
    Rows are compared pair by pair over the seeds, by the weights averaged over the end of the
    training, which differ far less from seed to seed than the last ones.

    Args:
        build_or_model: Function without arguments, or of a `seed`, that returns a new compiled
            model; or a compiled model, built or not, whose architecture and compile settings are
            cloned with fresh weights. What is frozen, wherever it is, or was set by `adapt` is
            copied.
        x: Array `(n, ...)`, the training samples, or a batched `tf.data.Dataset` or
            `keras.utils.PyDataset`, whose targets and test targets count as `y` and `y_test`, and
            whose sample weights are those of the samples and of their additions.
        x_test: As `x`, for the metrics, without weights. Defaults to `None`: a fifth of the
            samples, held out.
        y: Array `(n, ...)`, what the model is trained to give. Defaults to `None`: the samples
            themselves.
        y_test: As `y`, of `x_test`, for the metrics; required for the loss where there is a `y`.
            Metrics see it as it is. Defaults to `None`.
        epochs: Integer, how long every model is trained; the rows with additions see twice the
            samples, so take twice the steps. Required unless there is a `fit`.
        batch_size: Integer, samples of a training step. Defaults to `32`.
        seeds: Integer, how many, or the seeds themselves. Defaults to `5`.
        arms: Additions: `Adversarial`, `Augmented` and `comparison.Given`. Defaults to `None`: UAEs
            of the default attack with ε = 0.02, 0.05, 0.1 and 1.
        metrics: `Metric`, function of (model, x_test, y_test), of which less is better, a list or a
            dictionary of these by name. Defaults to `None`: the reconstruction error; with labels
            the loss.
        fit: Function `fit(model, data, epochs=…, callbacks=…)` that trains a model on a
            `UAEAugmentation`, for example by `model.fit(data, callbacks=callbacks,
            shuffle=False)`; it may leave out either argument. Without callbacks there are no
            averaged weights. Defaults to `None`: `model.fit` for all epochs.
        budget: Integer, training steps of every row but the original. Defaults to `None`: those
            of `epochs`.
        target: "self" (x + δ → x + δ, the paper) or "clean" (x + δ → x), where there is no `y`.
            Defaults to `"self"`.
        bounds: Of the data, for attacks that have none of their own: a pair, "data" or "features".
            Defaults to `(0, 1)`.
        out: Directory that keeps every finished training and goes on from there, with more seeds,
            too. Defaults to `None`: nothing is written.
        verbose: 0 for silence, 1 for the plan and a progress bar with the time left; off a
            terminal a line now and then. Defaults to `"auto"`: 1.

    Returns:
        `Comparison`: print it, or see its `verdicts`, `table`, `summary` and `save_page`.

    Raises:
        ValueError: An argument is not as above, or `out` holds something else; before any training.
        ComparisonInterrupted: Ctrl-C; carries what was done by then.

    Example:

        >>> arms = [uae.Adversarial(epsilon=0.05)]
        >>> comparison = uae.compare(autoencoder, x_train, x_test, epochs=20, seeds=5, arms=arms)
        >>> print(comparison)

    Reference:
        Hsu et al., AAAI 2022, section 4.1; the controls are not in the paper.
    """
    check_one_input(OWNER, build_or_model)
    data = _data(x, x_test, y, y_test)
    training = _training(epochs, batch_size, target, budget, fit)
    chosen = _seeds(seeds)
    rows = rows_of(default_arms() if arms is None else arms)
    bounds = check_any_bounds(OWNER, "bounds", bounds)
    verbose = 1 if verbose == "auto" else int(check_boolean(OWNER, "verbose", bool(verbose)))
    fresh = FreshModels(build_or_model, data.x, compiled=fit is None)
    model = fresh.new(0)
    check_one_input(OWNER, model)
    chosen_metrics = (
        [default_metric(model, data.x, data.y)] if metrics is None else as_metrics(metrics)
    )
    settings = _settings(model, data, training, rows, chosen_metrics, bounds)
    if out is not None:  # what tells its comparison from others takes a second model
        settings[SUMS] = sums_of(model, fresh.new(1), data.x, rows.values(), chosen_metrics, fit)
    settings |= _rate_of(fresh.given)
    run = Run(settings, out)
    progress = _Progress(bool(verbose))
    protocol = Protocol(
        fresh, list(rows.values()), data, training, chosen_metrics, bounds, run, progress.advance
    )
    protocol.check()
    left = [
        (seed, row) for seed in chosen for row in rows.values() if run.find(seed, row.name) is None
    ]
    if not left:
        return _so_far(run)
    try:
        progress.plan(protocol, left, chosen, model.name, out)
        for seed, row in left:
            protocol.prepare(seed)
            protocol.perform(seed, row)
            if all(run.find(seed, each) for each in rows):
                run.finish(seed)
                protocol.release()
    except KeyboardInterrupt:
        where = "in `.comparison`" if out is None else f"in {os.fspath(out)!r}, which goes on"
        raise ComparisonInterrupted(_so_far(run), where) from None
    progress.end()
    return _so_far(run)


def _so_far(run: Run) -> Comparison:
    return Comparison(run.settings, run.records, versions())


def _data(x: Any, x_test: Any, y: Any, y_test: Any) -> Data:
    read, anywhere = read_data(OWNER, x), (-np.inf, np.inf)
    samples = check_samples(OWNER, read.x, bounds=anywhere)
    samples = np.asarray(samples, np.float32)
    labels = _targets("y", y, read, len(samples))
    if x_test is None:
        if y_test is not None:
            raise ValueError(
                "`y_test` of compare belongs to `x_test`, which must be given too. "
                "Received: x_test=None."
            )
        order = np.random.default_rng(0).permutation(len(samples))
        test, rest = order[: len(order) // TEST_PART], np.sort(order[len(order) // TEST_PART :])
        if not len(test):
            raise ValueError(
                f"`x` of compare must have {TEST_PART} samples or more, of which one in "
                f"{TEST_PART} is held out. Received: x of shape {samples.shape}."
            )
        if read.sample_weight is not None:
            raise ValueError(
                "`x_test` of compare must be given where the samples have weights, of which the "
                "metrics would see none. "
                f"Received: x_test=None and weights of shape {read.sample_weight.shape}."
            )
        held = None if labels is None else labels[test]
        return Data(samples[rest], None if labels is None else labels[rest], samples[test], held)
    other = read_data(OWNER, x_test, name="x_test")
    tests = check_samples(OWNER, other.x, bounds=anywhere, name="x_test")
    if tests.shape[1:] != samples.shape[1:]:
        raise ValueError(
            f"`x_test` of compare must hold samples like `x`, of shape {samples.shape[1:]}. "
            f"Received: x_test of shape {tests.shape}."
        )
    if other.sample_weight is not None:
        raise ValueError(
            "`x_test` of compare must have no sample weights, of which the metrics see none: "
            "x_test.map(lambda x, y, weights: (x, y)) of tf.data leaves them out. "
            f"Received: a data set with weights of shape {other.sample_weight.shape}."
        )
    return Data(
        samples,
        labels,
        np.asarray(tests, np.float32),
        _targets("y_test", y_test, other, len(tests)),
        read.sample_weight,
    )


def _targets(name: str, y: Any, read: Any, count: int) -> Any:
    """Labels that are given, or that a data set has; the samples once more are none."""
    if y is None and read.y is not None and not np.array_equal(read.y, read.x):
        y = read.y
    if y is None:
        return None
    labels = as_array(OWNER, name, y)
    if labels.ndim == 0 or len(labels) != count:
        raise ValueError(
            f"`{name}` of compare must have {count} rows, one for each sample. "
            f"Received: {name} of shape {labels.shape}."
        )
    return labels


def _training(
    epochs: int | None, batch_size: int, target: str, budget: int | None, fit: Any
) -> Training:
    if fit is not None and not callable(fit):
        raise ValueError(
            "`fit` of compare must be a function fit(model, data, epochs=…, callbacks=…). "
            f"Received: fit={fit!r}."
        )
    if epochs is None and fit is None:
        raise ValueError(
            "`epochs` of compare must say how long your model is trained, or `fit` how. "
            "Received: epochs=None and fit=None."
        )
    if budget is not None and fit is not None:
        raise ValueError(
            "`budget` of compare must be left out where `fit` trains as long as it likes. "
            f"Received: budget={budget!r}."
        )
    return Training(
        None if epochs is None else check_integer(OWNER, "epochs", epochs, 1),
        check_integer(OWNER, "batch_size", batch_size, 1),
        check_choice(OWNER, "target", target, TARGETS),
        None if budget is None else check_integer(OWNER, "budget", budget, 1),
        fit,
    )


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if isinstance(seeds, (int, np.integer)):
        return list(range(check_integer(OWNER, "seeds", seeds, 1)))
    chosen = [check_integer(OWNER, "seeds", seed, 0, 2**31 - 1) for seed in seeds]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"`seeds` of compare must be a number of seeds, or different seeds. "
            f"Received: seeds={seeds!r}."
        )
    return chosen


def _settings(
    model: keras.Model,
    data: Data,
    training: Training,
    rows: dict[str, Row],
    metrics: Sequence[Metric],
    bounds: Any,
) -> dict[str, Any]:
    """What the figures depend on, as far as it can be written down."""
    optimizer = getattr(model, "optimizer", None)
    return {
        "model": {
            "class": type(model).__name__,
            "layers": [type(layer).__name__ for layer in model.layers],
            "weights": [list(weight.shape) for weight in model.weights],
            "optimizer": None if optimizer is None else _plain(optimizer),
            "loss": _plain(getattr(model, "loss", None)),
        },
        "data": {
            name: None if value is None else digest(value) for name, value in vars(data).items()
        },
        "samples": len(data.x),
        "test_samples": len(data.x_test),
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "budget": training.budget,
        "target": training.target,
        "fit": None if training.fit is None else called(training.fit),
        "bounds": _plain(bounds),
        "metrics": [{"name": each.name, "better": each.better} for each in metrics],
        "rows": {name: _described(row) for name, row in rows.items()},
    }


def _rate_of(given: keras.Model | None) -> dict[str, float]:
    """The rate that a trained model is left with, if somebody has set it, so perhaps a callback."""
    optimizer = getattr(given, "optimizer", None)
    if optimizer is None or not int(optimizer.iterations):
        return {}
    rate = optimizer.get_config().get("learning_rate")
    default = inspect.signature(type(optimizer)).parameters.get("learning_rate")
    own = isinstance(rate, float) and (default is None or np.float32(default.default) != rate)
    return {RATE: rate} if own else {}


def _described(row: Row) -> dict[str, Any]:
    arm: dict[str, Any] = {}
    if isinstance(row.arm, Adversarial):
        arm = {"attack": called(row.arm.make_attack), "settings": _plain(row.arm.settings)}
    elif isinstance(row.arm, Augmented):
        # a layer that is made once more is counted on: gaussian_noise_1
        arm = {"function": re.sub(r"_\d+$", "", called(row.arm.function))}
    of = "" if row.arm is None else row.arm.name
    return {
        "label": row.label,
        "of": of,
        "noise": row.noise,
        "controls": list(row.controls),
        **arm,
    }


def _plain(value: Any) -> Any:
    """A setting for JSON, the same in every process: what has no form of its own by its name."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if key != "name"}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return digest(value)
    if inspect.isfunction(value):
        return called(value)
    config = getattr(value, "get_config", None)
    if config is not None:
        return {"class": type(value).__name__, **_plain(config())}
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return type(value).__name__


class _Progress:
    """The plan, then a bar with the time left, lines off a terminal; nothing at all in silence."""

    _UNIT = 1000  # samples of a training step that the bar counts as one
    _INTERVAL = 30.0  # seconds between two lines

    def __init__(self, shown: bool):
        self._shown, self._bar, self._done, self._total = shown, None, 0.0, 0.0
        self._begin = self._said = 0.0

    def plan(
        self,
        protocol: Protocol,
        left: Sequence[tuple[int, Row]],
        seeds: Sequence[int],
        model: str,
        out: Any,
    ) -> None:
        """Say what will be done and how long that takes."""
        self._total = sum(protocol.work(row) for _, row in left)
        if not self._shown:
            return
        originals = sum(row is ORIGINAL for _, row in left)
        attacks = sum(row.attacks and not row.noise for _, row in left)
        seconds = protocol.seconds([row for _, row in left])
        took = "" if seconds is None else f"; about {_clock(seconds)}"
        kept = "" if out is None else f"; kept in {os.fspath(out)!r}"
        print(
            f"compare: {len(left)} trainings of {model!r} ({originals} on the originals alone), "
            f"{len(protocol.rows)} rows × {len(seeds)} seeds, "
            f"{attacks} attack{'s' * (attacks != 1)} on "
            f"{len(protocol.data.x)} samples{took}{kept}."
        )
        for metric in protocol.metrics:
            print(f"compare: {metric.name}, {metric.better} is better.")
        self._begin = self._said = time.monotonic()
        # Keras draws its bar into files, too, with all that moves a cursor
        if sys.stdout.isatty() or "ipykernel" in sys.modules:
            target = max(round(self._total / self._UNIT), 1)
            self._bar = keras.utils.Progbar(target, unit_name="1000 samples", interval=0.2)

    def advance(self, work: float) -> None:
        """Count work that is done."""
        self._done += work
        if self._bar is not None:
            # the last one is `end`'s: Keras closes the bar there
            done = min(int(self._done / self._UNIT), self._bar.target - 1)
            self._bar.update(done, finalize=False)
            return
        now = time.monotonic()
        if self._shown and now - self._said >= self._INTERVAL:
            self._said = now
            part = min(self._done / self._total, 1.0)  # an attack may have to be done again
            left = _clock((now - self._begin) * (1 / part - 1))
            print(f"compare: {part:.0%}, about {left} left.", flush=True)

    def end(self) -> None:
        """All is done."""
        if self._bar is not None:
            self._bar.update(self._bar.target, finalize=True)


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
