"""The contrastive loss of SimCLR, and the attack criterion that is made of it."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_uae._checks import By, Integer, Number, Seed, check_number
from keras_uae._draws import VIEWS, stream
from keras_uae._settings import register
from keras_uae.criteria.base import Criterion, check_rows, evaluated_model
from keras_uae.criteria.views import ViewAugmentation, check_augmentation, check_image_shape


def nt_xent(first: Any, second: Any, temperature: float = 0.5) -> tf.Tensor:
    """Normalized temperature-scaled cross-entropy (NT-Xent) of pairs of views.

    Each of the 2n projections is to find its partner among the 2n − 1 others by their cosine
    similarities over the temperature. It is computed in float32 or more, whatever comes.

    Args:
        first, second: Tensors `(..., n, d)`; row k of the one and of the other are a pair. Axes in
            front are separate problems.
        temperature: Float τ > 0. Defaults to `0.5`.

    Returns:
        Tensor `(..., n)`: the loss of each pair, the mean of its two directions. Their mean is the
        loss of SimCLR.

    Example:

        >>> views = uae.ViewAugmentation()
        >>> loss = tf.reduce_mean(uae.nt_xent(simclr(views(images, 0)), simclr(views(images, 1))))

    Reference:
        [Chen et al., 2020](https://arxiv.org/abs/2002.05709), Eq. 1.
    """
    check_number("nt_xent", "temperature", temperature, 1e-6)
    projections = tf.concat([first, second], axis=-2)
    if projections.dtype.size < 4:
        projections = tf.cast(projections, tf.float32)
    # zeros, which have no direction, are similar to nothing, and their gradient is finite
    projections = tf.math.l2_normalize(projections, axis=-1)
    logits = tf.matmul(projections, projections, transpose_b=True) / temperature
    pairs = tf.shape(projections)[-2] // 2
    partner = tf.linalg.diag_part(tf.roll(logits, pairs, axis=-1))
    itself = tf.fill(tf.shape(partner), tf.constant(-float("inf"), logits.dtype))
    losses = tf.reduce_logsumexp(tf.linalg.set_diag(logits, itself), axis=-1) - partner
    return (losses[..., :pairs] + losses[..., pairs:]) / 2


@register
@dataclass(frozen=True)
class Contrastive(Criterion):
    """f_x(z) = NT-Xent of views of z − NT-Xent of the same views of x + κ (Table 7).

    The loss of one sample is that of `pairs` pairs of views of it, each to be told from the others.
    The views are drawn from `seed` once, and are the same for all samples and iterations: so f is a
    function, f_x(x) = κ, and its value for a sample depends neither on the batch nor on the order.
    One evaluation passes 2·`pairs` images through the model for each sample: that is what takes the
    time and the memory of an attack, and the published 50 take much of both.

    The published code takes the sum of both directions, twice this loss. It seems to draw its views
    with the preprocessing of SimCLR for evaluation, which would change nothing and make f 0
    everywhere; here they are views as in training.

    Args:
        model: Model from images to the projections that the loss compares, `(batch, d)`: encoder
            and projection head, such as `models.simclr.SimCLR`. It is called with
            `training=False`. Defaults to `None`: the model of the attack.
        pairs: Integer ≥ 2, pairs of views of a sample. Defaults to `50`.
        temperature: Float τ > 0. Defaults to `0.5`.
        augmentation: `ViewAugmentation` with the bounds of the attack. Defaults to its defaults.
        kappa: Float ≥ 0, margin κ. Defaults to `0`.
        seed: Integer, fixes the views. Defaults to `0`.

    Example:

        >>> attack = uae.MinMaxAttack(simclr, criterion=uae.Contrastive(pairs=5), steps=20)
        >>> found = attack.generate(x_train)

    Reference:
        [Hsu et al., 2022](https://arxiv.org/abs/2103.01895), section 4.6.
    """

    one_pass: ClassVar[bool] = False
    _: KW_ONLY
    pairs: Annotated[int, Integer(2)] = 50
    temperature: Annotated[float, Number(1e-6)] = 0.5
    augmentation: Annotated[ViewAugmentation, By(check_augmentation)] = ViewAugmentation()
    kappa: Annotated[float, Number(0)] = 0.0
    seed: Seed = 0

    @property
    def inputs_per_sample(self) -> int:
        return 2 * self.pairs

    def check(self, x: tf.Tensor, owner: str) -> None:
        check_image_shape(owner, x.shape[1:])
        projections = tf.convert_to_tensor(evaluated_model(self)(x, training=False))
        check_rows(owner, projections, x)
        shape = projections.shape
        if shape.rank != 2 or shape[1] < 2:
            raise ValueError(
                f"`model` of {owner} must give projections, shape (batch, d) with d ≥ 2. "
                f"Received: a model with outputs of shape {tuple(shape)} for a batch of "
                f"{x.shape[0]}."
            )

    def check_bounds(self, low: Any, high: Any, owner: str) -> None:
        # to the precision of samples: 0.7 that was read off float32 is 0.69999999
        both = np.array([self.augmentation.bounds, (np.min(low), np.max(high))], np.float32)
        (least, most), (low, high) = both
        if low < least or high > most:
            raise ValueError(
                f"`augmentation` of Contrastive must have the bounds of {owner}, since views cut "
                f"what lies beyond: ViewAugmentation(bounds=({low:g}, {high:g})). "
                f"Received: bounds ({least:g}, {most:g})."
            )

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        del y
        return self._loss(x)

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return self._loss(z) - reference + self.kappa

    def views(self, x: Any) -> tf.Tensor:
        """The views of `x`, `(batch, 2 · pairs, height, width, channels)`: first ones, then second.

        View k and view `pairs` + k are a pair.
        """
        x = tf.convert_to_tensor(x)
        key = stream(tf.constant(self.seed, tf.int64), VIEWS)
        views = self.augmentation.draw(key, 2 * self.pairs, x.shape[1:], x.dtype)
        return self.augmentation.apply(x[:, None], views)

    def _loss(self, x: tf.Tensor) -> tf.Tensor:
        images = tf.reshape(self.views(x), [-1, *x.shape[1:]])
        projections = evaluated_model(self)(images, training=False)
        projections = tf.reshape(projections, [-1, 2 * self.pairs, projections.shape[-1]])
        first, second = tf.split(projections, 2, axis=1)
        return tf.cast(tf.reduce_mean(nt_xent(first, second, self.temperature), axis=1), x.dtype)
