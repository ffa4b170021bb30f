"""Figures of Tables 2 to 4: reconstruction error and attack success rate (ASR)."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import check_integer, check_samples
from keras_uae._inputs import check_representable
from keras_uae._model_layers import EVALUATE_ONE, as_model, check_one_input
from keras_uae.criteria import Criterion, check_criterion
from keras_uae.criteria.reconstruction import doubts_of


def reconstruction_error(model: keras.Model, x: Any, *, batch_size: int = 256) -> float:
    """Mean squared error of the reconstruction per input dimension, the error of Table 4.

    Args:
        model: Autoencoder, or a function of tensors that restores them.
        x: Array `(n, ...)`.
        batch_size: Integer. Defaults to `256`.

    Returns:
        Float, summed in double precision.

    Example:

        >>> uae.reconstruction_error(autoencoder, x_test)
    """
    check_one_input("reconstruction_error", model, EVALUATE_ONE)
    x = check_samples("reconstruction_error", x, bounds=(-np.inf, np.inf))
    check_representable("reconstruction_error", x, name="x")
    model, total = as_model(model), 0.0
    with keras.StatelessScope():  # leaves the generators of noise as they were
        for number, batch in enumerate(_batches(x, batch_size)):
            output = restored(model, batch, "reconstruction_error")
            if number == 0:
                ends = min(batch.min(), 0), max(batch.max(), 1)
                for each in doubts_of(model, output, batch, *ends):
                    warnings.warn(each, stacklevel=2)
            total += float(np.sum((output.numpy().astype(np.float64) - batch) ** 2))
    return total / x.size


def restored(model: keras.Model, batch: np.ndarray, owner: str) -> tf.Tensor:
    """What an autoencoder gives back for a batch, or ValueError if it is of another shape."""
    outputs = keras.tree.flatten(model(batch, training=False))
    if [output.shape for output in outputs] != [batch.shape]:
        way = "; of several outputs give the function of one, lambda x: model(x)[0]"
        raise ValueError(
            f"`model` of {owner} must give back the shape of its input, {batch.shape[1:]}"
            f"{way if len(outputs) > 1 else ''}. Received: model {model.name!r} with output shape "
            f"{', '.join(str(output.shape[1:]) for output in outputs)}."
        )
    return outputs[0]


def criterion_values(criterion: Criterion, x: Any, z: Any, *, batch_size: int = 256) -> np.ndarray:
    """f_x(z) of every pair of samples, `(n,)`; `criterion` may be a function of tensors, too.

    Example:

        >>> uae.criterion_values(uae.Reconstruction(autoencoder), x, found.x)
    """
    check_one_input("criterion_values", getattr(criterion, "model", None), EVALUATE_ONE)
    x = check_samples("criterion_values", x, bounds=(-np.inf, np.inf))
    z = check_samples("criterion_values", z, bounds=(-np.inf, np.inf), name="z")
    for name, samples in {"x": x, "z": z}.items():
        check_representable("criterion_values", samples, name=name)
    if x.shape != z.shape:
        raise ValueError(
            f"`z` of criterion_values must have the shape of `x`, {x.shape}. "
            f"Received: z of shape {z.shape}."
        )
    criterion, values = check_criterion("criterion_values", "criterion", criterion), []
    with keras.StatelessScope():  # as above
        for a, b in zip(_batches(x, batch_size), _batches(z, batch_size), strict=True):
            values.append(np.asarray(criterion(a, b)))
            if values[-1].shape != a.shape[:1]:
                raise ValueError(
                    f"`criterion` of criterion_values must give one value a sample, shape "
                    f"(batch,). Received: shape {values[-1].shape} for a batch of {len(a)}."
                )
    return np.concatenate(values)


def success_rate(criterion: Criterion, x: Any, z: Any, *, batch_size: int = 256) -> float:
    """ASR of any augmentation z of x: the fraction with f_x(z) ≤ 0 (Table 4).

    A z that equals its x has f_x(z) = κ and counts as a success for κ = 0; an attack does not
    count it. So of `UAEs` give the rows with an example: x[found.success], found.x[found.success].

    Example:

        >>> uae.success_rate(uae.Reconstruction(autoencoder), x, uae.gaussian_noise(x, 0.01))
    """
    return float(np.mean(criterion_values(criterion, x, z, batch_size=batch_size) <= 0))


def _batches(x: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    size = check_integer("evaluation", "batch_size", batch_size, 1)
    return (np.asarray(x[i : i + size], np.float32) for i in range(0, len(x), size))
