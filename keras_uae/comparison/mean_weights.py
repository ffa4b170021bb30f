"""MeanWeights: the mean of a model's weights over the end of its training."""

from typing import Annotated, Any

import keras
import numpy as np

from keras_uae._checks import Integer, Number, OrNone
from keras_uae._inputs import is_float
from keras_uae._settings import keep


class MeanWeights(keras.callbacks.Callback):
    """Callback that averages the weights over the last part of a training.

    The last weights of a training at a constant rate jump from step to step, so that two seeds of
    the same training differ by more than what is to be told; their mean hardly does. The weights
    are taken at moments evenly spread over the last `part` of the steps. What is no floating-point
    weight stays the last.

    Args:
        part: Float in [0, 1], of the training. Defaults to `0.25`.
        moments: Integer, most moments at which weights are taken. Defaults to `50`.
        steps: Integer, of the whole training, where it does not do all of its epochs. Defaults to
            `None`.

    Attributes:
        values: List of arrays, the mean of each of `model.weights`; `None` before there is one.

    Example:

        >>> average = uae.MeanWeights()
        >>> autoencoder.fit(x_train, x_train, epochs=20, callbacks=[average])
        >>> autoencoder.set_weights(average.values)

    Reference:
        Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI
        2018.
    """

    part: float
    moments: int
    steps: int | None

    def __init__(
        self,
        *,
        part: Annotated[float, Number(0, 1)] = 0.25,
        moments: Annotated[int, Integer(1)] = 50,
        steps: Annotated[int | None, OrNone(Integer(1))] = None,
    ):
        super().__init__()
        keep(self, MeanWeights.__init__, locals())
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._sums: list[np.ndarray] | None = None
        self._taken = self._done = 0
        self._wanted: np.ndarray | None = None
        self._first: int | None = None  # epoch of this training

    @property
    def values(self) -> list[np.ndarray] | None:
        """The mean of each weight."""
        if self._sums is None:
            return None
        now = self.model.get_weights()
        return [
            (total / self._taken).astype(last.dtype) if is_float(last.dtype) else last
            for total, last in zip(self._sums, now, strict=True)
        ]

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the training before."""
        self._begin_anew()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Take the weights if a moment has come."""
        # where Keras runs several steps at once, `batch` is the last, and may lie behind the end
        now = self._before + min(batch + 1, self.params.get("steps") or batch + 1)
        if self._wanted is not None and np.any((self._wanted > self._done) & (self._wanted <= now)):
            self._take()
        self._done = now

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the steps of the epochs before; at the first one choose the moments."""
        self._before = self._done
        if self._first is None:  # only here Keras tells of an `initial_epoch`
            self._first = epoch
            self._choose()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take the weights at the end of an epoch whose number of steps nobody knows before."""
        done = epoch + 1 - (self._first or 0)
        if self._wanted is None and done >= (1 - self.part) * self._epochs():
            self._take()

    def _epochs(self) -> int:
        return (self.params.get("epochs") or 1) - (self._first or 0)

    def _choose(self) -> None:
        epochs, steps = self._epochs(), self.params.get("steps")
        total = self.steps or (epochs * steps if steps else None)
        if total:
            first = total - max(int(self.part * total), 1)
            wanted = np.linspace(first + 1, total, min(self.moments, total - first))
            self._wanted = np.unique(wanted.round().astype(int))

    def _take(self) -> None:
        weights = self.model.get_weights()
        if self._sums is None:
            self._sums = [np.zeros(each.shape, np.float64) for each in weights]
        for total, each in zip(self._sums, weights, strict=True):
            if is_float(each.dtype):
                total += each
        self._taken += 1
