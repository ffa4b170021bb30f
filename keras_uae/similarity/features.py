"""Feature maps: what a similarity compares, K samples of dimension d' for each input.

All give features of shape `(batch, d', K)`: the layout of a convolution's output, so that none
of it is ever transposed.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from keras_uae._checks import Integer
from keras_uae._draws import PROJECTION, normal, stream
from keras_uae._model_layers import (
    example,
    first_that_sees,
    flat_layers,
    in_the_open,
    outputs_of,
)
from keras_uae._settings import Settings, register
from keras_uae._tensors import flatten, l2_norm
from keras_uae.similarity.gradients import WithGradient, by_hand

# Where δ₀ is drawn at least if the gradient at z = x is 0: from there δ would never leave
FLAT = 1e-3
_LARGEST_MATRIX = 2**30  # bytes of projections that are kept
_ROWS = 512  # of them that are there at a time, if they are not
CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3D,
    keras.layers.Conv3DTranspose,
    keras.layers.ConvLSTM1D,
    keras.layers.ConvLSTM2D,
    keras.layers.ConvLSTM3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
# What mixes all of its input: a convolution behind one of these is none of the sample
_MIXING = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.RNN)


@dataclass(frozen=True, kw_only=True)
class FeatureMap(Settings):
    """Base: which layer's output is read, and how it becomes `(batch, d', K)`.

    Example:

        >>> class Columns(uae.similarity.FeatureMap):
        ...     def __call__(self, drawn, captured):
        ...         return captured[..., 0]  # of (batch, height, width, 1): a sample each column
        >>> columns = uae.similarity.MINE(features=Columns())
        >>> attack = uae.MinMaxAttack(autoencoder, similarity=columns)
    """

    least_radius: ClassVar[float] = 0.0  # as of `Similarity`

    def source(self, model: keras.Model, x: tf.Tensor | None = None) -> keras.Layer | None:
        """The layer whose output is read, given a batch; `None` for the input itself."""
        del model, x
        return None

    def draw(self, seed: tf.Tensor, captured: tf.Tensor) -> Any:
        """What stays the same all run: random draws, and what is known of x from `captured`."""
        del seed, captured
        return ()

    def size(self, shape: tf.TensorShape) -> int:
        """Number of values d'·K that become of one captured sample of `shape`."""
        return shape.num_elements()

    def reference(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        """Features u of x itself, `(batch, d', K)`, or `(1, d', K)` if all samples share them."""
        return self(drawn, captured)

    def __call__(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        """Features `(batch, d', K)` of what was captured."""
        raise NotImplementedError


@register
@dataclass(frozen=True, kw_only=True)
class Pixels(FeatureMap):
    """The input itself, one sample of dimension d.

    Example:

        >>> uae.similarity.Cosine(features=uae.similarity.Pixels())
    """

    def __call__(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        return flatten(captured)[..., tf.newaxis]


@register
@dataclass(frozen=True, kw_only=True)
class Output(FeatureMap):
    """The model's output, one sample of dimension d.

    Example:

        >>> uae.similarity.L2(features=uae.similarity.Output())
    """

    def source(self, model: keras.Model, x: tf.Tensor | None = None) -> keras.Layer | None:
        return model

    def __call__(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        return flatten(captured)[..., tf.newaxis]


@register
@dataclass(frozen=True, kw_only=True)
class Convolution(FeatureMap):
    """The K feature maps of a convolution, the first one that sees the input by default (6.2).

    Args:
        layer: Name of the layer, at any depth. Defaults to `None`: the first convolution that
            depends on the input when the model runs, whatever stands before it but a layer that
            mixes all of its input (Dense, EinsumDense, recurrent).

    Example:

        >>> uae.similarity.MINE(features=uae.similarity.Convolution(layer="conv2d_1"))
    """

    layer: str | None = None

    def source(self, model: keras.Model, x: tf.Tensor | None = None) -> keras.Layer | None:
        if self.layer is not None:
            found = next((each for each in flat_layers(model) if each.name == self.layer), None)
        else:
            found = first_convolution(model, x)
        if found is not None:
            return found
        what = f"a layer named {self.layer!r}" if self.layer else "a convolution on the input"
        raise ValueError(
            f"`similarity` of MinMaxAttack asks for {what}, but the model has none outside of "
            f"loops and branches (while_loop, map, cond); choose similarity='gaussian', which "
            f"reads the input. "
            f"Received: model {model.name!r} with layers "
            f"{[layer.name for layer in flat_layers(model)]}."
        )

    def __call__(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        maps = captured.shape[-1]
        return tf.reshape(
            captured, [tf.shape(captured)[0], captured.shape[1:-1].num_elements(), maps]
        )


@register
@dataclass(frozen=True, kw_only=True)
class RandomSampling(FeatureMap):
    """K Gaussian random projections M_k x of the input, drawn once a run (6.2).

    Args:
        samples: Number of projections K. Defaults to `500`.
        dimension: Dimension d' of each. Defaults to `128`.

    All of them together are d·d'·K numbers. Where these take more than 1 GiB, from inputs of 4 195
    values on with the defaults, they are drawn anew in parts in every pass: slow, but in bounded
    memory. `BivariateSampling` has the same law and needs none of them.

    Example:

        >>> uae.similarity.MINE(features=uae.similarity.RandomSampling(samples=200))
    """

    samples: Annotated[int, Integer(2)] = 500
    dimension: Annotated[int, Integer(1)] = 128

    def size(self, shape: tf.TensorShape) -> int:
        return self.dimension * self.samples

    def draw(self, seed: tf.Tensor, captured: tf.Tensor) -> Any:
        key, width = stream(seed, PROJECTION), self.dimension * self.samples
        count = captured.shape[1:].num_elements()
        if count * width * captured.dtype.size > _LARGEST_MATRIX:
            return key  # as a whole it is never there
        return normal(key, (count, width), captured.dtype) / self.dimension

    def __call__(self, drawn: Any, captured: tf.Tensor) -> tf.Tensor:
        x, width = flatten(captured), self.dimension * self.samples
        if drawn.shape.rank == 2:
            product = x @ drawn
        else:
            product = projected(x, drawn, tf.constant(width)) / self.dimension
        return tf.reshape(product, [-1, self.dimension, self.samples])


@by_hand
def projected(x: tf.Tensor, key: tf.Tensor, width: tf.Tensor) -> WithGradient:
    """x·M, `(batch, width)`, for a matrix M of normal draws of which a part exists at a time."""
    size, dtype = x.shape[1], x.dtype

    def rows(start: tf.Tensor) -> tf.Tensor:
        """Rows `start` to `start` + _ROWS of M."""
        return normal(tf.random.fold_in(key, start), (_ROWS, width), dtype)

    starts = tf.range(0, size, _ROWS)
    count = -(-size // _ROWS)
    padded = tf.pad(x, [[0, 0], [0, -size % _ROWS]])

    def add(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, total + padded[:, starts[i] : starts[i] + _ROWS] @ rows(starts[i])

    zero = tf.zeros([tf.shape(x)[0], width], dtype)
    _, value = tf.while_loop(lambda i, _: i < count, add, (0, zero), parallel_iterations=1)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        parts = tf.map_fn(
            lambda start: tf.matmul(upstream, rows(start), transpose_b=True),
            starts,
            fn_output_signature=dtype,
            parallel_iterations=1,
        )
        on_x = tf.reshape(tf.transpose(parts, [1, 0, 2]), tf.shape(padded))
        return on_x[:, :size], None, None

    return value, gradient


class Plane(NamedTuple):
    """What `BivariateSampling` draws, and x."""

    directions: tf.Tensor  # (2, d', K): a_k and b_k
    x: tf.Tensor  # (batch, d)
    square: tf.Tensor  # (batch, 1): ‖x‖², 1 where x is all zeros


@register
@dataclass(frozen=True, kw_only=True)
class BivariateSampling(RandomSampling):
    """Random projections of x and z with the law of `RandomSampling`, and without projecting.

    Write z = p·x̂ + q·ẑ⊥, x̂ the direction of x and ẑ⊥ that of the rest of z. Then
    M_k x = ‖x‖·a_k and M_k z = p·a_k + q·b_k with a_k = M_k x̂ and b_k = M_k ẑ⊥, which are
    independent Gaussian vectors, whatever x and z. They are drawn here in place of M_k, once for
    all samples: the d·d'·K numbers of the projection become two coordinates a sample. All is
    measured in units of ‖x‖.

    An estimate has the law of the literal one, and its gradient is the literal one's expectation
    over what M_k does outside the plane of x and z. From z = x no plane is known: the gradient
    along q is 0 there.

    Args:
        samples: Number of projections K. Defaults to `500`.
        dimension: Dimension d' of each. Defaults to `128`.

    Example:

        >>> uae.similarity.MINE(features=uae.similarity.BivariateSampling(samples=200))
    """

    least_radius: ClassVar[float] = FLAT

    def draw(self, seed: tf.Tensor, captured: tf.Tensor) -> Plane:
        size = (2, self.dimension, self.samples)
        directions = normal(stream(seed, PROJECTION), size, captured.dtype) / self.dimension
        x = flatten(captured)
        square = tf.reduce_sum(x**2, axis=1, keepdims=True)
        return Plane(directions, x, tf.where(square != 0, square, 1.0))

    def reference(self, drawn: Plane, captured: tf.Tensor) -> tf.Tensor:
        return drawn.directions[:1]

    def __call__(self, drawn: Plane, captured: tf.Tensor) -> tf.Tensor:
        z, x = flatten(captured), drawn.x
        along = tf.reduce_sum(x * z, axis=1, keepdims=True) / drawn.square
        apart = l2_norm(z - along * x)[:, tf.newaxis] / tf.sqrt(drawn.square)
        plane = tf.concat([along, apart], axis=1)
        return tf.reshape(
            plane @ tf.reshape(drawn.directions, [2, -1]), [-1, self.dimension, self.samples]
        )


def first_convolution(model: keras.Model, x: tf.Tensor | None = None) -> keras.Layer | None:
    """The first convolution that sees the input, unless a layer that mixes all of it comes first.

    One inside a loop or a branch of a graph, which cannot be read, is none.

    Args:
        model: Built `keras.Model`.
        x: Batch of samples. Defaults to `None`: zeros of the shape that the model takes.
    """
    x = example(model) if x is None else x
    if x is None:
        raise ValueError(
            f"`x` must be given to find the first convolution of a model that knows no shape of "
            f"its input. Received: model {model.name!r}."
        )
    found = first_that_sees(model, x, lambda layer: isinstance(_inner(layer), _KERNELS))
    if found is None or not isinstance(_inner(found), CONVOLUTIONS):
        return None
    return found if in_the_open(found, model, x) else None


def too_small(layer: keras.Layer, model: keras.Model, x: tf.Tensor) -> bool:
    """Whether the maps of a convolution are too few or too small for MINE, or not of a sample."""
    if getattr(_inner(layer), "data_format", None) == "channels_first":
        return True  # the last axis are no maps
    seen, place = outputs_of(layer, model, x)
    maps = seen[place].shape
    return maps[0] != x.shape[0] or maps[-1] < 2 or maps[1:-1].num_elements() < 2


_KERNELS = (*CONVOLUTIONS, *_MIXING)


def _inner(layer: keras.Layer | None) -> keras.Layer | None:
    """What a wrapper (TimeDistributed, SpectralNormalization, …) wraps; others as they are."""
    while isinstance(layer, keras.layers.Wrapper):
        layer = layer.layer
    return layer
