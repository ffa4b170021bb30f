"""One training, whoever asks for it: the same initial weights for a seed, both kinds of weights."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_uae.augmentation import UAEAugmentation
from keras_uae.comparison.arms import takes
from keras_uae.comparison.fresh import (
    FreshModels,
    State,
    is_plain,
    left_alone,
    optimizers_of,
    set_state,
    state_of,
    steps_of,
)
from keras_uae.comparison.mean_weights import MeanWeights
from keras_uae.comparison.metrics import Metric

# Steps that Keras runs between two looks at Python, in trainings long enough for that: weights can
# be taken then only, and the last quarter is to have ten such moments
STEPS_PER_EXECUTION = 10
_LONG = 400  # steps

# Samples that are copied, so that TensorFlow gathers the batches; more stay where they are
_COPIED_BYTES = 2**30
# Of training, for the expected time
_MEASURED_SECONDS = 1.0
_FEW = 10  # steps, at least

Advance = Callable[[int], None]  # is told of samples that were trained on


class Trained(NamedTuple):
    """A trained model with its last weights, the mean of them, and what it took.

    Attributes:
        model: The model; the next training of a `Trainer` may take it on.
        average: The callback that has averaged the weights; `None` if nobody could.
        steps: Integer, of the optimizer that has done most, or batches of `fit` where these are
            more; `None` if nobody has counted.
        samples: Integer, of an epoch.
    """

    model: keras.Model
    average: MeanWeights | None
    steps: int | None
    samples: int

    @property
    def ended_early(self) -> bool:
        """Whether it ended before the part over which weights are averaged."""
        return self.average is not None and self.average.values is None

    def measure(self, metrics: Sequence[Metric], x: Any, y: Any = None) -> dict[str, Any]:
        """Figures by the "last" and by the "averaged" weights; the model keeps the last.

        Returns:
            Dictionary of dictionaries by the name of the metric; a figure that is not finite is
            `None`, and so is "averaged" where there are no such weights.
        """
        last = self.model.get_weights()
        found: dict[str, Any] = {"last": self._figures(metrics, x, y), "averaged": None}
        values = None if self.average is None else self.average.values
        if values is not None:
            self.model.set_weights(values)
            found["averaged"] = self._figures(metrics, x, y)
            self.model.set_weights(last)
        return found

    def _figures(self, metrics: Sequence[Metric], x: Any, y: Any) -> dict[str, float | None]:
        values = {}
        for each in metrics:
            with left_alone(self.model):  # a probe may freeze it, or train it on
                values[each.name] = each(self.model, x, y)
        return {name: value if np.isfinite(value) else None for name, value in values.items()}


class Trainer:
    """Trains models of one architecture, each from the initial weights of its seed.

    Where Keras' own `fit` trains, one model is set back for every training: it is traced once for
    short trainings, and once for long ones.

    Args:
        fresh: Makes the models.
        fit: Function that trains a model in place of `model.fit`, see `compare`. Defaults to
            `None`.

    Attributes:
        model: A model to look at.
        reuses: Boolean, whether it is also the one that is trained.
    """

    def __init__(self, fresh: FreshModels, *, fit: Callable[..., Any] | None = None):
        self._fresh, self._fit = fresh, fit
        self.model = fresh.new(0)
        self.reuses = fit is None and is_plain(self.model)
        self._initial: dict[int, State] = {}
        self._functions: dict[int, Any] = {}  # that train the reused model, by the steps at once

    def untrained(self, seed: int) -> keras.Model:
        """A model with the initial weights of a seed."""
        model = self.model if self.reuses else self._fresh.new(seed)
        if seed not in self._initial:
            source = self._fresh.new(seed) if self.reuses else model
            self._initial = {seed: state_of(source)}
        set_state(model, self._initial[seed])
        return model

    def train(
        self,
        seed: int,
        data: UAEAugmentation,
        *,
        epochs: int | None = None,
        budget: int | None = None,
        after: Trained | None = None,
        total: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        advance: Advance = lambda samples: None,
    ) -> Trained:
        """Train a model from the initial weights of a seed, for `epochs` or a `budget` of steps.

        Args:
            seed: Integer, of the initial weights and of what the model draws.
            data: What it is trained on, in the order of its own seed.
            epochs: Integer. Defaults to `None`: as long as `fit` likes.
            budget: Integer, steps, which may end within an epoch. Defaults to `None`.
            after: A training that this one goes on from. Defaults to `None`: an untrained model.
            total: Integer, steps of a training in parts, over the end of which weights are averaged
                as over that of one in a piece. Defaults to `None`: there is one part.
            callbacks: Further callbacks, which see epochs. Defaults to none.
            advance: Is told of samples that were trained on.
        """
        model = self.untrained(seed) if after is None else after.model
        watch = _Watch(budget, data, advance)
        average = MeanWeights(steps=budget) if total is None else _MeanOfParts(steps=total)
        if after is not None and isinstance(after.average, _MeanOfParts):
            average = after.average
        given = [average, watch, *callbacks]
        keras.utils.set_random_seed(seed)
        if self._fit is None:
            self._keras_fit(model, data, epochs, budget, given, whole=not callbacks)
        else:
            offered = {"callbacks": given} | ({} if epochs is None else {"epochs": epochs})
            self._fit(model, data, **{k: v for k, v in offered.items() if takes(self._fit, k)})
        # the optimizer that `compile` makes may do nothing, where a `train_step` has its own
        counts = [watch.steps, *map(steps_of, optimizers_of(model))]
        return Trained(model, average if watch.steps else None, max(counts) or None, watch.samples)

    def seconds_per_sample(self, data: UAEAugmentation, steps: int) -> float:
        """What a sample of one of so many steps takes, measured on some of the reused model."""
        state, rate, some = state_of(self.model), 0.0, _FEW
        with self._running(self.model, _at_once(steps)):
            for _ in range(3):  # the first traces, the second says how many the third measures
                begin = time.perf_counter()
                self.model.fit(data.as_one_epoch(some), shuffle=False, verbose=0)
                rate = (time.perf_counter() - begin) / some
                some = min(max(int(_MEASURED_SECONDS / rate), _FEW), 1000)
        set_state(self.model, state)
        return rate / min(data.batch_size, _samples(data))

    def _keras_fit(
        self,
        model: keras.Model,
        data: UAEAugmentation,
        epochs: int | None,
        budget: int | None,
        callbacks: list[keras.callbacks.Callback],
        *,
        whole: bool,
    ) -> None:
        steps = (epochs or 1) * len(data) if budget is None else budget
        # one long epoch, of which nobody but a model's own `fit` or a callback can tell
        base: Any = keras.Model
        copied = 4 * data.x[:1].size * _samples(data)  # bytes, in single precision
        whole &= data.in_memory and copied < _COPIED_BYTES and type(model).fit is base.fit
        fed: Any = data.as_one_epoch(steps) if whole else data
        epochs = 1 if whole else -(-steps // len(data))
        # without one epoch a budget may end between
        at_once = _at_once(steps) if whole or budget is None else 1
        with self._running(model, at_once):
            model.fit(fed, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)

    @contextlib.contextmanager
    def _running(self, model: keras.Model, at_once: int) -> Iterator[None]:
        """Run so many steps at once in trainings alone: what evaluates has functions of its own."""
        functions = self._functions if model is self.model else {}
        own = model.steps_per_execution, model.train_function
        if not model.run_eagerly:
            model.steps_per_execution, model.train_function = at_once, functions.get(at_once)
        try:
            yield
        finally:
            functions[at_once] = model.train_function
            model.steps_per_execution, model.train_function = own


class _Watch(keras.callbacks.Callback):
    """Counts the work, and ends a training that has done its steps or has diverged."""

    def __init__(self, budget: int | None, data: UAEAugmentation, advance: Advance):
        super().__init__()
        self._budget, self._advance, self.steps = budget, advance, 0
        self._length, self._batch, self.samples = len(data), data.batch_size, _samples(data)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._before = self.steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # where several are run at once, `batch` is the last, and may lie behind the end
        now = self._before + min(batch + 1, self.params.get("steps") or batch + 1)
        self._advance(self._done(now) - self._done(self.steps))
        self.steps = now
        diverged = not np.isfinite(float((logs or {}).get("loss", 0.0)))
        if diverged or (self._budget is not None and now >= self._budget):
            self.model.stop_training = True

    def _done(self, steps: int) -> int:
        """Samples in so many steps: the last batch of an epoch may be smaller."""
        epochs, more = divmod(steps, self._length)
        return epochs * self.samples + more * self._batch


class _MeanOfParts(MeanWeights):
    """Averages over the end of several calls of `fit`."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Go on counting."""


def _at_once(steps: int) -> int:
    return STEPS_PER_EXECUTION if steps >= _LONG else 1


def _samples(data: UAEAugmentation) -> int:
    return len(data.x) + sum(map(len, data.found))
