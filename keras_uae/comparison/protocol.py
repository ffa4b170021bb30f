"""One training of a comparison: the same initial weights, samples and steps for every row."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_uae.attacks import Attack
from keras_uae.augmentation import UAEAugmentation
from keras_uae.comparison.arms import DUPLICATES, ORIGINAL, Adversarial, Augmented, Row, takes
from keras_uae.comparison.fresh import FreshModels, left_alone
from keras_uae.comparison.inside import check_inside
from keras_uae.comparison.metrics import LOSS, Metric
from keras_uae.comparison.noise import noise_like
from keras_uae.comparison.run import Run
from keras_uae.comparison.training import Trained, Trainer
from keras_uae.results import UAEs

# An iteration of an attack, in training steps of as many samples: roughly, for the time left
ATTACK_WORK = 1.2
_ALL = slice(None)

Advance = Callable[[float], None]


@dataclass
class Data:
    """Samples and labels that models are trained on and judged by."""

    x: np.ndarray
    y: Any
    x_test: np.ndarray
    y_test: Any
    sample_weight: Any = None  # of the samples that models are trained on


@dataclass
class Training:
    """How every model is trained."""

    epochs: int | None
    batch_size: int
    target: str
    budget: int | None  # steps of every row but the original; `None` for all of the epochs
    fit: Callable[..., Any] | None


class Protocol:
    """Trains the rows of a comparison, one seed after another, and measures them.

    Args:
        fresh: Makes the models.
        rows: All rows, in order.
        data, training, metrics: What, how, and by what.
        bounds: Of the data, for attacks that have none of their own.
        run: Where the figures are kept.
        advance: Is told of the work that is done, see `work`.
    """

    def __init__(
        self,
        fresh: FreshModels,
        rows: Sequence[Row],
        data: Data,
        training: Training,
        metrics: Sequence[Metric],
        bounds: Any,
        run: Run,
        advance: Advance = lambda work: None,
    ):
        self.rows, self.data, self.training = rows, data, training
        self.metrics, self.bounds, self.run, self.advance = metrics, bounds, run, advance
        self._trainer = Trainer(fresh, fit=training.fit)
        # the model that is attacked is another one: its attacks are traced once for all seeds
        self._attacked = fresh.new(0) if any(row.attacks for row in rows) else None
        self._attacks: dict[str, Attack] = {}
        self._found: dict[tuple[int, str], tuple[UAEs, Any]] = {}

    def check(self) -> None:
        """Raise ValueError, before any work, if a metric, an attack or an augmentation would."""
        data = self.data
        self.dataset([data.x[:2]], slice(2))
        if data.y is not None:
            self._check_labels("y", data.x, data.y)
        for arm in {row.arm.name: row.arm for row in self.rows if row.arm is not None}.values():
            if isinstance(arm, Adversarial):
                attack = self._attack(arm)
                check_inside("compare", data.x, attack.bounds)
                attack.batches(data.x, self._labels(attack))
            elif isinstance(arm, Augmented):
                arm.draw(data.x[: self.training.batch_size], 0)
            else:
                arm.samples(data.x)
        begin = time.perf_counter()
        for metric in self.metrics:
            if metric.function is LOSS.function and data.y is not None and data.y_test is None:
                raise ValueError(
                    "`y_test` of compare must be given where there are `y` and the metrics have "
                    "the loss: what the model is to give for `x_test`. Received: y_test=None."
                )
            if metric.function is LOSS.function and data.y_test is not None:
                self._check_labels("y_test", data.x_test, data.y_test)
            with left_alone(self._trainer.model):
                metric(self._trainer.model, data.x_test, data.y_test)
        self._metric_seconds = time.perf_counter() - begin

    def _check_labels(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        """Let the loss of a model that Keras trains see the least and the greatest target."""
        model = self._trainer.model
        if not self._trainer.reuses:
            return
        try:
            values = y.reshape(len(y), -1)
            rows = [values.min(axis=1).argmin(), values.max(axis=1).argmax()]
            x = x[rows]
            # a loss would spread a label over all pixels of an image, and say nothing
            shape = tuple(getattr(model(x), "shape", ()))
            if y[0].size == 1 and len(shape) > 2 and y[:2].shape not in (shape, shape[:-1]):
                raise ValueError("one number for each sample")
            model.evaluate(x, y[rows], verbose=0)
        except Exception as error:
            raise ValueError(
                f"`{name}` of compare must be what the model is trained to give, and its loss does "
                "not take it. Classes count from 0 for 'sparse_categorical_crossentropy', and are "
                "one-hot rows for 'categorical_crossentropy'. An autoencoder has none: leave the "
                "labels of a data set out by x.map(lambda x, y: x). "
                f"Received: {name} of shape {y.shape}{_span(y)}, for a model with output shape "
                f"{getattr(model, 'output_shape', None)}."
            ) from error

    def work(self, row: Row) -> float:
        """What a row takes, in samples of a training step."""
        count, epochs = len(self.data.x), self.training.epochs or 1
        if row is ORIGINAL:
            return float(epochs * count)
        trained = self.training.budget and self.training.budget * self.training.batch_size
        attack = 0.0
        if isinstance(row.arm, Adversarial) and not row.noise:
            attack = count * self._attack(row.arm).steps * ATTACK_WORK
        return (trained or 2 * epochs * count) + attack

    def perform(self, seed: int, row: Row) -> None:
        """Train, measure and keep a row, if that has not been done."""
        begin, success = time.perf_counter(), {}
        added = self._added(seed, row)
        if isinstance(row.arm, Adversarial):
            found, _ = self._uaes(seed, row.arm)
            success = _figures(self.data.x, found.success, added)
            if row.noise:
                del success["success"]
        trained = self._train(seed, row, added)
        weights = trained.model.get_weights() if row is ORIGINAL else None
        figures = trained.measure(self.metrics, self.data.x_test, self.data.y_test)
        figures |= {"steps": trained.steps, "samples": trained.samples}
        figures |= {"ended_early": True} if trained.ended_early else {}
        self.run.add(seed, row.name, **figures, **success, seconds=time.perf_counter() - begin)
        if weights is not None:  # behind the record: a directory without one would be refused
            self.run.keep_weights(seed, weights)

    def prepare(self, seed: int) -> None:
        """Find what the rows of a seed need of the original, if an earlier session has trained it.

        The weights that are attacked may be gone; they are then trained once more.
        """
        needed = any(row.attacks and not self.run.find(seed, row.name) for row in self.rows)
        if needed and self.run.find(seed, ORIGINAL.name) and self.run.weights(seed) is None:
            trained = self._train(seed, ORIGINAL, self.data.x[:0])
            self.run.keep_weights(seed, trained.model.get_weights())

    def release(self) -> None:
        """Let go of what only the rows of one seed share."""
        self._found.clear()

    def dataset(
        self, added: Sequence[np.ndarray], rows: slice = _ALL, seed: int = 0
    ) -> UAEAugmentation:
        """What a model is trained on: some of the samples, and what is added to them."""
        data, training = self.data, self.training
        y, weights = (None if each is None else each[rows] for each in (data.y, data.sample_weight))
        return UAEAugmentation(
            data.x[rows],
            added,
            y,
            batch_size=training.batch_size,
            target=training.target if y is None else "self",
            seed=seed,
            sample_weight=weights,
        )

    def seconds(self, rows: Sequence[Row]) -> float | None:
        """What rows will take, measured on some steps; `None` where `fit` is the user's."""
        if not self._trainer.reuses:
            return None
        data, settings = self.dataset([]), self.training
        steps = settings.budget or 2 * len(data) * (settings.epochs or 1)
        trained = self._trainer.seconds_per_sample(data, steps) * sum(map(self.work, rows))
        return trained + 2 * self._metric_seconds * len(rows)

    def _train(self, seed: int, row: Row, added: np.ndarray) -> Trained:
        data = self.dataset([added] if len(added) else [], seed=seed)
        settings = self.training
        budget = None if row is ORIGINAL else settings.budget
        if settings.fit is not None and not takes(settings.fit, "callbacks"):
            self.advance(self.work(row))
        return self._trainer.train(
            seed, data, epochs=settings.epochs, budget=budget, advance=self.advance
        )

    def _added(self, seed: int, row: Row) -> np.ndarray:
        """What a row adds to the originals."""
        x = self.data.x
        if row is ORIGINAL or row is DUPLICATES:
            return x[:0] if row is ORIGINAL else x
        if isinstance(row.arm, Augmented):
            return row.arm.draw(x, seed)
        if not isinstance(row.arm, Adversarial):
            return row.arm.samples(x)  # type: ignore[union-attr]
        found, space = self._uaes(seed, row.arm)
        if not row.noise:
            return found.x
        key = (seed, row.arm.noise.index(row.noise))
        return noise_like(x, found.x, row.noise, key, space=space)

    def _uaes(self, seed: int, arm: Adversarial) -> tuple[UAEs, Any]:
        """The UAEs of an arm, and the space of the data."""
        if (seed, arm.name) not in self._found:
            attack = self._attack(arm).located([self.data.x])
            number = [row.name for row in self.rows].index(arm.name)
            found = self.run.found(seed, number)
            if found is None:
                found = self._attacked_anew(seed, attack)
                self.run.keep_found(seed, number, found)
            space = attack.space(self.data.x.shape[1:])
            self._found = {(seed, arm.name): (found, space)}
        return self._found[seed, arm.name]

    def _attacked_anew(self, seed: int, attack: Attack) -> UAEs:
        given: Any = self._attacked
        weights = self.run.weights(seed)
        given.set_weights(weights)
        # attacked is the model, a part of it, a function of it, which has no weights, or a copy
        theirs = attack.model.weights
        if theirs and {*map(id, theirs)}.isdisjoint(map(id, given.weights)):
            attack.model.set_weights(weights)
        parts = []
        for found in attack.batches(self.data.x, self._labels(attack), seed=seed):
            parts.append(found)
            self.advance(len(found) * attack.steps * ATTACK_WORK)
        return UAEs.concatenate(parts)

    def _attack(self, arm: Adversarial) -> Attack:
        if arm.name not in self._attacks:
            self._attacks[arm.name] = arm.attack(self._attacked, self.bounds)
        return self._attacks[arm.name]

    def _labels(self, attack: Attack) -> Any:
        return self.data.y if attack.criterion.takes_labels else None


def _span(y: np.ndarray) -> str:
    return f" from {y.min()} to {y.max()}" if y.dtype.kind in "biuf" else f" of dtype {y.dtype}"


def _figures(x: np.ndarray, success: np.ndarray, added: np.ndarray) -> dict[str, Any]:
    """Share of samples with an example, and mean L2 norm of δ where there is one."""
    norms = np.linalg.norm((added - x).reshape(len(x), -1), axis=1)[success]
    l2 = float(norms.mean()) if len(norms) else None
    return {"success": float(success.mean()), "l2": l2}
