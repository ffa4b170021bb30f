"""FunctionCriterion: a criterion that a user writes as a function of tensors."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_uae._settings import register
from keras_uae.criteria.base import Criterion


@register
@dataclass(frozen=True)
class FunctionCriterion(Criterion):
    """A user's own criterion: any callable `f(x, z) -> (batch,)` made of TensorFlow operations.

    Args:
        function: The callable; registered with Keras if the attack is to be saved.

    Example:

        >>> def darker(x, z):
        ...     return tf.reduce_mean(z - x, axis=[1, 2, 3])
        >>> criterion = uae.FunctionCriterion(function=darker)
        >>> criterion(x, found.x)  # one value a sample
    """

    one_pass: ClassVar[bool] = False
    _: KW_ONLY
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

    def value(self, reference: Any, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        del reference
        return tf.cast(self.function(x, z), x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"function": keras.saving.serialize_keras_object(self.function)}
