"""What SimCLR is trained with: LARS, and a cosine schedule with warm-up."""

from typing import Any

import keras
from keras import ops

from keras_uae._checks import check_boolean, check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_uae")
class LARS(keras.optimizers.Optimizer):
    """Layer-wise adaptive rate scaling: each layer steps by a part of the size of its weights.

        g ← g + λ·w;  v ← m·v + lr·η·‖w‖/‖g‖·g;  w ← w − v

    Weight decay is part of the gradient, in contrast to that of Keras' own optimizers. Variables
    with one axis (biases, scales and offsets of batch normalization) get no decay and the plain
    rate, as in SimCLR; so does a variable or a gradient that is all zeros.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to `1.0`.
        momentum: Float m in [0, 1]. Defaults to `0.9`.
        weight_decay: Float λ ≥ 0. Defaults to `0`.
        trust_coefficient: Float η ≥ 0. Defaults to `0.001`.
        nesterov: Boolean. Defaults to `False`.
        **kwargs: Other arguments of `keras.optimizers.Optimizer`.

    Reference:
        [You et al., 2017](https://arxiv.org/abs/1708.03888).
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        momentum: float = 0.9,
        *,
        weight_decay: float | None = 0.0,
        trust_coefficient: float = 0.001,
        nesterov: bool = False,
        name: str = "lars",
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = check_number("LARS", "momentum", momentum, 0, 1)
        # not `weight_decay`: Keras would apply that one by itself, beside the gradient
        self.decay = check_number("LARS", "weight_decay", weight_decay or 0.0, 0)
        self.trust_coefficient = check_number("LARS", "trust_coefficient", trust_coefficient, 0)
        self.nesterov = check_boolean("LARS", "nesterov", nesterov)

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self.momentums[self._get_variable_index(variable)]
        if len(variable.shape) > 1:
            gradient = gradient + self.decay * variable
            size, slope = (ops.sqrt(ops.sum(ops.square(each))) for each in (variable, gradient))
            known = ops.logical_and(size > 0, slope > 0)
            ratio = self.trust_coefficient * size / ops.where(known, slope, 1.0)
            rate = rate * ops.where(known, ratio, 1.0)
        step = rate * gradient
        following = self.momentum * velocity + step
        self.assign(velocity, following)
        self.assign_sub(variable, self.momentum * following + step if self.nesterov else following)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.decay,
            "trust_coefficient": self.trust_coefficient,
            "nesterov": self.nesterov,
        }


def cosine_schedule(
    learning_rate: float, steps: int, *, warmup_steps: int = 0
) -> keras.optimizers.schedules.CosineDecay:
    """Rise linearly from 0 to `learning_rate`, then fall to 0 along a cosine.

    The published runs scale the rate with the batch: 1.0 · 512 / 256 = 2, and warm up for 10 of
    1000 epochs.

    Args:
        learning_rate: Float, the highest.
        steps: Integer, training steps in all.
        warmup_steps: Integer, those of the rise. Defaults to `0`.

    Returns:
        The schedule of Keras, for the `learning_rate` of any optimizer.
    """
    owner = "cosine_schedule"
    learning_rate = check_number(owner, "learning_rate", learning_rate, 0)
    steps = check_integer(owner, "steps", steps, 1)
    warmup_steps = check_integer(owner, "warmup_steps", warmup_steps, 0, steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=steps - warmup_steps,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
