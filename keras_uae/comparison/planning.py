"""compare: does it help *your* model? Many trainings, one answer."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_uae._checks import check_boolean
from keras_uae._model_layers import check_one_input
from keras_uae.attacks.data_space import check_any_bounds
from keras_uae.comparison.arguments import OWNER, data_of, seeds_of, training_of
from keras_uae.comparison.arms import Arm, check_default_arms, default_arms, rows_of
from keras_uae.comparison.fresh import FreshModels
from keras_uae.comparison.identity import sums_of
from keras_uae.comparison.metrics import as_metrics, default_metric
from keras_uae.comparison.progress import Progress
from keras_uae.comparison.protocol import Protocol
from keras_uae.comparison.result import Comparison
from keras_uae.comparison.run import SUMS, Run, versions
from keras_uae.comparison.settings import rate_of, settings_of


class ComparisonInterrupted(KeyboardInterrupt):
    """Ctrl-C during `compare`; what was done by then is in `comparison`.

    Example:

        >>> try:
        ...     comparison = uae.compare(autoencoder, x_train, x_test, epochs=20, arms=[])
        ... except uae.ComparisonInterrupted as interrupted:
        ...     comparison = interrupted.comparison
    """

    def __init__(self, comparison: Comparison, where: str):
        self.comparison, self._where = comparison, where
        super().__init__(f"interrupted: what is done is {where}")

    def __reduce__(self) -> tuple[Any, ...]:  # as of any exception it would be of the message alone
        return type(self), (self.comparison, self._where)


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
            of the default attack with ε = 0.02, 0.05, 0.1 and 1; where `y` are classes, integers
            `(n,)`, those that are given another one (`criterion="misclassification"`,
            `objective="maximize"`).
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
        OSError: `out` cannot be written; before any training.
        ComparisonInterrupted: Ctrl-C; carries what was done by then.

    Example:

        >>> arms = [uae.Adversarial(epsilon=0.05)]
        >>> comparison = uae.compare(autoencoder, x_train, x_test, epochs=20, seeds=5, arms=arms)
        >>> print(comparison)

    Reference:
        Hsu et al., AAAI 2022, section 4.1; the controls are not in the paper.
    """
    check_one_input(OWNER, build_or_model)
    data = data_of(x, x_test, y, y_test)
    training = training_of(epochs, batch_size, target, budget, fit)
    chosen = seeds_of(seeds)
    rows = rows_of(default_arms(data.y) if arms is None else arms)
    bounds = check_any_bounds(OWNER, "bounds", bounds)
    verbose = 1 if verbose == "auto" else int(check_boolean(OWNER, "verbose", bool(verbose)))
    fresh = FreshModels(build_or_model, data.x, compiled=fit is None)
    model = fresh.new(0)
    check_one_input(OWNER, model)
    chosen_metrics = (
        [default_metric(model, data.x, data.y)] if metrics is None else as_metrics(metrics)
    )
    if arms is None:
        check_default_arms(model, data.x, data.y)
    settings = settings_of(model, data, training, rows, chosen_metrics, bounds)
    if out is not None:  # what tells its comparison from others takes a second model
        fresh.check_repeats(model)
        settings[SUMS] = sums_of(model, fresh.new(1), data.x, rows.values(), chosen_metrics, fit)
    settings |= rate_of(fresh.given)
    run = Run(settings, out)
    progress = Progress(bool(verbose))
    protocol = Protocol(
        fresh, list(rows.values()), data, training, chosen_metrics, bounds, run, progress.advance
    )
    protocol.check()
    left = [
        (seed, row) for seed in chosen for row in rows.values() if run.find(seed, row.name) is None
    ]
    if not left:
        return _so_far(run)
    run.open()
    try:
        progress.plan(protocol, left, chosen, model.name, out)
        for seed, row in left:
            if run.find(seed, row.name):  # by another process, meanwhile
                continue
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
