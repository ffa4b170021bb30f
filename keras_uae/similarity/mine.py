"""Per-sample mutual information neural estimator (MINE), batched and exact.

Algorithm 2 of the paper trains, for every sample on its own, the statistics network of vanilla
MINE, T(u, v) = w·relu(W_x u + W_y v + b), on K pairs (u_k, v_k) by θ ← θ + η∇I(θ). All samples
of a batch are trained at once: each has its own θ, so the batch axis is written out by hand
(see `ascent`).

Features are measured in units of s, the root mean square norm of the u_k, which makes the
learning rate η and the first weights free of units. The output weights w start at zero: an
untrained network then says I = 0 instead of an accident of its draw, and all estimates of an
attack, which train equally long from the same θ₀, can be compared.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tensorflow as tf

from keras_uae._checks import By, Choice, Integer, Number, check_boolean
from keras_uae._draws import NETWORK, SHUFFLE, normal, permutations, stream
from keras_uae._settings import register
from keras_uae.similarity.ascent import DualState, PrimalState, ascend_dual, ascend_primal
from keras_uae.similarity.base import MUTUAL_INFORMATION, Similarity
from keras_uae.similarity.features import Convolution, FeatureMap

FORMS = ("auto", "dual", "primal")


@register
@dataclass(frozen=True, kw_only=True)
class MINE(Similarity):
    """Mutual information of x and z estimated sample by sample with MINE (Algorithm 2).

    Args:
        features: `FeatureMap` that makes the K pairs of samples. Defaults to `Convolution()`;
            `RandomSampling()` is the other choice of the paper.
        hidden_units: Integer H, width of the statistics network. Defaults to `10`.
        steps: Integer T_I, ascent steps of the network for an estimate. Defaults to `20`.
        learning_rate: Float η, without units (see the module). Defaults to `0.1`.
        warm_start: Boolean. False trains every estimate from the same θ₀, as Algorithm 2 is
            written: estimates of different iterations can be compared. True goes on from the θ
            of the iteration before, as the published code does: I then grows with training
            while z drives it down; choose a smaller η. Defaults to `False`.
        form: "dual", "primal" or "auto" (dual where K ≤ d'). Defaults to `"auto"`.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder, similarity=uae.similarity.MINE(steps=10))

    Reference:
        [Hsu et al., 2022](https://arxiv.org/abs/2103.01895), Algorithm 2;
        [Belghazi et al., 2018](https://arxiv.org/abs/1801.04062).
    """

    measure: ClassVar[str] = MUTUAL_INFORMATION
    features: FeatureMap = Convolution()
    hidden_units: Annotated[int, Integer(1)] = 10
    steps: Annotated[int, Integer(1)] = 20
    learning_rate: Annotated[float, Number(0)] = 0.1
    warm_start: Annotated[bool, By(check_boolean)] = False
    form: Annotated[str, Choice(FORMS)] = "auto"

    def draw(
        self, seed: tf.Tensor, shape: tf.TensorShape, iterations: int, dtype: tf.DType
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """W_x, W_y, the training shuffles of every iteration, and the shuffle I is reported with.

        All samples share them, and all estimates the last one, so that their differences are
        not the shuffle's.
        """
        dimension, count = shape
        if count < 2:
            raise ValueError(
                f"`features` of MINE must give two samples (u_k, v_k) or more to tell apart from "
                f"others; choose similarity='gaussian', which needs none. "
                f"Received: {count} of {self.features!r}."
            )
        # features have norm about 1 (see the module), so pre-activations start at about 1 too
        weights = normal(stream(seed, NETWORK), (2, 1, dimension, self.hidden_units), dtype)
        orders = permutations(stream(seed, SHUFFLE), (iterations * self.steps + 1,), count)
        training = tf.reshape(orders[:-1], [iterations, self.steps, count])
        return weights[0], weights[1], training, orders[-1]

    def init(self, drawn: Any, x: tf.Tensor, u: tf.Tensor) -> DualState | PrimalState:
        """θ₀ for every sample."""
        w_x, w_y = (tf.linalg.matrix_transpose(each) for each in drawn[:2])
        square = tf.reduce_mean(tf.reduce_sum(u**2, axis=1, keepdims=True), axis=2, keepdims=True)
        batch = tf.shape(x)[0]
        scale = tf.broadcast_to(tf.where(square > 0, tf.math.rsqrt(square), 1.0), [batch, 1, 1])
        w = tf.zeros([batch, self.hidden_units], u.dtype)
        b = tf.zeros_like(w_x[:, :, :1])
        dual = self.form == "dual" or (self.form == "auto" and u.shape[2] <= u.shape[1])
        if self.warm_start or not dual:  # W_y moves, for each sample its own way
            w_x, w_y, b = (tf.repeat(each, batch, axis=0) for each in (w_x, w_y, b))
        if dual:
            u = tf.broadcast_to(u, [batch, *u.shape[1:]])
            gram_x = scale**2 * tf.matmul(u, u, transpose_a=True) + 1
            return DualState(gram_x, scale, scale * tf.matmul(w_x, u), w_y, w)
        return PrimalState(u, scale, w_x, w_y, b, w)

    def estimate(
        self, drawn: Any, state: Any, v: tf.Tensor, t: tf.Tensor
    ) -> tuple[DualState | PrimalState, tf.Tensor]:
        """Train T_I steps, then I(θ), whose gradient in v holds θ fixed."""
        *_, training, report = drawn
        ascend = ascend_dual if isinstance(state, DualState) else ascend_primal
        trained, value = ascend(state, v, training[t], report, self.learning_rate)
        return trained if self.warm_start else state, value
