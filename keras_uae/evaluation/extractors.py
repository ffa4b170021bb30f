"""Features of images by a Keras model, and how far two sets of images are apart in them."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from keras_uae._checks import check_bounds, check_integer, check_samples
from keras_uae._inputs import check_representable
from keras_uae._model_layers import EVALUATE_ONE, check_one_input
from keras_uae.evaluation.distances import KernelDistance, frechet_distance, kernel_distance


class FeatureDistances(NamedTuple):
    """`frechet_distance` and `kernel_distance` of two sets of images.

    Example:

        >>> feature_distances(x_train, found.x, penultimate(classifier)).frechet
    """

    frechet: float
    kernel: KernelDistance


def feature_distances(
    x: Any,
    z: Any,
    extractor: keras.Model,
    *,
    subsets: int = 100,
    subset_size: int | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> FeatureDistances:
    """How far two sets of images are apart in the features of a model, as in Tables 2 and 8.

    FID and KID if the model is `inception_v3`. With any other model, say `penultimate` of a
    classifier, the figures are of the same kind and can be compared with each other, but not with
    published ones.

    Args:
        x, z: Arrays `(n, ...)` and `(m, ...)`, for instance training images and examples found.
        extractor: Model that gives one tensor of features; of more than one axis, they are
            flattened.
        subsets, subset_size, seed: As in `kernel_distance`.
        batch_size: Integer, images a call of the model. Defaults to `64`.

    Returns:
        `FeatureDistances` with `frechet`, a float, and `kernel`, with its `mean` and `std`.

    Example:

        >>> distances = feature_distances(x_train, found.x, penultimate(classifier))
        >>> distances.frechet, distances.kernel.mean
    """
    a, b = (
        extract_features(extractor, images, batch_size=batch_size, name=name)
        for name, images in (("x", x), ("z", z))
    )
    kernel = kernel_distance(a, b, subsets=subsets, subset_size=subset_size, seed=seed)
    return FeatureDistances(frechet_distance(a, b), kernel)


def extract_features(
    extractor: keras.Model, x: Any, *, batch_size: int = 64, name: str = "x"
) -> np.ndarray:
    """The outputs of `extractor` at inference, one row a sample, `(n, d)`.

    Args:
        extractor: Model with one output.
        x: Array `(n, ...)`; for `inception_v3` inside its `bounds`: 8-bit images are refused unless
            these are (0, 255).
        batch_size: Integer, samples a call of the model. Defaults to `64`.
        name: What messages call `x`.

    Example:

        >>> extract_features(penultimate(classifier), x).shape  # (n, d)
    """
    owner = "extract_features"
    check_one_input(owner, extractor, EVALUATE_ONE)
    bounds = getattr(extractor, "bounds", (-np.inf, np.inf))
    x = check_samples(owner, x, bounds=bounds, name=name)
    check_representable(owner, x, name=name)
    size = check_integer(owner, "batch_size", batch_size, 1)
    rows = []
    with keras.StatelessScope():  # leaves the generators of noise as they were
        for start in range(0, len(x), size):
            batch = np.asarray(x[start : start + size], np.float32)
            outputs = keras.tree.flatten(extractor(batch, training=False))
            if len(outputs) != 1:
                raise ValueError(
                    f"`extractor` of {owner} must have one output. "
                    f"Received: extractor {extractor.name!r} with {len(outputs)} outputs."
                )
            rows.append(keras.ops.convert_to_numpy(outputs[0]).reshape(len(batch), -1))
    return np.concatenate(rows)


def penultimate(model: keras.Model) -> keras.Model:
    """The part of a classifier up to the input of its last `Dense` layer, as an extractor.

    It is not Inception: distances in its features compare with each other, not with published FID
    and KID. It shares the weights of `model`.

    Args:
        model: Functional or sequential model with a `Dense` layer.

    Example:

        >>> extractor = penultimate(classifier)
    """
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    if not dense or not getattr(model, "inputs", None):
        raise ValueError(
            "`model` of penultimate must be a functional or sequential model, built, with a Dense "
            f"layer. Received: model {model.name!r} with layers "
            f"{', '.join(type(layer).__name__ for layer in model.layers)}."
        )
    met: list[keras.KerasTensor] = []

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if layer is dense[-1]:
            met.append(args[0])
        return layer(*args, **kwargs)

    # its `input` is what the layer met first, which may have been in another model
    same = keras.models.clone_model(
        keras.Model(model.inputs, model.outputs),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    inputs = same.inputs[0] if len(same.inputs) == 1 else same.inputs
    return keras.Model(inputs, met[-1], name=f"{model.name}_penultimate")


def inception_v3(
    input_shape: Sequence[int],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    weights: str | os.PathLike = "imagenet",
) -> keras.Model:
    """Inception v3 up to its last pooling, 2048 features, the extractor of FID and KID.

    Images are scaled to [−1, 1] and resized to 299×299; grey ones become three equal channels. The
    network and weights are those of `keras.applications`. Published figures are mostly of
    TensorFlow's original graph, whose weights and resizing differ: expect close ones, not equal.

    Args:
        input_shape: Shape of one image, `(height, width, channels)` with 1 or 3 channels.
        bounds: Pair of floats, lowest and highest value of the images, (0, 255) for 8-bit ones;
            `extract_features` refuses other values. Defaults to `(0, 1)`.
        weights: "imagenet", which Keras downloads once (88 MB), or the path of such a file.
            Defaults to `"imagenet"`.

    Raises:
        OSError: The weights cannot be downloaded or read.

    Example:

        >>> extractor = inception_v3((32, 32, 3))
        >>> distances = feature_distances(x_train, found.x, extractor)
    """
    owner = "inception_v3"
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise ValueError(
            f"`input_shape` of {owner} must be (height, width, channels) with 1 or 3 channels. "
            f"Received: input_shape={input_shape!r}."
        )
    low, high = check_bounds(owner, "bounds", bounds)
    try:
        network = keras.applications.InceptionV3(
            include_top=False,
            pooling="avg",
            weights=os.fspath(weights),
            input_shape=(299, 299, 3),
        )
    except Exception as error:  # Keras raises the bare class when a download fails
        raise OSError(
            f"`weights` of {owner} could not be loaded: {error}. Without access to the network, "
            "give the path of inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5, or take "
            f"another extractor, such as `penultimate`. Received: weights={weights!r}."
        ) from error
    inputs = keras.Input(input_shape)
    scale = 2 / (high - low)
    images = layers.Rescaling(scale, -1 - scale * low)(inputs)
    if input_shape[2] == 1:
        images = layers.Concatenate()([images] * 3)
    images = layers.Resizing(299, 299)(images)
    extractor = keras.Model(inputs, network(images), name=owner)
    extractor.bounds = low, high  # for `extract_features`
    return extractor
