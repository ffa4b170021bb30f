"""What the loop of the attack asks of a similarity."""

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from keras_uae._settings import Settings
from keras_uae.similarity.features import FeatureMap, Pixels

MUTUAL_INFORMATION = "mutual information"


@dataclass(frozen=True, kw_only=True)
class Similarity(Settings):
    """How alike x and z are, sample by sample, as a differentiable function of z's features.

    A similarity holds settings only. What changes from one iteration to the next is a `state`
    that the loop threads through: any nest of tensors with the batch in front, whose shapes and
    dtypes stay the same. Subclasses override what they need; `estimate` always.

    Args:
        features: `FeatureMap` that gives u of x and v of z, both `(batch, d', K)`.

    Example:

        >>> class Product(uae.similarity.Similarity):
        ...     def estimate(self, drawn, state, v, t):
        ...         return state, tf.reduce_sum(state * v, axis=[1, 2])
        >>> found = uae.MinMaxAttack(autoencoder, similarity=Product()).generate(x)
    """

    measure: ClassVar[str] = "similarity"  # what `estimate` gives, in words
    least_radius: ClassVar[float] = 0.0  # half width of δ₀ at least, as a fraction of the range
    features: FeatureMap = Pixels()

    @property
    def power(self) -> int:
        """The value is in the units of the data to this power, by which an attack divides it."""
        return 0

    def draw(self, seed: tf.Tensor, shape: tf.TensorShape, iterations: int, dtype: tf.DType) -> Any:
        """Random numbers shared by all samples of a run; `shape` is (d', K)."""
        del seed, shape, iterations, dtype
        return ()

    def init(self, drawn: Any, x: tf.Tensor, u: tf.Tensor) -> Any:
        """State before the first iteration."""
        del drawn, x
        return u

    def estimate(self, drawn: Any, state: Any, v: tf.Tensor, t: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """The next state, and the similarity `(batch,)` at iteration t (from 0).

        The value is differentiated with respect to v. An estimator trains here as well, on
        `tf.stop_gradient(v)`.
        """
        raise NotImplementedError
