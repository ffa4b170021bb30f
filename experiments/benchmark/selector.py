"""How fast is the concrete selector? Next to the published package, in one process.

Both get the same training samples, number of features, decoder and batch size. First their steps
are timed, in turns. Then the published package trains once with all its epochs, ours with few and
fewer, and each is judged on the test samples: reconstruction error of its network, accuracy of
extremely randomised trees on the features it has selected.

    pip install tf_keras && pip install --no-deps concrete-autoencoder
    python -m experiments.selector_benchmark
    python -m experiments.selector_benchmark --dataset mnist --features 50 --published-epochs 800

The package is written for Keras 2, which tf_keras is; without it, ours alone is measured.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tyro
from rich.console import Console
from sklearn.exceptions import ConvergenceWarning

from experiments import published_selector, tables
from experiments.data import Split, load
from experiments.run import versions, write_json
from experiments.benchmark.timing import quartiles, timed, turns
from keras_uae._checks import check_integer
from keras_uae.evaluation import extra_trees_accuracy
from keras_uae.selection import ConcreteFeatureSelector

PUBLISHED, LIKE_PUBLISHED, OURS = "published package", "ours, published settings", "ours"


@dataclass(frozen=True)
class Config:
    """How fast is the concrete selector next to the published package?"""

    dataset: str = "digits"
    """As in the experiments: digits, mnist, fashion_mnist, isolet, …"""
    features: int = 16
    """Features to select."""
    published_epochs: int = 100
    """Epochs of the published package; Hsu et al. took 800."""
    epochs: tuple[int, ...] = (10, 30, 100)
    """Epochs of ours, one training for each."""
    rounds: int = 3
    """Rounds in which steps are timed, an epoch of each method a round."""
    data_dir: Path | None = None
    """Directory of the data. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    json: Path | None = None
    """Write all figures to this file."""
    markdown: bool = False
    """Print the tables as markdown."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the benchmark as the command line says; returns the exit code."""
    flags = (tyro.conf.FlagCreatePairsOff,)
    program = "python -m experiments.selector_benchmark"
    config = tyro.cli(Config, args=args, prog=program, config=flags)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        data = flat(load(config.dataset, data_dir=config.data_dir))
        check_integer("Config", "features", config.features, 1, data.x_train.shape[1])
        for name in ("published_epochs", "rounds"):
            check_integer("Config", name, getattr(config, name), 1)
        for epochs in config.epochs:
            check_integer("Config", "epochs", epochs, 1)
    except (ValueError, OSError) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        return 2
    missing = published_selector.missing()
    if missing:
        errors.print(f"without the published package: {missing}", markup=False)
    content: dict[str, Any] = {
        "experiment": "selector_benchmark",
        "settings": {key: str(value) for key, value in vars(config).items()},
        "versions": versions(),
        "steps": time_steps(config, data, not missing, errors),
        "trainings": [],
    }
    try:
        for row in trainings(config, data, not missing):
            errors.print(f"{row['name']}, {row['epochs']} epochs: {row['seconds']:.0f} s")
            content["trainings"].append(row)
            if config.json:
                write_json(config.json, content)
    except KeyboardInterrupt:
        errors.print("interrupted: what follows are the trainings that are finished")
        if not content["trainings"]:
            return 130
    for sheet in sheets(config, content):
        if config.markdown:
            print(f"**{sheet.title}**\n\n{tables.markdown(sheet)}")
        else:
            tables.print_sheet(Console(), sheet)
    return 0


def flat(data: Split) -> Split:
    """The data with a sample as a row of features."""
    return data._replace(
        x_train=data.x_train.reshape(len(data.x_train), -1),
        x_test=data.x_test.reshape(len(data.x_test), -1),
    )


