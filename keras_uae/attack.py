"""MinMaxAttack: unsupervised adversarial examples by Algorithm 1 of the paper."""

from typing import Any, Self

import keras
import tensorflow as tf

from keras_uae import criteria, geometry
from keras_uae import similarity as similarities
from keras_uae.base import Attack, Found
from keras_uae.checks import check_choice, check_number
from keras_uae.minmax import minmax
from keras_uae.settings import register
from keras_uae.similarity.features import capture

PRESETS: dict[str, dict[str, Any]] = {
    # real perturbations and a high success rate
    "default": {},
    # the letter of Algorithm 1: from δ₀ = 0, with the gradient as it comes
    "paper": {"initial_radius": 0.0, "step_rule": "raw"},
    # the published code: c₀, δ₀ and squared norms are not in the paper
    "published_code": {
        "criterion": criteria.Reconstruction(squared=True),
        "initial_radius": "glorot",
        "initial_multiplier": 1e-3,
        "step_rule": "raw",
    },
    # baseline of section 4.4: as much reconstruction loss as the criterion allows
    "l2_uae": {"similarity": "reconstruction_loss", "objective": "maximize"},
}


@register
class MinMaxAttack(Attack):
    """Finds inputs far from x that the model handles no worse than x (Algorithm 1).

    For every sample of its own it solves

        min over δ, max over c ≥ 0 of  c·f_x⁺(x + δ) + I(x, x + δ)
        with |δ| ≤ ε and x + δ inside the data space

    by projected gradient descent on δ and ascent on c, and returns the iterate x + δ with
    f_x(x + δ) ≤ 0 whose similarity I is least. No labels are used.

    Args:
        model: Built `keras.Model` under attack.
        criterion: Attack criterion f_x, or any callable `f(x, z) -> (batch,)`. Defaults to
            `None`: `Reconstruction()`, for which the model must be an autoencoder.
        similarity: The objective I: a `Similarity` or one of "auto", "conv", "random",
            "bivariate", "gaussian", "l2", "cosine", "reconstruction_loss". Defaults to `"auto"`:
            "conv" if the model starts with a convolution, otherwise "random".
        objective: "minimize" the similarity (unsupervised examples) or "maximize" it
            (supervised ones). Defaults to `"minimize"`.
        step_size: Float α ≥ 0, step of δ. Defaults to `0.01`.
        multiplier_step_size: Float β in [0, 1], step of c. Defaults to `0.1`.
        epsilon: Float ε ≥ 0, largest |δ| of any value. Defaults to `1.0`.
        steps: Integer T ≥ 1, iterations. Defaults to `40`.
        bounds: Pair of floats, lowest and highest value of the data. Defaults to `(0, 1)`.
        initial_radius: Float, δ₀ is uniform in ±radius; 0 starts at x itself, as the paper says;
            "glorot" takes the radius of a Glorot-uniform variable, as the published code does.
            Defaults to `0.2`.
        initial_multiplier: Float c₀ ≥ 0. Defaults to `0`.
        step_rule: "max" divides the gradient by its largest entry, so that a step changes a
            value by at most α; "sign" takes its sign; "raw" takes it as it is, as the paper
            does. Defaults to `"max"`.
        seed: Integer, used when the layer is called. Defaults to `0`.

    Call arguments:
        x: Tensor `(batch, ...)` inside `bounds`.
        index: Integers `(batch,)`, the place of each sample in its data set, which keys δ₀.
            Defaults to `None`: its place in the batch.
        y: Labels `(batch,)`, if the criterion takes any. Defaults to `None`.

    Returns:
        Tensor like `x`: the examples, and the original where none was found. No gradient flows
        through it. `generate` returns the rest as well. In a training step call the attack before
        the model: a call of a Keras layer clears the `losses` that its sublayers noted before.

    Example:

        >>> attack = uae.MinMaxAttack(autoencoder)
        >>> found = attack.generate(x_train, seed=0)
        >>> found.x.shape, found.success_rate

    Reference:
        [Hsu et al., 2022](https://arxiv.org/abs/2103.01895), Algorithm 1.
    """

    nested = ("criterion", "similarity")
    plain = (
        "objective",
        "step_size",
        "multiplier_step_size",
        "epsilon",
        "steps",
        "bounds",
        "initial_radius",
        "initial_multiplier",
        "step_rule",
        "seed",
    )

    def __init__(
        self,
        model: keras.Model,
        *,
        criterion: Any = None,
        similarity: Any = "auto",
        objective: str = "minimize",
        step_size: float = 0.01,
        multiplier_step_size: float = 0.1,
        epsilon: float = 1.0,
        steps: int = 40,
        bounds: tuple[float, float] = (0.0, 1.0),
        initial_radius: float | str = 0.2,
        initial_multiplier: float = 0.0,
        step_rule: str = "max",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            model,
            criterion=criterion,
            epsilon=epsilon,
            steps=steps,
            bounds=bounds,
            seed=seed,
            **kwargs,
        )
        owner = type(self).__name__
        if initial_radius != "glorot":
            initial_radius = check_number(owner, "initial_radius", initial_radius, 0)
        self.similarity = similarities.get(similarity, model)
        self.objective = check_choice(owner, "objective", objective, ("minimize", "maximize"))
        self.step_size = check_number(owner, "step_size", step_size, 0)
        self.multiplier_step_size = check_number(
            owner, "multiplier_step_size", multiplier_step_size, 0, 1
        )
        self.initial_radius: float | str = initial_radius
        self.initial_multiplier = check_number(owner, "initial_multiplier", initial_multiplier, 0)
        self.step_rule = check_choice(owner, "step_rule", step_rule, geometry.STEP_RULES)
        # where the similarity reads its features: refused here if the model has no such layer
        self.source = self.similarity.features.source(model)

    @classmethod
    def from_preset(cls, preset: str, model: keras.Model, **settings: Any) -> Self:
        """The attack with the settings of a preset, any of them overridden by `settings`.

        Args:
            preset: "default", "paper" (the letter of Algorithm 1), "published_code" (δ₀, c₀ and
                squared norms as the authors' program has them) or "l2_uae" (the baseline that
                maximises the reconstruction loss).
            model: Built `keras.Model` under attack.
            **settings: Keyword arguments of the class.
        """
        check_choice(cls.__name__, "preset", preset, PRESETS)
        return cls(model, **{**PRESETS[preset], **settings})

    def run(
        self,
        x: tf.Tensor,
        index: tf.Tensor,
        seed: tf.Tensor,
        y: tf.Tensor | None = None,
        trace: bool = False,
    ) -> Found:
        return minmax(self, x, index, seed, y, trace)

    def radius(self, shape: tf.TensorShape) -> float:
        """Half width of δ₀ for samples of `shape`."""
        if isinstance(self.initial_radius, str):
            return geometry.glorot_radius(tuple(shape))
        return self.initial_radius

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
