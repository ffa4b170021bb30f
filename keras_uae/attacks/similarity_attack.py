"""What the MinMax and the penalty-based attack have in common."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import keras
import tensorflow as tf

from keras_uae import similarity as similarities
from keras_uae._checks import By, Choice, Number, check_number
from keras_uae._model_layers import capture, output_of
from keras_uae.attacks import geometry
from keras_uae.attacks.base import Attack
from keras_uae.attacks.multiplier import MultiplierRule
from keras_uae.similarity import Similarity


def _check_radius(owner: str, name: str, value: Any) -> float | str:
    return "glorot" if value == "glorot" else check_number(owner, name, value, 0)


# Settings of the attacks with a similarity
Objective = Annotated[str, Choice(("minimize", "maximize"))]
StepSize = Annotated[float, Number(0)]
InitialRadius = Annotated[float | str, By(_check_radius)]
StepRule = Annotated[str, Choice(geometry.STEP_RULES)]


class SimilarityAttack(Attack):
    """Base of the attacks that weigh a criterion against a similarity.

    A subclass gives the rule for the weight c.
    """

    similarity: Similarity
    objective: str
    step_size: float
    initial_radius: float | str
    initial_multiplier: float
    step_rule: str
    source: keras.Layer | None

    def __init__(self, model: keras.Model, given: Mapping[str, Any], **kwargs: Any):
        super().__init__(model, given, **kwargs)
        self.similarity = similarities.get(self.similarity, model)
        # where the similarity reads its features: refused here if the model has no such layer
        self.__dict__["source"] = self.similarity.features.source(model)  # untracked, as the model

    @property
    def iterations(self) -> int:
        """Iterations in all."""
        return self.steps

    @property
    def multiplier_rule(self) -> MultiplierRule:
        """How c goes on."""
        raise NotImplementedError

    @property
    def measure(self) -> str:
        return self.similarity.measure

    def radius(self, shape: tf.TensorShape) -> float:
        """Half width of δ₀ for samples of `shape`."""
        if isinstance(self.initial_radius, str):
            return geometry.glorot_radius(tuple(shape))
        return self.initial_radius

    def observe(self, evaluate: Callable[[], Any], z: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """What `evaluate` returns, and what the similarity reads of the same pass of the model."""
        if self.source is None:
            return evaluate(), z
        with capture(self.source) as seen:
            result = evaluate()
        if not (self.criterion.one_pass and len(seen) == 1):
            # the criterion evaluates something else than z: pass z itself as far as the source
            with capture(self.source) as seen:
                self.model(z, training=False)
        return result, tf.cast(seen[0], z.dtype)

    def check(self, x: tf.Tensor) -> None:
        super().check(x)
        self._captured(x)

    def values_per_sample(self, shape: tuple[int, ...]) -> int:
        captured = self._captured(tf.zeros((1, *shape), self.variable_dtype))
        return super().values_per_sample(shape) + self.similarity.features.size(captured.shape[1:])

    def _captured(self, x: tf.Tensor) -> tf.Tensor:
        """What the similarity reads its features from."""
        return output_of(self.source, self.model, x, type(self).__name__)
