"""What `compare` is given, checked before any training."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_uae._checks import (
    check_called_with,
    check_choice,
    check_finite,
    check_integer,
    check_samples,
)
from keras_uae._datasets import Data as Read
from keras_uae._datasets import read_data
from keras_uae._inputs import as_array, is_float
from keras_uae.augmentation.dataset import TARGETS
from keras_uae.comparison.arms import takes
from keras_uae.comparison.protocol import Data, Training

OWNER = "compare"
TEST_PART = 5  # a fifth of the samples are held out where there are no test samples


def data_of(x: Any, x_test: Any, y: Any, y_test: Any) -> Data:
    """Samples and targets, to train on and to test on."""
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


def _targets(name: str, y: Any, read: Read, count: int) -> Any:
    """Labels that are given, or that a data set has; the samples once more are none."""
    if y is None and read.y is not None and not np.array_equal(read.y, read.x):
        y = read.y
    if y is None:
        return None
    several = isinstance(y, (list, tuple)) and any(hasattr(each, "shape") for each in y)
    if isinstance(y, dict) or (several and len(y) != count):
        raise ValueError(
            f"`{name}` of compare must be one array, the targets of one output: of a model with "
            "several compare that of one, keras.Model(model.inputs, model.outputs[0]), compiled. "
            f"Received: {name} of type {type(y).__name__} with {len(y)} items."
        )
    labels = as_array(OWNER, name, y)
    if labels.ndim == 0 or len(labels) != count:
        raise ValueError(
            f"`{name}` of compare must have {count} rows, one for each sample. "
            f"Received: {name} of shape {labels.shape}."
        )
    if is_float(labels.dtype):
        check_finite(OWNER, labels, name=name)
    return labels


def training_of(
    epochs: int | None, batch_size: int, target: str, budget: int | None, fit: Any
) -> Training:
    """How long and on what a model is trained."""
    if fit is not None and not callable(fit):
        raise ValueError(
            "`fit` of compare must be a function fit(model, data, epochs=…, callbacks=…). "
            f"Received: fit={fit!r}."
        )
    if fit is not None:
        what = "a function fit(model, data), which may take epochs and callbacks, too"
        given = [name for name in ("epochs", "callbacks") if takes(fit, name)]
        check_called_with(OWNER, "fit", fit, what, "model", "data", by_name=given)
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


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """The seeds, of a number of them or of themselves."""
    if isinstance(seeds, (int, np.integer)):
        return list(range(check_integer(OWNER, "seeds", seeds, 1)))
    several = isinstance(seeds, Iterable) and not isinstance(seeds, str)
    each = seeds if several else []
    chosen = [check_integer(OWNER, "seeds", seed, 0, 2**31 - 1) for seed in each]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"`seeds` of compare must be a number of seeds, or different seeds. "
            f"Received: seeds={seeds!r}."
        )
    return chosen
