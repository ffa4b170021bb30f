"""Every random draw: stateless, from a seed and a purpose, the same on CPU and GPU (without XLA).

TensorFlow chooses Philox on both, and scrambles a seed in one operation. Asked for alg="philox", it
does that in some fifteen: a third of the time of the draws in which an attack starts.
"""

import tensorflow as tf

# One purpose, one stream: a draw never shares its numbers with another.
DELTA, NETWORK, SHUFFLE, PROJECTION, VIEWS, PRIOR, NOISE = range(7)


def stream(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """The key of a purpose's own stream under `seed` (an integer scalar)."""
    base = tf.stack([tf.cast(seed, tf.int64), tf.constant(0, tf.int64)])
    return tf.random.fold_in(base, purpose)


def normal(key: tf.Tensor, shape: tuple[int, ...], dtype: tf.DType) -> tf.Tensor:
    """Standard normal draws of `shape`."""
    return tf.random.stateless_normal(shape, key, dtype=dtype)


def per_sample_uniform(
    index: tf.Tensor, shape: tf.TensorShape, radius: float, seed: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Uniform draws in ±radius, `(batch, *shape)`, a function of (seed, index) row by row."""
    key = stream(seed, DELTA)

    def draw(i: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, tf.random.fold_in(key, i), -radius, radius, dtype)

    # the draw depends on the integer type of i as well
    index = tf.cast(index, tf.int64)
    return tf.map_fn(draw, index, fn_output_signature=tf.TensorSpec(shape, dtype))


def permutations(key: tf.Tensor, count: tuple[int, ...], size: int) -> tf.Tensor:
    """Uniformly random permutations of `size` items, int32 of shape `(*count, size)`."""
    draws = tf.random.stateless_uniform((*count, size), key)
    return tf.argsort(draws, axis=-1, stable=True)
