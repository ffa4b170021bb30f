"""What models are compared by: functions of (model, x_test, y_test), some of them ready-made."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_uae._checks import (
    check_called_with,
    check_choice,
    check_integer,
    check_samples,
)
from keras_uae._inputs import as_labels
from keras_uae._model_layers import as_model, capture, outputs_of, running
from keras_uae.evaluation.reconstruction import reconstruction_error, restored

BETTER = ("lower", "higher")
_MAX_ITER = 500
_BATCH = 256

Function = Callable[[keras.Model, Any, Any], float]


@dataclass(frozen=True)
class Metric:
    """A figure of a trained model on test samples, and which way is better.

    Args:
        function: Function of (model, x_test, y_test) that returns a number; `y_test` is `None`
            where there are no labels.
        name: What tables call it. Defaults to the name of the function.
        better: "lower" or "higher". Defaults to `"lower"`, as of errors.

    Example:

        >>> uae.Metric(lambda model, x, y: model.evaluate(x, y, verbose=0)[1], "accuracy", "higher")
    """

    function: Function
    name: str = ""
    better: str = "lower"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ValueError(
                "`function` of Metric must be a function of (model, x_test, y_test). "
                f"Received: function={self.function!r}."
            )
        what = "a function of (model, x_test, y_test)"
        check_called_with("Metric", "function", self.function, what, "model", "x", "y")
        check_choice("Metric", "better", self.better, BETTER)
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "metric"))

    def __call__(self, model: keras.Model, x: Any, y: Any = None) -> float:
        """The figure of `model`, NaN where it is not finite.

        Raises:
            ValueError: The function returns anything but a number.
        """
        value = self.function(model, x, y)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"`metrics` of compare must return a number each. Received: {self.name!r}, which "
                f"returns {value!r}."
            ) from None
        return number if np.isfinite(number) else float("nan")

    @property
    def heading(self) -> str:
        """Its name, and an arrow that points to what is better."""
        return f"{self.name} {'↓' if self.better == 'lower' else '↑'}"

    def gains(self, values: Sequence[float], reference: Sequence[float]) -> np.ndarray:
        """How much better values are than those of a reference, pair by pair; + is better.

        Errors are compared by their ratio, as a fraction of the reference; figures of which more
        is better, such as accuracies, and those that are not all positive, by their difference.
        """
        a, b = np.asarray(values, np.float64), np.asarray(reference, np.float64)
        if self.is_ratio(reference):
            return 1 - a / b
        return a - b if self.better == "higher" else b - a

    def is_ratio(self, reference: Sequence[float]) -> bool:
        """Whether `gains` over these values are ratios."""
        return self.better == "lower" and all(value > 0 for value in reference)


def as_metrics(metrics: Any) -> list[Metric]:
    """The metrics that a list, a mapping from names, a `Metric` or a function stands for."""
    if isinstance(metrics, Mapping):
        named = [(name, each) for name, each in metrics.items()]
    else:
        several = metrics if isinstance(metrics, (list, tuple)) else [metrics]
        named = [("", each) for each in several]
    found = [
        Metric(each.function, name or each.name, each.better)
        if isinstance(each, Metric)
        else Metric(each, name)
        for name, each in named
    ]
    names = [each.name for each in found]
    if not found or len(set(names)) < len(names):
        raise ValueError(
            "`metrics` of compare must be one metric or more, of different names: {'name': "
            f"function}}. Received: metrics named {names}."
        )
    return found


def default_metric(model: keras.Model, x: np.ndarray, y: Any) -> Metric:
    """The reconstruction error of an autoencoder, the loss of any other model with labels.

    Raises:
        ValueError: It is no autoencoder, and there are no labels; or it does not take the samples.
    """
    try:
        with keras.StatelessScope():
            output = keras.tree.flatten(model(np.asarray(x[:2], np.float32), training=False))
    except NotImplementedError as error:
        raise ValueError(
            "`metrics` of compare must be given where the model has no `call`: metrics={'name': "
            "function of (model, x_test, y_test)}; attacked are functions or parts of it, "
            "arms=[Adversarial(lambda model, bounds: MinMaxAttack(model.part, bounds=bounds), "
            f"name='…')]. Received: metrics=None and model {model.name!r} of type "
            f"{type(model).__name__}."
        ) from error
    except Exception as error:  # of Keras, with the samples in it
        raise ValueError(
            "`x` of compare must hold samples that the model takes"
            f"{_taken(model)}. Received: samples of shape {x.shape[1:]}, for which model "
            f"{model.name!r} raises {type(error).__name__}."
        ) from error
    if y is None and len(output) == 1 and tuple(output[0].shape[1:]) == x.shape[1:]:
        return RECONSTRUCTION
    if y is None:
        raise ValueError(
            "`metrics` of compare must be given where the model does not give back the shape of "
            "its input: metrics={'name': function of (model, x_test, y_test)}, or labels y and "
            f"y_test. Received: metrics=None and outputs of shape "
            f"{', '.join(str(tuple(each.shape[1:])) for each in output)} for samples of shape "
            f"{x.shape[1:]}."
        )
    return LOSS


def _taken(model: keras.Model) -> str:
    shape = getattr(model, "input_shape", None)
    return f", of shape {shape[1:]}" if isinstance(shape, tuple) else ""


def _reconstruction(model: keras.Model, x: Any, y: Any = None) -> float:
    del y
    return reconstruction_error(model, x)


def _loss(model: keras.Model, x: Any, y: Any = None) -> float:
    values = model.evaluate(x, x if y is None else y, verbose=0, return_dict=True)
    return float(values["loss"])


RECONSTRUCTION = Metric(_reconstruction, "reconstruction error")
"""Mean squared error of the reconstruction per feature, of an autoencoder."""

LOSS = Metric(_loss, "loss")
"""The loss that the model is compiled with; of an autoencoder between samples and outputs."""


def linear_probe(x_train: Any, y_train: Any, *, layer: str | None = None) -> Metric:
    """Test accuracy of logistic regression on what a layer returns: what a code is worth.

    Args:
        x_train: Array `(n, ...)`, on whose codes the classifier is trained.
        y_train: Labels `(n,)`.
        layer: Name of the layer. Defaults to `None`: the first with the fewest values a sample.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.linear_probe(x_train, y_train)(autoencoder, x_test, y_test)
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MAX_ITER))
    return _on_codes("linear probe", classifier, x_train, y_train, layer)


