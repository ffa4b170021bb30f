"""Random views of images, as contrastive learning compares them: crop, flip, color jitter, gray.

Everything is a pure, differentiable function of the images and of parameters that are drawn
without state. A crop, its resizing and the flip are two matrix products, rows and columns; every
change of the colors is a product with a small matrix.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import tensorflow as tf

from keras_uae._checks import By, Number, check_bounds, check_tensor
from keras_uae._draws import permutations
from keras_uae._settings import Settings, register

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class Views(NamedTuple):
    """What `ViewAugmentation.draw` draws: `(count, ...)`, one row a view."""

    rows: (
        tf.Tensor
    )  # (count, height, height): what of each row of the image is in a row of the view
    columns: tf.Tensor  # (count, width, width)
    colors: (
        tf.Tensor
    )  # (count, steps, channels, channels): factors of the pixels, one step on another
    contrast: tf.Tensor  # (count, steps): how much of the mean luminance a step adds


@register
@dataclass(frozen=True, kw_only=True)
class ViewAugmentation(Settings):
    """The views of SimCLR for small images: crop and resize, flip, color jitter, gray.

    There is no blur, as the published runs on CIFAR-10 have none. `draw` draws the parameters of
    views from a stateless key, `apply` makes the views, differentiable in the images.

    Crops are resized bilinearly. Brightness, contrast, saturation and hue are changed in random
    order, with all values kept inside `bounds`; saturation mixes an image with its luminance, and
    hue turns the colors about the gray axis. Images have one channel or three; with one there is no
    saturation, hue or gray.

    Args:
        min_area: Float in (0, 1], least area of a crop as a part of the image; the most is all of
            it. Defaults to `0.08`.
        max_ratio: Float ≥ 1, how much the sides of a crop differ at most from the image's own
            ratio. Defaults to `4 / 3`.
        flip_probability: Float, of a horizontal flip. Defaults to `0.5`.
        color_jitter_strength: Float s ≥ 0: brightness, contrast and saturation get factors in
            1 ± 0.8·s, hue turns by up to ±0.2·s of a full turn. Defaults to `0.5`.
        color_jitter_probability: Float. Defaults to `0.8`.
        grayscale_probability: Float. Defaults to `0.2`.
        bounds: Pair of floats, lowest and highest value of the images. Defaults to `(0, 1)`.

    Example:

        >>> augmentation = uae.ViewAugmentation()
        >>> views = augmentation(images, seed=0)  # one view of each image

    Reference:
        [Chen et al., 2020](https://arxiv.org/abs/2002.05709), appendix A.
    """

    min_area: Annotated[float, Number(1e-6, 1)] = 0.08
    max_ratio: Annotated[float, Number(1)] = 4 / 3
    flip_probability: Annotated[float, Number(0, 1)] = 0.5
    color_jitter_strength: Annotated[float, Number(0)] = 0.5
    color_jitter_probability: Annotated[float, Number(0, 1)] = 0.8
    grayscale_probability: Annotated[float, Number(0, 1)] = 0.2
    bounds: Annotated[tuple[float, float], By(check_bounds)] = (0.0, 1.0)

    def __call__(self, images: Any, seed: Any) -> tf.Tensor:
        """One view of each of the `images`, `(batch, height, width, channels)`.

        `seed` is a pair of integers, the key of the draws, or one integer. Images of integers are
        taken as float32. Values outside `bounds` are refused, inside a `tf.function` when it runs;
        so are integers where `bounds` are (0, 1).
        """
        images = check_tensor(type(self).__name__, images, bounds=self.bounds, name="images")
        images = images if images.dtype.is_floating else tf.cast(images, tf.float32)
        key = tf.cast(seed, tf.int64)
        key = key if key.shape.rank else tf.stack([key, tf.zeros_like(key)])
        views = self.draw(key, tf.shape(images)[0], images.shape[1:], images.dtype)
        return self.apply(images, views)

    def draw(
        self, key: tf.Tensor, count: Any, shape: tf.TensorShape, dtype: tf.DType = tf.float32
    ) -> Views:
        """The parameters of `count` views of images of `shape`, a function of `key`."""
        height, width, channels = check_image_shape(type(self).__name__, shape)
        dtype = tf.as_dtype(dtype)
        dtype = dtype if dtype.is_floating else tf.float32
        keys = (tf.random.fold_in(key, purpose) for purpose in range(100))

        def uniform(low: Any = 0.0, high: Any = 1.0) -> tf.Tensor:
            return tf.random.stateless_uniform([count], next(keys), low, high, dtype)

        area = uniform(self.min_area, 1.0)
        # no side of the crop may be longer than that of the image
        most = tf.minimum(tf.cast(math.log(self.max_ratio), dtype), -tf.math.log(area))
        ratio = tf.exp(uniform(-1.0, 1.0) * most)
        rows = _resize(uniform(), tf.sqrt(area / ratio), height)
        columns = _resize(uniform(), tf.sqrt(area * ratio), width)
        flip = uniform() < self.flip_probability
        columns = tf.where(flip[:, None, None], tf.reverse(columns, [1]), columns)
        if not (self.color_jitter_strength and self.color_jitter_probability) and not (
            self.grayscale_probability
        ):
            none = tf.zeros([count, 0, channels, channels], dtype)
            return Views(rows, columns, none, none[..., 0, 0])

        jitter = uniform() < self.color_jitter_probability
        spread = 0.8 * self.color_jitter_strength
        brightness, contrast, saturation = (
            tf.where(jitter, uniform(max(0.0, 1 - spread), 1 + spread), 1.0) for _ in range(3)
        )
        reach = 0.2 * self.color_jitter_strength
        turn = tf.where(jitter, uniform(-reach, reach), 0.0)
        gray = tf.cast(uniform() >= self.grayscale_probability, dtype)
        eye = tf.eye(channels, dtype=dtype)
        scale = brightness[:, None, None] * eye, contrast[:, None, None] * eye
        matrices = tf.stack([*scale, _saturate(saturation, channels), _hue(turn, channels)], 1)
        added = tf.stack([tf.zeros_like(contrast), 1 - contrast] + 2 * [tf.zeros_like(turn)], 1)
        order = permutations(next(keys), (count,), 4)
        matrices, added = (
            tf.gather(each, order, axis=1, batch_dims=1) for each in (matrices, added)
        )
        colors = tf.concat([matrices, _saturate(gray, channels)[:, None]], 1)
        return Views(rows, columns, colors, tf.pad(added, [[0, 0], [0, 1]]))

    def apply(self, images: tf.Tensor, views: Views) -> tf.Tensor:
        """The views of `images`, `(..., height, width, channels)`, differentiable in them.

        The axes in front of the images and in front of the views are broadcast: `images[:, None]`
        and the views of `draw` give every view of every image.
        """
        low, high = self.bounds
        if not tf.as_dtype(images.dtype).is_floating:
            images = check_tensor(type(self).__name__, images, bounds=self.bounds, name="images")
            images = tf.cast(images, views.rows.dtype)
        x = (images - low) / (high - low)
        x = tf.einsum("...oi,...ijc->...ojc", views.rows, x)
        x = tf.einsum("...pj,...ojc->...opc", views.columns, x)
        for step in range(views.colors.shape[-3]):
            mean = tf.reduce_mean(x * _luma(x.shape[-1], x.dtype), axis=[-3, -2, -1]) * x.shape[-1]
            added = (views.contrast[..., step] * mean)[..., None, None, None]
            x = tf.einsum("...hwc,...cd->...hwd", x, views.colors[..., step, :, :]) + added
            x = tf.clip_by_value(x, 0.0, 1.0)
        return low + (high - low) * x


def check_augmentation(owner: str, name: str, value: Any) -> ViewAugmentation:
    """Return `value` if it is a `ViewAugmentation`."""
    if not isinstance(value, ViewAugmentation):
        raise ValueError(
            f"`{name}` of {owner} must be a ViewAugmentation. Received: {name}={value!r}."
        )
    return value


def check_image_shape(owner: str, shape: Any) -> tuple[int, int, int]:
    """Return (height, width, channels), the shape of an image, or raise ValueError."""
    sizes = tuple(shape)
    if len(sizes) != 3 or None in sizes or sizes[-1] not in (1, 3):
        raise ValueError(
            f"The images of {owner} must have the shape (height, width, 1) or (height, width, 3). "
            f"Received: images of shape {sizes}."
        )
    return sizes


def _resize(place: tf.Tensor, size: tf.Tensor, pixels: int) -> tf.Tensor:
    """Bilinear weights `(count, pixels, pixels)` that stretch a part of an axis to all of it.

    `size` is that of the part, and `place` where it lies, from 0 to 1.
    """
    size = tf.maximum(size * pixels, 1.0)[:, None]
    start = place[:, None] * (pixels - size)
    grid = tf.range(pixels, dtype=size.dtype)
    at = tf.clip_by_value(start + (grid + 0.5) * size / pixels - 0.5, start, start + size - 1)
    return tf.nn.relu(1 - tf.abs(at[..., None] - grid))


def _luma(channels: int, dtype: tf.DType) -> tf.Tensor:
    return tf.constant(_LUMA if channels == 3 else (1.0,), dtype)


def _saturate(factor: tf.Tensor, channels: int) -> tf.Tensor:
    """Matrices that keep so much of the color, and of the luminance all."""
    factor = factor[:, None, None]
    luminance = tf.tile(_luma(channels, factor.dtype)[:, None], [1, channels])
    return factor * tf.eye(channels, dtype=factor.dtype) + (1 - factor) * luminance


def _hue(turn: tf.Tensor, channels: int) -> tf.Tensor:
    """Rotations about the gray axis by so many turns; a third takes red to green to blue."""
    angle = 2 * math.pi * turn[:, None, None]
    eye = tf.eye(channels, dtype=turn.dtype)
    if channels == 1:
        return tf.ones_like(angle) * eye
    cross = tf.constant([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], turn.dtype) / math.sqrt(3)
    return tf.cos(angle) * eye + (1 - tf.cos(angle)) / 3 + tf.sin(angle) * cross
