"""ResNet for small images, as SimCLR trains it on CIFAR-10, and the projection head."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import layers

from keras_uae._checks import check_choice, check_integer
from models.seeds import drawn_seeds
from models.shapes import check_input_shape

# residual blocks at each of the four resolutions
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def resnet(
    input_shape: Sequence[int] = (32, 32, 3),
    *,
    depth: int = 18,
    width: int = 64,
    seed: int = 0,
    name: str = "resnet",
) -> keras.Model:
    """Build a ResNet with the CIFAR stem: one 3×3 convolution, no stride and no pooling.

    Two 3×3 convolutions a block, batch normalization, the last scale of a block 0 at first, so that
    a block starts as its shortcut. The features are the averages of the last maps.

    Args:
        input_shape: Shape of one image, `(height, width, channels)`.
        depth: 10, 18 or 34, layers with weights. Defaults to `18`.
        width: Integer, maps of the stem; the features are 8 times as many. Defaults to `64`.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model from images in [0, 1] to features `(batch, 8 · width)`.

    Reference:
        [He et al., 2016](https://arxiv.org/abs/1512.03385).
    """
    shape = check_input_shape("resnet", input_shape, rank=3)
    blocks = BLOCKS[int(check_choice("resnet", "depth", str(depth), map(str, BLOCKS)))]
    width = check_integer("resnet", "width", width, 1)
    starts = _initializers(seed)

    inputs = keras.Input(shape)
    x = _convolution(inputs, width, 3, 1, starts, name="stem")
    x = layers.ReLU()(_normalize(x))
    for group, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if group and not block else 1
            x = _block(x, width * 2**group, stride, starts, project=not block)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="features")(x), name=name)


def projection_head(
    features: int,
    *,
    units: int | None = None,
    outputs: int = 128,
    seed: int = 0,
    name: str = "projection_head",
) -> keras.Model:
    """Build Dense, batch normalization, ReLU → Dense, batch normalization without an offset.

    Args:
        features: Integer, features of the encoder.
        units: Integer, hidden units. Defaults to `None`: as many as features.
        outputs: Integer, dimension of the projections. Defaults to `128`.
        seed: Integer, fixes the initial weights.
        name: Name of the model.

    Returns:
        An uncompiled model from features to the projections that NT-Xent compares.
    """
    owner = "projection_head"
    features = check_integer(owner, "features", features, 1)
    units = features if units is None else check_integer(owner, "units", units, 1)
    outputs = check_integer(owner, "outputs", outputs, 2)
    starts = (keras.initializers.RandomNormal(0.0, 0.01, seed) for seed in drawn_seeds(owner, seed))

    inputs = keras.Input((features,))
    x = layers.Dense(units, use_bias=False, kernel_initializer=next(starts))(inputs)
    x = layers.ReLU()(_normalize(x))
    x = layers.Dense(outputs, use_bias=False, kernel_initializer=next(starts))(x)
    return keras.Model(inputs, _normalize(x, center=False), name=name)


def _block(
    x: Any,
    filters: int,
    stride: int,
    starts: Iterator[keras.initializers.Initializer],
    project: bool,
) -> Any:
    shortcut = x
    if project:
        shortcut = _normalize(_convolution(x, filters, 1, stride, starts))
    x = layers.ReLU()(_normalize(_convolution(x, filters, 3, stride, starts)))
    x = _normalize(_convolution(x, filters, 3, 1, starts), gamma_initializer="zeros")
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _convolution(
    x: Any,
    filters: int,
    size: int,
    stride: int,
    starts: Iterator[keras.initializers.Initializer],
    **settings: Any,
) -> Any:
    padding = "same"
    if stride > 1:
        # "same" would pad even sizes on one side alone
        x, padding = layers.ZeroPadding2D(size // 2)(x) if size > 1 else x, "valid"
    return layers.Conv2D(
        filters, size, stride, padding, use_bias=False, kernel_initializer=next(starts), **settings
    )(x)


def _normalize(x: Any, **settings: Any) -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **settings)(x)


def _initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
    for drawn in drawn_seeds("resnet", seed):
        yield keras.initializers.LecunNormal(drawn)
