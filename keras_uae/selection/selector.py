"""ConcreteFeatureSelector: a concrete autoencoder as a scikit-learn feature selector."""

import math
import warnings
from typing import Annotated, Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from keras_uae._checks import (
    By,
    Choice,
    Integer,
    Number,
    check_boolean,
    check_choice,
    check_integer,
    check_number,
    checked,
)
from keras_uae.selection.callbacks import AnnealTemperature, StopWhenSelected
from keras_uae.selection.layer import GRADIENT_ESTIMATORS, TINY
from keras_uae.selection.linear import greedy_linear_selection
from keras_uae.selection.network import DECODERS, concrete_network
from keras_uae.selection.training import (
    SCHEDULES,
    Batches,
    apply,
    assign_columns,
    describe_plan,
    favour,
    train,
)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "published": {
        "epochs": 800,
        "learning_rate": 1e-3,
        "logits_learning_rate": 1e-3,
        "schedule": "constant",
        "dropout": 0.1,
        "tryouts": 5,
    },
}
TARGETS = ("reconstruction", "classification", "regression")
DUPLICATES = ("allow", "resolve")
INITIALIZATIONS = ("random", "greedy")


def _check_batch_size(owner: str, name: str, value: Any) -> int | str:
    return "auto" if value == "auto" else check_integer(owner, name, value, 1)


def _flat(y: Any) -> Any:
    """Labels in one column, of a frame or an array, as `(n,)`: compared as they are with labels
    `(n,)`, they would be compared each with all."""
    shape: tuple[int, ...] = () if y is None else np.shape(y)
    return np.asarray(y)[:, 0] if len(shape) == 2 and shape[1] == 1 else y


def _reconstructs(selector: "ConcreteFeatureSelector") -> bool:
    return bool(selector.target == "reconstruction")


