"""What the MinMax and the penalty-based attack have in common."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_uae import similarity as similarities
from keras_uae._checks import check_choice, check_number
from keras_uae._model_layers import capture
from keras_uae.attacks import geometry
from keras_uae.attacks.base import Attack
from keras_uae.attacks.multiplier import MultiplierRule


class SimilarityAttack(Attack):
    """Base of the attacks that weigh a criterion against a similarity.

    A subclass gives the rule for the weight c.
    """

    nested = ("criterion", "similarity")

    def __init__(
        self,
        model: keras.Model,
        *,
        similarity: Any,
        objective: str,
        step_size: float,
        initial_radius: float | str,
        initial_multiplier: float,
        step_rule: str,
        **kwargs: Any,
    ):
        super().__init__(model, **kwargs)
        owner = type(self).__name__
        if initial_radius != "glorot":
            initial_radius = check_number(owner, "initial_radius", initial_radius, 0)
        self.similarity = similarities.get(similarity, model)
        self.objective = check_choice(owner, "objective", objective, ("minimize", "maximize"))
        self.step_size = check_number(owner, "step_size", step_size, 0)
        self.initial_radius: float | str = initial_radius
        self.initial_multiplier = check_number(owner, "initial_multiplier", initial_multiplier, 0)
        self.step_rule = check_choice(owner, "step_rule", step_rule, geometry.STEP_RULES)
        # where the similarity reads its features: refused here if the model has no such layer
        self.source = self.similarity.features.source(model)

    @property
    def iterations(self) -> int:
        """Iterations in all."""
        return self.steps

    @property
    def multiplier_rule(self) -> MultiplierRule:
        """How c goes on."""
        raise NotImplementedError

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
        if self.source is None:
            return x
        with capture(self.source) as seen, keras.StatelessScope():
            self.model(x, training=False)
        if not seen:
            raise ValueError(
                f"`similarity` of {type(self).__name__} reads a layer that does not run when the "
                f"model is called. Received: layer {self.source.name!r} of model "
                f"{self.model.name!r}."
            )
        return seen[0]