def nearest_neighbors(
    x_train: Any, y_train: Any, *, neighbors: int = 1, layer: str | None = None
) -> Metric:
    """Test accuracy of the nearest training samples in what a layer returns.

    Args:
        x_train, y_train, layer: As of `linear_probe`.
        neighbors: Integer, how many of them vote. Defaults to `1`.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.nearest_neighbors(x_train, y_train, neighbors=5)
    """
    count = check_integer("nearest_neighbors", "neighbors", neighbors, 1)
    classifier = KNeighborsClassifier(count)
    return _on_codes(f"{count}-NN on the code", classifier, x_train, y_train, layer)


def outlier_auroc(outliers: Any) -> Metric:
    """AUROC of the reconstruction error: how well it tells outliers from the test samples.

    Args:
        outliers: Array `(m, ...)`, of the shape of the test samples.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.outlier_auroc(1 - x_test)(autoencoder, x_test)
    """
    outliers = check_samples("outlier_auroc", outliers, bounds=(-np.inf, np.inf), name="outliers")

    def auroc(model: keras.Model, x: Any, y: Any = None) -> float:
        del y
        if np.shape(x)[1:] != outliers.shape[1:]:
            raise ValueError(
                f"`outliers` of outlier_auroc must have the shape of the test samples, "
                f"{np.shape(x)[1:]}. Received: outliers of shape {outliers.shape[1:]}."
            )
        errors = [reconstruction_errors(model, each) for each in (x, outliers)]
        scores = np.concatenate(errors)
        if not np.isfinite(scores).all():
            return float("nan")
        return float(roc_auc_score(np.repeat([0, 1], list(map(len, errors))), scores))

    return Metric(auroc, "outlier AUROC", "higher")


def reconstruction_errors(model: keras.Model, x: Any) -> np.ndarray:
    """‖x − Φ(x)‖₂ of every sample, `(n,)`."""
    model, parts = as_model(model), []
    with keras.StatelessScope():  # leaves the generators of noise as they were
        for start in range(0, len(x), _BATCH):
            part = np.asarray(x[start : start + _BATCH], np.float32)
            output = restored(model, part, "outlier_auroc").numpy()
            parts.append(np.linalg.norm((output - part).reshape(len(part), -1), axis=1))
    return np.concatenate(parts)


def _on_codes(name: str, classifier: Any, x_train: Any, y_train: Any, layer: str | None) -> Metric:
    owner = inspect.stack()[1].function  # the public function, for messages
    x_train = check_samples(owner, x_train, bounds=(-np.inf, np.inf), name="x_train")
    y_train = as_labels(owner, y_train, "y_train")
    if y_train.shape != (len(x_train),):
        raise ValueError(
            f"`y_train` of {owner} must have one label for each of `x_train`, shape "
            f"({len(x_train)},). Received: y_train of shape {y_train.shape}."
        )

    def accuracy(model: keras.Model, x: Any, y: Any = None) -> float:
        if y is None:
            raise ValueError(
                f"`y_test` of compare must be given where the metrics have a {owner}. "
                "Received: y_test=None."
            )
        train, test = (codes(model, each, layer) for each in (x_train, x))
        if not (np.isfinite(train).all() and np.isfinite(test).all()):
            return float("nan")
        return float(classifier.fit(train, y_train).score(test, np.asarray(y).reshape(-1)))

    return Metric(accuracy, name, "higher")


def codes(model: keras.Model, x: Any, layer: str | None = None) -> np.ndarray:
    """What a layer returns for samples, `(n, d)`; see `linear_probe` for which one."""
    first = np.asarray(x[:1], np.float32)
    found, parts = _layer(model, first, layer), []
    _, place = outputs_of(found, model, first)  # it may run on something else before
    with keras.StatelessScope():
        for start in range(0, len(x), _BATCH):
            part = np.asarray(x[start : start + _BATCH], np.float32)
            with capture(found, inline=True) as outputs:
                model(part, training=False)
            output = keras.ops.convert_to_numpy(keras.tree.flatten(outputs[place])[0])
            parts.append(output.reshape(len(part), -1).astype(np.float64))
    return np.concatenate(parts)


def _layer(model: keras.Model, x: np.ndarray, name: str | None) -> keras.Layer:
    sizes: dict[int, tuple[int, keras.Layer]] = {}

    def note(layer: keras.Layer, output: Any) -> None:
        parts = keras.tree.flatten(output)
        if parts and getattr(parts[0], "shape", None) and parts[0].shape[0] == 1:
            sizes.setdefault(id(layer), (int(np.prod(parts[0].shape)), layer))

    with running(note, inline=True), keras.StatelessScope():
        model(x, training=False)
    seen = list(sizes.values())
    if name is None:
        return min(seen, key=lambda each: each[0])[1]
    named = [layer for _, layer in seen if layer.name == name]
    if not named:
        raise ValueError(
            "`layer` of a metric on codes must be the name of a layer that runs, one of "
            f"{', '.join(repr(layer.name) for _, layer in seen)}. Received: layer={name!r}."
        )
    return named[0]
