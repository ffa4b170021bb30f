"""Attack a whole data set: check it, cut it into batches, show progress, keep what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae.checks import check_integer, check_samples
from keras_uae.results import GenerationInterrupted, UAEs

if TYPE_CHECKING:
    from keras_uae.base import Attack

# Values of features and input that a batch may hold; see `auto_batch_size`.
_BATCH_VALUES = 2**23
_LARGEST_BATCH = 512


def generate(
    attack: Attack,
    x: Any,
    y: Any,
    *,
    batch_size: int | str,
    seed: int,
    index: Any,
    trace: bool,
    verbose: int | str,
) -> UAEs:
    """What `Attack.generate` does; the arguments are described there."""
    owner = f"{type(attack).__name__}.generate"
    x = check_samples(owner, x, bounds=attack.bounds)
    check_model_takes(attack, x, owner)
    y = attack.criterion.check_labels(y, x, owner)
    index = _check_index(owner, index, len(x))
    seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
    if batch_size == "auto":
        batch_size = min(auto_batch_size(attack, x.shape[1:]), 2 ** (len(x) - 1).bit_length())
    batch_size = check_integer(owner, "batch_size", batch_size, 1)

    progress = None
    if verbose:
        progress = keras.utils.Progbar(
            len(x), unit_name="sample", stateful_metrics=["success_rate"]
        )
    out: dict[str, np.ndarray] = {}
    done = successes = 0
    try:
        for start in range(0, len(x), batch_size):
            rows = slice(start, min(start + batch_size, len(x)))
            labels = None if y is None else y[rows]
            batch = _attack_batch(attack, x[rows], labels, index[rows], seed, batch_size, trace)
            for name, part in batch:
                if name not in out:
                    out[name] = np.empty((len(x), *part.shape[1:]), part.dtype)
                out[name][rows] = part
            done = rows.stop
            successes += int(out["success"][rows].sum())
            if progress:
                progress.update(done, [("success_rate", successes / done)])
    except KeyboardInterrupt:
        found = _collect({name: value[:done] for name, value in out.items()}) if done else None
        raise GenerationInterrupted(found, len(x)) from None
    return _collect(out)


def auto_batch_size(attack: Attack, shape: tuple[int, ...]) -> int:
    """A power of two that keeps features and inputs of a batch within a few megabytes."""
    values = attack.values_per_sample(shape) * attack.criterion.inputs_per_sample
    size = 2 ** int(np.log2(_BATCH_VALUES / values))
    return int(np.clip(size, 1, _LARGEST_BATCH))


def check_model_takes(attack: Attack, x: np.ndarray, owner: str) -> None:
    """Raise ValueError unless the model takes samples of this shape and suits the attack."""
    expected = getattr(attack.model, "input_shape", None)
    if isinstance(expected, (list, dict)):
        raise ValueError(
            f"`model` of {owner} must have a single input. Received: model "
            f"{attack.model.name!r} with inputs of shape {expected}."
        )
    if expected is not None:
        fits = len(expected) == x.ndim and all(
            want in (None, size) for want, size in zip(expected, x.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"`x` of {owner} must have the shape that the model takes, {expected}. "
                f"Received: x of shape {x.shape}."
            )
    # two rows: one value a sample and one value in all differ
    two = tf.constant(np.asarray(x)[[0, 0]], attack.variable_dtype)
    attack.check(two)


def _check_index(owner: str, index: Any, count: int) -> np.ndarray:
    if index is None:
        return np.arange(count, dtype=np.int64)
    index = np.asarray(index)
    if index.shape != (count,) or index.dtype.kind not in "iu":
        raise ValueError(
            f"`index` of {owner} must hold one integer a sample, shape ({count},). "
            f"Received: index of shape {index.shape} and dtype {index.dtype}."
        )
    return index.astype(np.int64)


def _attack_batch(
    attack: Attack,
    x: np.ndarray,
    y: np.ndarray | None,
    index: np.ndarray,
    seed: int,
    batch_size: int,
    trace: bool,
) -> list[tuple[str, np.ndarray]]:
    """Fields of `UAEs` for one batch; a short last batch is padded, so nothing is traced anew."""
    count = len(x)
    rows = np.minimum(np.arange(batch_size), count - 1)
    found, history = attack.search(
        tf.constant(np.asarray(x)[rows], attack.variable_dtype),
        tf.constant(index[rows]),
        tf.constant(seed, tf.int64),
        None if y is None else tf.constant(y[rows]),
        trace=trace,
    )
    fields = {**found, **{f"trace/{name}": value for name, value in history.items()}}
    return [(name, value.numpy()[:count]) for name, value in fields.items()]


def _collect(out: dict[str, np.ndarray]) -> UAEs:
    trace = {name.removeprefix("trace/"): out[name] for name in out if name.startswith("trace/")}
    return UAEs(**{name: out[name] for name in out if not name.startswith("trace/")}, trace=trace)
