"""SelfReconstruction: an example is itself restored, as a detector of anomalies sees it."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import tensorflow as tf

from keras_uae._checks import Number, OrNone
from keras_uae._settings import register
from keras_uae._tensors import l2_norm
from keras_uae.criteria.base import Output, OutputCriterion, evaluated_model
from keras_uae.criteria.reconstruction import check_restores, doubts_of


@register
@dataclass(frozen=True)
class SelfReconstruction(OutputCriterion):
    """f_x(z) = ‖z − Φ(z)‖₂ − ‖x − Φ(x)‖₂ + κ, or ‖z − Φ(z)‖₂ − threshold + κ.

    A detector of anomalies scores z by ‖z − Φ(z)‖₂. An example of `Reconstruction` is restored to
    x, far from itself, so that its score is high; one of this criterion passes: its score is no
    higher than that of x, or than the threshold.

    Args:
        model: Autoencoder Φ whose output has the shape of its input. Defaults to `None`: the
            model of the attack.
        threshold: Float ≥ 0, the highest score that passes, in the units of the norm. Defaults to
            `None`: that of x.
        kappa: Float ≥ 0, margin κ, in the units of the norm. Defaults to `0`.
        output: Place or name of the reconstruction among several outputs. Defaults to `None`: the
            only one.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder, criterion=uae.SelfReconstruction(threshold=1.5))
        >>> attack.generate(x).success_rate  # the share of samples with an example that passes
    """

    _: KW_ONLY
    threshold: Annotated[float | None, OrNone(Number(0))] = None
    kappa: Annotated[float, Number(0)] = 0.0
    output: Output = None

    @property
    def power(self) -> int:
        return 1

    def check(self, x: tf.Tensor, owner: str) -> None:
        check_restores(self, x)

    def doubts(self, x: tf.Tensor, low: Any, high: Any) -> list[str]:
        return doubts_of(evaluated_model(self), self.judged(x), x, low, high)

    def reference(self, x: tf.Tensor, y: tf.Tensor | None = None) -> tf.Tensor:
        del y
        score = self._score(x)
        # a score of each x in any case: the loop reads the features of x from this pass
        return score if self.threshold is None else tf.fill(tf.shape(score), self._limit(score))

    def value(self, reference: tf.Tensor, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return self._score(z) - reference + self.kappa

    def _limit(self, score: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.threshold, score.dtype)

    def _score(self, z: tf.Tensor) -> tf.Tensor:
        return l2_norm(z - tf.cast(self.judged(z), z.dtype))