def time_steps(
    config: Config, data: Split, published: bool, console: Console
) -> dict[str, dict[str, Any]]:
    """Milliseconds a step by method, epochs in turns; the first epoch of a fit compiles."""
    epochs = 3

    def ours(preset: str) -> Callable[[], list[float]]:
        def run() -> list[float]:
            clock = EpochClock()
            with silence():
                ConcreteFeatureSelector.from_preset(
                    preset, config.features, epochs=epochs, tryouts=1, random_state=0
                ).fit(data.x_train, callbacks=[clock])
            return clock.seconds

        return run

    methods = {OURS: ours("default"), LIKE_PUBLISHED: ours("published")}
    if published:
        methods[PUBLISHED] = lambda: (
            published_selector.fit(data.x_train, config.features, epochs=epochs, seed=0).epochs
        )
    steps = -(-len(data.x_train) // max(len(data.x_train) // 256, 16))
    found: dict[str, list[float]] = {name: [] for name in methods}
    names = list(methods)
    for index in turns(len(names), config.rounds):
        seconds = methods[names[index]]()
        found[names[index]].append(1000 * min(seconds[1:]) / steps)
        console.print(f"{names[index]}: {found[names[index]][-1]:.2f} ms a step")
    base = found.get(PUBLISHED) or found[OURS]
    return {
        name: {
            "ms": values,
            "ms_per_step": quartiles(values),
            "ratio": quartiles([one / other for one, other in zip(values, base, strict=True)]),
        }
        for name, values in found.items()
    }


def trainings(config: Config, data: Split, published: bool) -> Iterator[dict[str, Any]]:
    """Seconds, test error and accuracy of whole trainings, one after the other."""

    def row(name: str, epochs: int, seconds: float, model: Any, indices: Any) -> dict[str, Any]:
        outputs = model.predict(data.x_test, batch_size=1000, verbose=0).astype(np.float64)
        kept = np.unique(indices)
        accuracy = extra_trees_accuracy(*data, features=kept)
        return {
            **{"name": name, "epochs": epochs, "seconds": seconds, "unique": len(kept)},
            "test_error": float(np.mean((outputs - data.x_test) ** 2)),
            **{"accuracy": accuracy.mean, "accuracy_std": accuracy.std},
        }

    for epochs in config.epochs:
        selector = ConcreteFeatureSelector(config.features, epochs=epochs, random_state=0)
        with silence():
            _, seconds, _ = timed(partial(selector.fit, data.x_train))
        yield row(OURS, epochs, seconds, selector.model_, selector.indices_)
    if published:
        fit = partial(published_selector.fit, epochs=config.published_epochs, seed=0)
        result, seconds, _ = timed(partial(fit, data.x_train, config.features))
        yield row(PUBLISHED, config.published_epochs, seconds, result.model, result.indices)


class EpochClock(keras.callbacks.Callback):
    """Seconds of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._begin)


def silence() -> warnings.catch_warnings:
    """A context without warnings that the units have not settled: so few epochs do not do it."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)


def sheets(config: Config, content: dict[str, Any]) -> list[tables.Sheet]:
    """The tables: steps, and whole trainings."""
    steps, rows = content["steps"], content["trainings"]
    title = f"{config.dataset}, {config.features} features"
    reference = PUBLISHED if PUBLISHED in steps else OURS
    theirs = next((row for row in rows if row["name"] == PUBLISHED), rows[-1])
    return [
        tables.Sheet(
            f"A step · {title}",
            {
                "": list(steps),
                "ms": [f"{row['ms_per_step']['median']:.2f}" for row in steps.values()],
                f"× {reference}": [f"{row['ratio']['median']:.2f}" for row in steps.values()],
            },
        ),
        tables.Sheet(
            f"A training · {title}",
            {
                "": [row["name"] for row in rows],
                "epochs": [str(row["epochs"]) for row in rows],
                "seconds": [f"{row['seconds']:.0f}" for row in rows],
                "times as fast": [f"{theirs['seconds'] / row['seconds']:.1f}" for row in rows],
                "test error": [f"{row['test_error']:.5f}" for row in rows],
                "ExtraTrees accuracy": [f"{row['accuracy']:.2%}" for row in rows],
                "unique": [str(row["unique"]) for row in rows],
            },
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
