"""Layers that return their input and, in training only, add a penalty on it to the loss.

Validation, and an attack that calls the model with `training=False`, see the plain model. With the
Keras argument `activity_regularizer` they would not, and some versions of Keras 3 do not divide
its penalty by the batch size.
"""

from typing import Any

import keras
from keras import ops

from keras_uae._checks import check_number


@keras.saving.register_keras_serializable(package="keras_uae")
class L1Penalty(keras.layers.Layer):
    """Add `strength` · Σ|a|, averaged over the samples of the batch.

    Args:
        strength: Number ≥ 0.
    """

    def __init__(self, strength: float = 1e-7, **kwargs: Any):
        super().__init__(**kwargs)
        self.strength = check_number("L1Penalty", "strength", strength, 0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            sizes = ops.abs(ops.cast(inputs, "float32"))
            per_sample = ops.sum(sizes, axis=tuple(range(1, len(inputs.shape))))
            self.add_loss(self.strength * ops.mean(per_sample))
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


@keras.saving.register_keras_serializable(package="keras_uae")
class KLPenalty(keras.layers.Layer):
    """Add `weight` · mean over units of KL(`target` ‖ mean activation of the unit over the batch).

    The divergence is that of two Bernoulli variables, so activations belong in [0, 1]. Both
    probabilities of the mean activation are kept above 1e-10: a unit that is 0, or 1, for the whole
    batch costs a finite amount.

    Args:
        target: Wanted mean activation, inside (0, 1).
        weight: Number ≥ 0.
    """

    def __init__(self, target: float = 0.1, weight: float = 3.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.target = check_number("KLPenalty", "target", target, 1e-6, 1 - 1e-6)
        self.weight = check_number("KLPenalty", "weight", weight, 0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            active = ops.mean(ops.cast(inputs, "float32"), axis=0)
            divergence = _relative(self.target, active) + _relative(1 - self.target, 1 - active)
            self.add_loss(self.weight * ops.mean(divergence))
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target": self.target, "weight": self.weight}


def _relative(target: float, probability: Any) -> Any:
    """Return the term p·log(p / q) of a divergence, q kept in [1e-10, 1]."""
    return target * (ops.log(target) - ops.log(ops.clip(probability, 1e-10, 1.0)))
