"""The loss of the published U-Net: one minus the Dice coefficient."""

from typing import Any

import keras
from keras import ops

from keras_uae._checks import check_number


@keras.saving.register_keras_serializable(package="keras_uae")
class DiceLoss(keras.losses.Loss):
    """1 − (2·Σ y·ŷ + s) / (Σ y + Σ ŷ + s), the sums over all values of the batch, as published.

    It is made for masks of 0 and 1. On grey values it is not lowest at ŷ = y: the sum of products
    grows with ŷ wherever y is above half the coefficient.

    Args:
        smooth: Number s ≥ 0, which keeps the quotient finite where both are 0. Defaults to `1.0`.
        **kwargs: Those of `keras.losses.Loss`.
    """

    def __init__(self, smooth: float = 1.0, name: str = "dice", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.smooth = check_number("DiceLoss", "smooth", smooth, 0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true = ops.cast(y_true, y_pred.dtype)
        both = ops.sum(y_true * y_pred)
        either = ops.sum(y_true) + ops.sum(y_pred)
        return 1 - (2 * both + self.smooth) / (either + self.smooth)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smooth": self.smooth}
