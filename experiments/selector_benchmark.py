"""How fast is the concrete selector? Next to the published package, in one process.

First their steps are timed, in turns. Then the published package trains once with all its epochs,
ours with few and fewer, and each is judged on the test samples.

    pip install tf_keras && pip install --no-deps concrete-autoencoder
    python -m experiments.selector_benchmark
    python -m experiments.selector_benchmark --dataset mnist --features 50 --published-epochs 800

The package is written for Keras 2, which tf_keras is; without it, ours alone is measured.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import tyro
from rich.console import Console
from sklearn.exceptions import ConvergenceWarning

from experiments.benchmark import published
from experiments.benchmark.tables import print_sheets
from experiments.benchmark.timing import Ticks, quartiles, timed, turns
from experiments.data import Split, load, names
from experiments.engine.config import Choice, check_settings
from experiments.engine.experiment import DONE, INTERRUPTED, REFUSED, fail
from experiments.engine.records import versions, write_json
from experiments.engine.tables import Column, Sheet, sheet
from keras_uae._checks import Integer, check_integer
from keras_uae.evaluation import extra_trees_accuracy
from keras_uae.selection import ConcreteFeatureSelector

PUBLISHED, LIKE_PUBLISHED, OURS = "published package", "ours, published settings", "ours"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """How fast is the concrete selector next to the published package?"""

    dataset: Annotated[str, Choice(names(), others=True)] = "digits"
    """One of these, or any other image data set of tensorflow-datasets."""
    features: int = 16
    """Features to select."""
    published_epochs: int = 100
    """Epochs of the published package; Hsu et al. took 800."""
    epochs: tuple[Annotated[int, Integer(1)], ...] = (10, 30, 100)
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
        check_settings(config)
        data = load(config.dataset, data_dir=config.data_dir).flat()
        check_integer("Config", "features", config.features, 1, data.x_train.shape[1])
    except (ValueError, OSError) as error:
        return fail(errors, error, REFUSED)
    missing = published.missing()
    if missing:
        errors.print(f"without the published package: {missing}", markup=False)
    rows: list[Figures] = []
    content: Figures = {
        "experiment": "selector_benchmark",
        "settings": {key: str(value) for key, value in vars(config).items()},
        "versions": versions(),
        "steps": time_steps(config, data, not missing, errors),
        "trainings": rows,
    }
    try:
        for row in trainings(config, data, not missing):
            errors.print(f"{row['name']}, {row['epochs']} epochs: {row['seconds']:.0f} s")
            rows.append(row)
            if config.json:
                write_json(config.json, content)
    except KeyboardInterrupt:
        errors.print("interrupted: what follows are the trainings that are finished")
        if not rows:
            return INTERRUPTED
    print_sheets(sheets(config, content), markdown=config.markdown)
    return DONE


def time_steps(
    config: Config, data: Split, with_published: bool, console: Console
) -> dict[str, Figures]:
    """Milliseconds a step by method, epochs in turns; the first epoch of a fit compiles."""
    x, epochs = data.x_train, 3

    def ours(preset: str) -> list[float]:
        ticks = Ticks()
        clock = keras.callbacks.LambdaCallback(on_epoch_begin=ticks, on_train_end=ticks)
        fit(x, config.features, preset, [clock], epochs=epochs, tryouts=1)
        return ticks.seconds

    methods: dict[str, Any]
    methods = {OURS: partial(ours, "default"), LIKE_PUBLISHED: partial(ours, "published")}
    if with_published:
        settings = {"epochs": epochs, "seed": 0}
        methods[PUBLISHED] = lambda: published.fit(x, config.features, **settings).epochs
    steps = -(-len(x) // max(len(x) // 256, 16))
    found: dict[str, list[float]] = {name: [] for name in methods}
    for index in turns(len(methods), config.rounds):
        name = list(methods)[index]
        found[name].append(1000 * min(methods[name]()[1:]) / steps)
        console.print(f"{name}: {found[name][-1]:.2f} ms a step")
    base = found.get(PUBLISHED) or found[OURS]
    return {
        name: {
            "ms": values,
            "ms_per_step": quartiles(values),
            "ratio": quartiles([one / other for one, other in zip(values, base, strict=True)]),
        }
        for name, values in found.items()
    }


def trainings(config: Config, data: Split, with_published: bool) -> Iterator[Figures]:
    """Seconds, test error and accuracy of whole trainings, one after the other."""

    def row(name: str, epochs: int, seconds: float, model: Any, indices: Any) -> Figures:
        outputs = model.predict(data.x_test, batch_size=1000, verbose=0).astype(np.float64)
        kept = np.unique(indices)
        accuracy = extra_trees_accuracy(*data, features=kept)
        return {
            **{"name": name, "epochs": epochs, "seconds": seconds, "unique": len(kept)},
            "test_error": float(np.mean((outputs - data.x_test) ** 2)),
            **{"accuracy": accuracy.mean, "accuracy_std": accuracy.std},
        }

    x = data.x_train
    for epochs in config.epochs:
        selector, seconds, _ = timed(partial(fit, x, config.features, epochs=epochs))
        yield row(OURS, epochs, seconds, selector.model_, selector.indices_)
    if with_published:
        settings = {"epochs": config.published_epochs, "seed": 0}
        result, seconds, _ = timed(lambda: published.fit(x, config.features, **settings))
        yield row(PUBLISHED, config.published_epochs, seconds, result.model, result.indices)


def fit(
    x: np.ndarray, features: int, preset: str = "default", callbacks: Any = (), **settings: Any
) -> ConcreteFeatureSelector:
    """Our selector, without a warning that units have not settled: few epochs do not do it."""
    selector = ConcreteFeatureSelector.from_preset(preset, features, random_state=0, **settings)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        return selector.fit(x, callbacks=list(callbacks))


def sheets(config: Config, content: Figures) -> list[Sheet]:
    """The tables: steps, and whole trainings."""
    steps, rows = content["steps"], content["trainings"]
    title = f"{config.dataset}, {config.features} features"
    reference = PUBLISHED if PUBLISHED in steps else OURS
    theirs = next((row for row in rows if row["name"] == PUBLISHED), rows[-1])

    of_steps = (
        Column("ms", "ms_per_step.median", ".2f"),
        Column(f"× {reference}", "ratio.median", ".2f"),
    )
    of_trainings = (
        Column("epochs", "epochs", "d"),
        Column("seconds", "seconds", ".0f"),
        Column("times as fast", lambda row: theirs["seconds"] / row["seconds"], ".1f"),
        Column("test error", "test_error", ".5f"),
        Column("ExtraTrees accuracy", "accuracy", ".2%"),
        Column("unique", "unique", "d"),
    )
    return [
        sheet(f"A step · {title}", of_steps, list(steps.items())),
        sheet(f"A training · {title}", of_trainings, [(row["name"], row) for row in rows]),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
