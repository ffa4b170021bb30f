"""What the MinMax and the penalty-based attack have in common."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import keras
import tensorflow as tf

from keras_uae import similarity as similarities
from keras_uae._checks import By, Choice, Number, check_choice, check_number
from keras_uae._model_layers import capture, example, needs_inline, output_of, outputs_of
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

    similarity: Similarity  # a name until samples were seen
    objective: str
    step_size: float
    initial_radius: float | str
    initial_multiplier: float
    step_rule: str
    source: keras.Layer | None  # where the similarity reads; `None` for the input
    inline: bool  # whether that is inside a `tf.function` of the model's
    reads: tuple[int, int]  # runs of the source in a pass, and which of them meets the sample

    def __init__(self, model: keras.Model, given: Mapping[str, Any], **kwargs: Any):
        super().__init__(model, given, **kwargs)
        if isinstance(self.similarity, str):
            check_choice(type(self).__name__, "similarity", self.similarity, similarities.names())
        x = example(self.single_input)
        if x is not None:  # refused here if the model has no layer to read
            self.prepare(x)

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
        return getattr(self.similarity, "measure", "")

    def _chosen(self) -> list[str]:
        if not self.prepared:
            return super()._chosen()
        if self.source is None:
            where = "the input"
        elif self.source is self.single_input:
            where = "the output"
        else:
            where = f"layer {self.source.name!r}"
        return [*super()._chosen(), f"similarity: {self.similarity!r}, read off {where}"]

    def forget(self) -> None:
        super().forget()
        self.__dict__.pop("source", None)
        self._captured: tf.TensorShape | None = None  # of what the similarity reads of a sample

    @property
    def prepared(self) -> bool:
        return "source" in self.__dict__

    def prepare(self, x: tf.Tensor) -> None:
        """Settle on the similarity, and on the layer that it reads, for samples like `x`."""
        if self.prepared:
            return
        model, owner = self.single_input, type(self).__name__
        similarity = similarities.get(self.similarity, model, owner, x)
        # past Keras' own __setattr__, which would track the layer as part of the attack
        self.__dict__["source"] = source = similarity.features.source(model, x)
        self.__dict__["inline"] = source is not None and needs_inline(source, model, x)
        seen, place = ([], 0) if source is None else outputs_of(source, model, x)
        self.__dict__["reads"] = len(seen), place
        self.similarity = similarity

    def radius(self, shape: tf.TensorShape) -> float:
        """Half width of δ₀ for samples of `shape`, in units of the range."""
        radius = self.initial_radius
        if isinstance(radius, str):
            radius = geometry.glorot_radius(tuple(shape))
        return max(radius, self.similarity.least_radius, self.similarity.features.least_radius)

    def observe(self, evaluate: Callable[[], Any], z: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """What `evaluate` returns, and what the similarity reads of the same pass of the model."""
        if self.source is None:
            return self.evaluate(evaluate), z
        with capture(self.source, inline=self.inline) as seen:
            result = self.evaluate(evaluate)
        runs, place = self.reads
        if not (self.criterion.one_pass and len(seen) == self.draws * runs):
            # the criterion evaluates something else than z: pass z itself as far as the source
            with capture(self.source, inline=self.inline) as seen:
                self.evaluate(lambda: self.single_input(z, training=False))
        return result, tf.cast(self.criterion.choose(seen[place]), z.dtype)

    def check(self, x: tf.Tensor) -> None:
        super().check(x)
        self.prepare(x)
        seen = output_of(self.source, self.single_input, x, type(self).__name__)
        self._captured = self.criterion.choose(seen).shape[1:]

    def values_per_sample(self, shape: tuple[int, ...]) -> int:
        if self._captured is None:
            self.check(tf.zeros((2, *shape), self.variable_dtype))
        captured = self._captured
        return super().values_per_sample(shape) + self.similarity.features.size(captured)
