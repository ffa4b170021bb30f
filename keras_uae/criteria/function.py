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

    def doubts(self, x: tf.Tensor, low: Any, high: Any) -> list[str]:
        del low, high
        z = tf.identity(x)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            f = self(x, z)
        # one that calls everything an example needs none
        if tape.gradient(f, z) is not None or not tf.reduce_any(f > 0):
            return []
        return [
            f"The criterion {self.function!r} has no gradient, such as a comparison, rounding or "
            f"argmax: an attack descends on the similarity alone, and comes upon examples by "
            f"chance. Give a difference that is 0 where an example begins."
        ]

    def value(self, reference: Any, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        del reference
        try:
            f = tf.convert_to_tensor(self.function(x, z))
        except (AttributeError, NotImplementedError, TypeError) as error:
            if not tf.is_symbolic_tensor(z):
                raise
            raise ValueError(
                f"`criterion` must be a function of TensorFlow or Keras operations, of which a "
                f"graph can be made: without numpy(), predict() and NumPy. "
                f"Received: {self.function!r}, which raised {type(error).__name__}: {error}"
            ) from error
        if f.dtype == tf.bool:
            raise ValueError(
                f"`criterion` must give numbers, z being an example where they are 0 or less: a "
                f"difference, such as score(z) - score(x), rather than a comparison. "
                f"Received: booleans of {self.function!r}."
            )
        return tf.cast(f, x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"function": keras.saving.serialize_keras_object(self.function)}
