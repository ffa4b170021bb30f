"""The robust MNIST classifier that TRADES (Zhang et al., 2019) published, its weights for Keras."""

import os
import zipfile

import keras
import numpy as np
from keras import layers

from models.classifiers import mnist_classifier

# What its PyTorch module calls the layers with weights, in the order of ours.
_LAYERS = (
    *(f"feature_extractor.conv{number}" for number in (1, 2, 3, 4)),
    *(f"classifier.fc{number}" for number in (1, 2, 3)),
)


def load_trades_classifier(
    path: str | os.PathLike, *, name: str = "trades_classifier"
) -> keras.Model:
    """Build the SmallCNN of TRADES, which has the layers of `mnist_classifier`, with its weights.

    Args:
        path: An `.npz` file with the arrays of the published `state_dict`, under its names and in
            its order of axes: convolutions (output, input, height, width), dense layers (output,
            input), the first of these for features flattened as (channel, height, width).
        name: Name of the model.

    Returns:
        An uncompiled model on images 28×28×1 in [0, 1], its output the logits.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It does not hold these arrays.

    Reference:
        [Zhang et al., 2019](https://arxiv.org/abs/1901.08573).
    """
    arrays = _read(path)
    model = mnist_classifier((28, 28, 1), name=name)
    weighted = [layer for layer in model.layers if layer.weights]
    shapes = {}
    for key, layer in zip(_LAYERS, weighted, strict=True):
        *window, inputs, outputs = layer.kernel.shape
        shapes[f"{key}.weight"] = (outputs, inputs, *window)
        shapes[f"{key}.bias"] = (outputs,)
    _check_arrays(arrays, shapes)
    height, width, channels = next(
        layer.input.shape[1:] for layer in model.layers if isinstance(layer, layers.Flatten)
    )
    for key, layer in zip(_LAYERS, weighted, strict=True):
        kernel, bias = arrays[f"{key}.weight"], arrays[f"{key}.bias"]
        if kernel.ndim == 2 and kernel.shape[1] == height * width * channels:
            # as the convolution over all of the last maps that it is
            kernel = kernel.reshape(-1, channels, height, width)
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
            layer.set_weights([kernel.reshape(layer.kernel.shape), bias])
        else:
            layer.set_weights([kernel.T, bias])
    return model


def _read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file.items())
    except (EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`path` of load_trades_classifier must be an .npz file of plain arrays. "
            f"Received: path={os.fspath(path)!r} ({error})."
        ) from error


def _check_arrays(arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless `arrays` are finite numbers of these names and shapes."""
    expected = "must be a file with the arrays of the published state_dict"
    if set(arrays) != set(shapes):
        missing, surplus = sorted(set(shapes) - set(arrays)), sorted(set(arrays) - set(shapes))
        raise ValueError(
            f"`path` of load_trades_classifier {expected}. "
            f"Received: without {missing}, and beside them {surplus}."
        )
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(
                f"`path` of load_trades_classifier {expected}: {name} has shape {shape} and finite "
                f"values. Received: {name} of shape {array.shape} and dtype {array.dtype}"
                f"{'' if array.shape != shape else ', not all finite'}."
            )