class ConcreteFeatureSelector(SelectorMixin, BaseEstimator):
    """Selects the K features from which a decoder restores all others, or predicts y.

    It trains a concrete autoencoder: K `ConcreteSelect` units, each of which settles on one
    feature while the temperature falls, and a decoder, both at once. A try that ends before the
    units have settled warns and leaves `converged_` False; `tryouts` > 1 allows further ones, each
    with a new network and twice the epochs of the one before, as the published program does
    unasked. With `verbose` ≥ 1 the whole plan is printed before it begins.

    The defaults settle in a tenth of the published steps: what held the units back is the learning
    rate of their logits. `from_preset("published", K)` has the published settings.

    The features should have like scales, best [0, 1]: the error of each counts as it is.

    Args:
        n_features_to_select: Integer K in [1, d], or float in (0, 1], a fraction of d. Defaults
            to `None`: half of the features.
        target: What the decoder is to give: "reconstruction" of X (y is ignored), or y, by
            "classification" (labels) or "regression" (numbers, one or more a sample). Defaults to
            `"reconstruction"`.
        epochs: Integer ≥ 1, epochs of the first try. Defaults to `100`.
        batch_size: Integer ≥ 1, or "auto", the published max(n // 256, 16). Defaults to `"auto"`.
        learning_rate: Float > 0, of Adam, for the decoder. Defaults to `3e-3`.
        logits_learning_rate: Float > 0, of Adam, for the logits of the units: what decides how soon
            they settle. Defaults to `0.3`.
        schedule: "cosine", learning rates that fall to 0 within a try, or "constant". Defaults to
            `"cosine"`.
        decoder: "published" or "cae_paper", see `concrete_network`. Defaults to `"published"`.
        dropout: Float in [0, 1), of the decoder. Defaults to `0.0`.
        initialization: "random", or "greedy": each unit starts out in favour of one of the features
            of `greedy_linear_selection`. With `start_temperature=1` it mostly stays there, and the
            decoder has the whole training to itself. Defaults to `"random"`.
        gradient_estimator: "gumbel_softmax" or "straight_through", see `ConcreteSelect`. Defaults
            to `"gumbel_softmax"`.
        start_temperature: Float > 0. Defaults to `10.0`.
        min_temperature: Float in (0, start_temperature]. Defaults to `0.1`.
        duplicates: "allow" units that select the same feature, so that fewer than K remain, or
            "resolve" them: each feature goes to one unit, by the assignment of greatest total
            logit. Defaults to `"allow"`.
        decoder_epochs: Integer ≥ 0, epochs in which the decoder alone is trained on the selected
            features afterwards. Worth it for `inverse_transform` where duplicates were resolved.
            Defaults to `0`.
        threshold: Float in [0, 1], mean of the units' greatest probability at which they count
            as settled. Defaults to `0.998`.
        early_stopping: Boolean, whether a try ends with the epoch that reaches `threshold`.
            Defaults to `False`: the decoder gains by the rest. (The program of Balin et al. does
            so; the package they published trains on.)
        tryouts: Integer ≥ 1, number of tries at most. Defaults to `1`.
        random_state: Integer, `RandomState` or `None`. Defaults to `None`.
        verbose: 0 for silence, 1 for the plan and the outcome, 2 for a line per epoch as well.
            Defaults to `0`.

    Attributes:
        indices_: Integers `(K,)`, the feature of each unit.
        n_unique_: Integer, number of different ones, and of columns of `transform`.
        converged_: Boolean, whether `mean_max_probability_` reached `threshold`.
        mean_max_probability_: Float in [0, 1].
        model_: The network, an uncompiled `keras.Model`; of "reconstruction" an autoencoder that
            `MinMaxAttack` takes.
        history_: A dictionary for each try: `loss` and `mean_max_probability` by epoch.
        n_features_in_, feature_names_in_: As everywhere in scikit-learn.
        classes_: The labels, of "classification" only.

    Raises:
        ValueError: A setting is not as above, X or y is not valid, or the training diverged.

    Example:

        >>> selector = uae.ConcreteFeatureSelector(16, random_state=0, epochs=100)
        >>> x_selected = selector.fit_transform(pixels)
        >>> selector.get_support(indices=True), selector.converged_
        >>> x_restored = selector.inverse_transform(x_selected)

    Reference:
        [Balin et al., 2019](https://arxiv.org/abs/1901.09346).
    """

    def __init__(
        self,
        n_features_to_select: int | float | None = None,
        *,
        target: Annotated[str, Choice(TARGETS)] = "reconstruction",
        epochs: Annotated[int, Integer(1)] = 100,
        batch_size: Annotated[int | str, By(_check_batch_size)] = "auto",
        learning_rate: Annotated[float, Number(TINY)] = 3e-3,
        logits_learning_rate: Annotated[float, Number(TINY)] = 0.3,
        schedule: Annotated[str, Choice(SCHEDULES)] = "cosine",
        decoder: Annotated[str, Choice(DECODERS)] = "published",
        dropout: Annotated[float, Number(0, math.nextafter(1, 0))] = 0.0,
        initialization: Annotated[str, Choice(INITIALIZATIONS)] = "random",
        gradient_estimator: Annotated[str, Choice(GRADIENT_ESTIMATORS)] = "gumbel_softmax",
        start_temperature: Annotated[float, Number(TINY)] = 10.0,
        min_temperature: Annotated[float, Number(TINY)] = 0.1,
        duplicates: Annotated[str, Choice(DUPLICATES)] = "allow",
        decoder_epochs: Annotated[int, Integer(0)] = 0,
        threshold: Annotated[float, Number(0, 1)] = 0.998,
        early_stopping: Annotated[bool, By(check_boolean)] = False,
        tryouts: Annotated[int, Integer(1)] = 1,
        random_state: Any = None,
        verbose: int = 0,
    ):
        # as they come, so that scikit-learn can clone it; `fit` checks them
        for name in self._get_param_names():
            setattr(self, name, locals()[name])

    @classmethod
    def from_preset(cls, preset: str, n_features_to_select: Any = None, **settings: Any) -> Self:
        """A selector with the settings of a preset, any of them overridden by `settings`.

        Args:
            preset: "default", or "published": the settings of Balin et al., whose program takes up
                to five tries, for the 800 epochs of Hsu et al.
            n_features_to_select: As of the class.
            **settings: Keyword arguments of the class.
        """
        check_choice(cls.__name__, "preset", preset, PRESETS)
        return cls(n_features_to_select, **{**PRESETS[preset], **settings})

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, callbacks: Any = ()) -> Self:
        """Train the network and select.

        Args:
            X: Real array `(n, d)` without NaN.
            y: Labels `(n,)` or `(n, 1)`, or numbers `(n,)` or `(n, q)`, unless target is
                "reconstruction".
            sample_weight: Numbers ≥ 0 `(n,)`, by which the errors of the samples count; only their
                ratios matter. Defaults to `None`: all alike.
            callbacks: Keras callbacks of each try, or one. Defaults to none.

        Returns:
            The selector itself.
        """
        checked(type(self).__name__, type(self).__init__, self.get_params(deep=False))
        X, y = self._validate(X, y)
        weights = None if sample_weight is None else self._weights(sample_weight, X)
        features = self._number_of_features(X.shape[1])
        auto = self.batch_size == "auto"
        batch_size = max(len(X) // 256, 16) if auto else int(self.batch_size)
        plan = [self.epochs * 2**number for number in range(self.tryouts)]
        self._say(describe_plan(self, X.shape, features, batch_size, plan))

        seeds = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        self.history_ = []
        for number, epochs in enumerate(plan, start=1):
            network = concrete_network(
                X.shape[1:],
                features,
                outputs=self._outputs(y),
                decoder=self.decoder,
                dropout=self.dropout,
                gradient_estimator=self.gradient_estimator,
                logits_multiplier=self.logits_learning_rate / self.learning_rate,
                start_temperature=self.start_temperature,
                min_temperature=self.min_temperature,
                seed=int(seeds.integers(2**31)),
            )
            if self.initialization == "greedy":
                chosen = greedy_linear_selection(X, features, weights)
                favour(network.get_layer("select"), chosen)
            stop = StopWhenSelected(self.threshold, stop=self.early_stopping)
            data = Batches(X, y, batch_size, int(seeds.integers(2**31)), weights=weights)
            watching = [AnnealTemperature(), stop, *keras.tree.flatten(callbacks)]
            history = self._train(network, data, epochs, watching)
            self.history_.append(history)
            self._say(
                f"Try {number}: {len(history['loss'])} of {epochs} epochs, loss "
                f"{history['loss'][-1]:.4g}, mean max probability {stop.value:.4f}"
            )
            if stop.value >= self.threshold:
                break

        select, self.model_ = network.get_layer("select"), network
        self.mean_max_probability_ = stop.value
        self.converged_ = stop.value >= self.threshold
        if not self.converged_:
            warnings.warn(
                f"The units of {type(self).__name__} have not settled: their mean max probability "
                f"is {stop.value:.3f}, not {self.threshold}. Increase `epochs` or `tryouts`, or "
                f"scale the features alike.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if self.duplicates == "resolve":
            select.unit_logits.assign(assign_columns(select.unit_logits.numpy()))
        self.indices_ = select.indices().numpy()
        self.n_unique_ = len(np.unique(self.indices_))
        if self.decoder_epochs:
            seed = int(seeds.integers(2**31))
            data = Batches(X, y, batch_size, seed, self.indices_, weights)
            self._train(network.get_layer("decoder"), data, self.decoder_epochs, [])
        return self

    @available_if(_reconstructs)
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Restore all features from the selected ones by the decoder.

        Args:
            X: Array `(n, n_unique_)`, as `transform` gives it.

        Returns:
            Float32 array `(n, d)`.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=np.float32)
        if X.shape[1] != self.n_unique_:
            raise ValueError(
                f"`X` of inverse_transform must have {self.n_unique_} features, those selected. "
                f"Received: X of shape {X.shape}."
            )
        column_of_unit = np.searchsorted(self.get_support(indices=True), self.indices_)
        return apply(self.model_.get_layer("decoder"), X[:, column_of_unit])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """How well the network does from the selected features; greater is better.

        Args:
            X: Array `(n, d)`.
            y: As for `fit`.
            sample_weight: Numbers ≥ 0 `(n,)`, the weights of the mean. Defaults to `None`.

        Returns:
            Accuracy for "classification", minus the mean squared error otherwise.
        """
        check_is_fitted(self)
        labels = _flat(y)
        X, y = self._validate(X, y, reset=False)
        outputs = apply(self.model_, X)
        weights = None if sample_weight is None else self._weights(sample_weight, X)
        if self.target == "classification":
            right = self.classes_[outputs.argmax(axis=1)] == np.asarray(labels)
            return float(np.average(right, weights=weights))
        wanted = X if y is None else y
        if wanted.shape != outputs.shape:  # one column would be compared with each of several
            raise ValueError(
                f"`y` of {type(self).__name__}.score must have {outputs.shape[1]} numbers a "
                f"sample, as that of fit. Received: y with {wanted.shape[1]}."
            )
        errors = (outputs.astype(np.float64) - wanted) ** 2
        return -float(np.average(errors.mean(axis=1), weights=weights))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "indices_")  # a `fit` that failed has left what it read of the data

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = not _reconstructs(self)
        return tags

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, bool)
        mask[self.indices_] = True
        return mask

    def _number_of_features(self, size: int) -> int:
        owner, wanted = type(self).__name__, self.n_features_to_select
        if wanted is None:
            return max(1, size // 2)
        if isinstance(wanted, (float, np.floating)):
            return max(1, int(size * check_number(owner, "n_features_to_select", wanted, 0, 1)))
        try:
            return check_integer(owner, "n_features_to_select", wanted, 1, size)
        except ValueError as error:
            raise ValueError(f"{error} n_features={size} in X.") from None

    def _validate(self, X: Any, y: Any, reset: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """X in single precision, and what the decoder is to give, `None` for X itself."""
        if self.target == "reconstruction":
            return validate_data(self, X, dtype=np.float32, reset=reset), None
        regression = self.target == "regression"
        X, y = validate_data(
            self,
            X,
            y if regression else _flat(y),
            dtype=np.float32,
            reset=reset,
            multi_output=regression,
            y_numeric=regression,
        )
        if regression:
            return X, np.asarray(y, np.float32).reshape(len(X), -1)
        if reset:
            check_classification_targets(y)
            self.classes_ = np.unique(y)
        return X, np.searchsorted(self.classes_, y).astype(np.int32)

    def _weights(self, sample_weight: Any, X: np.ndarray) -> np.ndarray:
        """The weights in single precision, 1 on average."""
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if not weights.min() >= 0 or not weights.sum() > 0:
            raise ValueError(
                f"`sample_weight` of {type(self).__name__} must be numbers ≥ 0, not all 0. "
                f"Received: sample_weight from {weights.min()} to {weights.max()}."
            )
        return (weights / weights.mean()).astype(np.float32)

    def _outputs(self, y: np.ndarray | None) -> int | None:
        if y is None:
            return None
        return len(self.classes_) if self.target == "classification" else y.shape[1]

    def _train(
        self, network: keras.Model, data: Batches, epochs: int, callbacks: list[Any]
    ) -> dict[str, list[float]]:
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        history = train(
            network,
            data,
            loss=cross_entropy if self.target == "classification" else "mse",
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            epochs=epochs,
            callbacks=callbacks,
            verbose=2 if self.verbose > 1 else 0,
        )
        if not math.isfinite(history["loss"][-1]):
            raise ValueError(
                f"`learning_rate` of {type(self).__name__} must be small enough for the scale of "
                f"the data: the training diverged. Received: learning_rate={self.learning_rate}."
            )
        return history

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text, flush=True)
