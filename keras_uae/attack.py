"""MinMaxAttack: unsupervised adversarial examples by Algorithm 1 of the paper."""

import copy
import functools
from typing import Any, Self

import keras
import tensorflow as tf

from keras_uae import criteria, geometry
from keras_uae import similarity as similarities
from keras_uae.checks import check_bounds, check_choice, check_integer, check_number
from keras_uae.generation import generate
from keras_uae.minmax import minmax
from keras_uae.results import UAEs
from keras_uae.settings import register

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
class MinMaxAttack(keras.layers.Layer):
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
            "gaussian", "l2", "cosine", "reconstruction_loss". Defaults to `"auto"`: "conv" if
            the model starts with a convolution, otherwise "random".
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
        super().__init__(**kwargs, autocast=False)
        owner = type(self).__name__
        if not isinstance(model, keras.Model) or not model.built:
            raise ValueError(
                f"`model` of {owner} must be a keras.Model that is built: give it an Input, or "
                f"call it once on a batch. Received: model={model!r}."
            )
        if initial_radius != "glorot":
            initial_radius = check_number(owner, "initial_radius", initial_radius, 0)
        self.model = model
        self.criterion = criteria.get(criterion, model)
        self.similarity = similarities.get(similarity, model)
        self.objective = check_choice(owner, "objective", objective, ("minimize", "maximize"))
        self.step_size = check_number(owner, "step_size", step_size, 0)
        self.multiplier_step_size = check_number(
            owner, "multiplier_step_size", multiplier_step_size, 0, 1
        )
        self.epsilon = check_number(owner, "epsilon", epsilon, 0)
        self.steps = check_integer(owner, "steps", steps, 1)
        self.bounds = check_bounds(owner, bounds)
        self.initial_radius: float | str = initial_radius
        self.initial_multiplier = check_number(owner, "initial_multiplier", initial_multiplier, 0)
        self.step_rule = check_choice(owner, "step_rule", step_rule, geometry.STEP_RULES)
        self.seed = check_integer(owner, "seed", seed, -(2**31), 2**31 - 1)
        # where the similarity reads its features: refused here if the model has no such layer
        self.source = self.similarity.features.source(model)
        self.built = True
        self._compiled = tf.function(functools.partial(_isolated, self), autograph=False)

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

    def call(self, x: tf.Tensor, index: tf.Tensor | None = None) -> tf.Tensor:
        x = tf.cast(x, self.variable_dtype)
        index = tf.range(tf.shape(x)[0], dtype=tf.int64) if index is None else index
        found, _ = self.search(x, index, tf.constant(self.seed, tf.int64))
        return found["x"]

    def generate(
        self,
        x: Any,
        *,
        batch_size: int | str = "auto",
        seed: int = 0,
        index: Any = None,
        trace: bool = False,
        verbose: int | str = "auto",
    ) -> UAEs:
        """Attack a whole data set, however large.

        The result for a sample depends on the settings, the model, the sample, `seed` and the
        sample's `index`; not on batch size, order or the other samples (up to rounding).

        Args:
            x: Array `(n, ...)` inside `bounds`; may be memory-mapped.
            batch_size: Integer, or "auto" for one that suits the caches. Defaults to `"auto"`.
            seed: Integer, fixes δ₀ and everything that the estimator draws. Defaults to `0`.
            index: Integers `(n,)`, the place of each sample in its data set, which keys δ₀.
                Defaults to `None`: 0, 1, …, n − 1.
            trace: Boolean, also return similarity, criterion, c and stationarity gap of every
                iteration. Defaults to `False`.
            verbose: 0 for silence, 1 for a progress bar with the time left. Defaults to
                `"auto"`: 1.

        Returns:
            `UAEs`: per-sample arrays `x`, `success`, `similarity`, `criterion`, `multiplier`,
            `iteration`, `frozen`, and `trace`.

        Raises:
            ValueError: `x` is empty, not finite, outside `bounds`, of another shape than the
                model takes, or the model does not suit the criterion.
            GenerationInterrupted: Ctrl-C; carries what was done by then.
        """
        return generate(
            self, x, batch_size=batch_size, seed=seed, index=index, trace=trace, verbose=verbose
        )

    def search(
        self, x: tf.Tensor, index: tf.Tensor, seed: tf.Tensor, trace: bool = False
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """`minmax` on a batch of tensors, compiled once a shape and dtype."""
        return self._compiled(x, index, seed, trace=trace)

    def radius(self, shape: tf.TensorShape) -> float:
        """Half width of δ₀ for samples of `shape`."""
        if isinstance(self.initial_radius, str):
            return geometry.glorot_radius(tuple(shape))
        return self.initial_radius

    def compute_output_shape(self, x: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return x

    def compute_output_spec(self, x: Any, index: Any = None) -> Any:
        del index
        return keras.KerasTensor(x.shape, dtype=self.variable_dtype)

    def __repr__(self) -> str:
        names = ("criterion", "similarity", *_PLAIN_SETTINGS)
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({self.model.name!r}, {settings})"

    def get_config(self) -> dict[str, Any]:
        if self.criterion.model is not self.model:
            raise ValueError(
                f"`criterion` of {type(self).__name__} must judge the attacked model, or it cannot "
                f"be saved with the attack. Received: criterion={self.criterion!r} for another one."
            )
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "model": serialize(self.model),
            "criterion": serialize(self.criterion),
            "similarity": serialize(self.similarity),
            **{name: getattr(self, name) for name in _PLAIN_SETTINGS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = copy.deepcopy(config)  # Keras takes the nested ones apart
        for name in ("model", "criterion", "similarity"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def _isolated(
    attack: MinMaxAttack, x: tf.Tensor, index: tf.Tensor, seed: tf.Tensor, trace: bool
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """`minmax`, with no effect on the model nor on a gradient tape around it."""
    # the model's losses, metrics and seed generators must not pick up tensors of this graph
    with keras.StatelessScope():
        results = minmax(attack, x, index, seed, trace)
    # stopped in here, or the tape would make the loop keep all of its intermediates
    return tf.nest.map_structure(tf.stop_gradient, results)


_PLAIN_SETTINGS = (
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
