"""MinMaxAttack: unsupervised adversarial examples by Algorithm 1 of the paper."""

from typing import Any, Self

import keras

from keras_uae import criteria
from keras_uae.checks import check_choice, check_number
from keras_uae.multiplier import GradientAscent
from keras_uae.settings import register
from keras_uae.similarity_attack import SimilarityAttack

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
class MinMaxAttack(SimilarityAttack):
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
            "bivariate", "gaussian", "l2", "cosine", "feature_scattering", "reconstruction_loss".
            Defaults to `"auto"`: "conv" if the model starts with a convolution, otherwise "random".
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
            similarity=similarity,
            objective=objective,
            step_size=step_size,
            epsilon=epsilon,
            steps=steps,
            bounds=bounds,
            initial_radius=initial_radius,
            initial_multiplier=initial_multiplier,
            step_rule=step_rule,
            seed=seed,
            **kwargs,
        )
        self.multiplier_step_size = check_number(
            type(self).__name__, "multiplier_step_size", multiplier_step_size, 0, 1
        )

    @property
    def multiplier_rule(self) -> GradientAscent:
        return GradientAscent(self.multiplier_step_size, self.initial_multiplier)

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
