"""What features are worth: linear evaluation, and the accuracy of nearest neighbors."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_uae import ViewAugmentation
from keras_uae._checks import check_integer, check_number
from models.simclr.augmentation import RandomViews


class ProbeAccuracy(NamedTuple):
    """Accuracy of a classifier on frozen features."""

    train: float
    test: float


def linear_probe(
    encoder: keras.Model,
    x_train: Any,
    y_train: Any,
    x_test: Any,
    y_test: Any,
    *,
    penalty: float = 1.0,
    max_iter: int = 1000,
    batch_size: int = 256,
) -> ProbeAccuracy:
    """Accuracy of multinomial logistic regression on the features, with nothing left to chance.

    Args:
        encoder: Built `keras.Model` from images to features `(batch, d)`.
        x_train, x_test: Arrays `(n, ...)`.
        y_train, y_test: Labels `(n,)`.
        penalty: Float > 0, weight of the squared coefficients; the features are standardized, by
            the training samples. Defaults to `1`.
        max_iter: Integer, iterations of L-BFGS at most. Defaults to `1000`.
        batch_size: Integer, of the encoder. Defaults to `256`.
    """
    train, test = (_features(encoder, x, batch_size) for x in (x_train, x_test))
    classifier = _regression("linear_probe", train, y_train, penalty, max_iter)
    return ProbeAccuracy(
        float(classifier.score(train, y_train)), float(classifier.score(test, y_test))
    )


def linear_classifier(
    encoder: keras.Model,
    x_train: Any,
    y_train: Any,
    *,
    penalty: float = 1.0,
    max_iter: int = 1000,
    batch_size: int = 256,
    name: str = "linear_classifier",
) -> keras.Model:
    """The classifier that `linear_probe` judges, as a network: `linear_head` with its weights.

    Arguments are those of `linear_probe`; the labels are 0, 1, …, all of them present.

    Returns:
        An uncompiled model from images to logits, which attacks can differentiate.
    """
    owner = "linear_classifier"
    regression = _regression(
        owner, _features(encoder, x_train, batch_size), y_train, penalty, max_iter
    )
    scaler, logistic = (each for _, each in regression.steps)
    classes = list(logistic.classes_)
    if classes != list(range(len(classes))):
        raise ValueError(
            f"`y_train` of {owner} must hold every class from 0 on. Received: classes {classes}."
        )
    # with two classes there is one row, the logit of the second
    rows, offsets = (
        np.concatenate([0 * each, each]) if len(classes) == 2 else each
        for each in (logistic.coef_, logistic.intercept_)
    )
    kernel = rows / scaler.scale_
    model = linear_head(encoder, len(classes), name=name)
    model.get_layer("logits").set_weights([kernel.T, offsets - kernel @ scaler.mean_])
    return model


def linear_head(
    encoder: keras.Model,
    classes: int,
    *,
    augmentation: ViewAugmentation | None = None,
    seed: int = 0,
    name: str = "linear_head",
) -> keras.Model:
    """Build a classifier on the frozen encoder, one dense layer that starts at zero.

    Published: cropped and flipped images (`ViewAugmentation(color_jitter_strength=0,
    grayscale_probability=0)`), SGD 0.2 with Nesterov momentum 0.9 at batch 512, 100 epochs.

    Args:
        encoder: Built `keras.Model`, which is copied: training the head changes neither.
        classes: Integer, number of classes.
        augmentation: `ViewAugmentation` of the training images. Defaults to `None`: no views.
        seed: Integer, fixes the views. Defaults to `0`.
        name: Name of the model.

    Returns:
        An uncompiled model, its output the logits; labels are integers.
    """
    classes = check_integer("linear_head", "classes", classes, 2)
    images = keras.Input(encoder.input_shape[1:])
    views = images if augmentation is None else RandomViews(augmentation, seed=seed)(images)
    # a copy, so that nobody else's encoder is frozen; batch normalization is then at inference
    frozen = type(encoder).from_config(encoder.get_config())
    frozen.set_weights(encoder.get_weights())
    frozen.trainable = False
    logits = layers.Dense(classes, kernel_initializer="zeros", name="logits")
    return keras.Model(images, logits(frozen(views)), name=name)


class NearestNeighborMonitor(keras.callbacks.Callback):
    """Reports during `fit` how well the nearest neighbors of the test images tell their classes.

    The k training images of the most similar features vote, each by exp(cosine / τ). The logs get
    `knn_accuracy`, for callbacks after this one and for `history`.

    Args:
        x_train, x_test: Arrays `(n, ...)`.
        y_train, y_test: Integer labels `(n,)`.
        neighbors: Integer k. Defaults to `200`, or all training images if these are fewer.
        temperature: Float τ > 0 of the votes. Defaults to `0.1`.
        every: Integer, epochs between reports, the first after so many. Defaults to `1`.
        batch_size: Integer, of the encoder. Defaults to `256`.

    Reference:
        [Wu et al., 2018](https://arxiv.org/abs/1805.01978), section 3.4.
    """

    def __init__(
        self,
        x_train: Any,
        y_train: Any,
        x_test: Any,
        y_test: Any,
        *,
        neighbors: int = 200,
        temperature: float = 0.1,
        every: int = 1,
        batch_size: int = 256,
    ):
        super().__init__()
        owner = type(self).__name__
        self.train, self.test = (x_train, np.asarray(y_train)), (x_test, np.asarray(y_test))
        self.neighbors = check_integer(owner, "neighbors", neighbors, 1)
        self.temperature = check_number(owner, "temperature", temperature, 1e-6)
        self.every = check_integer(owner, "every", every, 1)
        self.batch_size = check_integer(owner, "batch_size", batch_size, 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every == 0 and logs is not None:
            logs["knn_accuracy"] = self.accuracy(self.model.encoder)

    def accuracy(self, encoder: keras.Model) -> float:
        """The accuracy with the features of `encoder`."""
        (x_train, y_train), (x_test, y_test) = self.train, self.test
        voters = KNeighborsClassifier(
            min(self.neighbors, len(y_train)), weights=self._votes, algorithm="brute"
        )
        voters.fit(_directions(_features(encoder, x_train, self.batch_size)), y_train)
        return float(voters.score(_directions(_features(encoder, x_test, self.batch_size)), y_test))

    def _votes(self, distances: np.ndarray) -> np.ndarray:
        # of unit vectors: distance² = 2 − 2·cosine
        return np.exp(-(distances**2) / (2 * self.temperature))


def _regression(
    owner: str, features: np.ndarray, y: Any, penalty: float, max_iter: int
) -> Pipeline:
    penalty = check_number(owner, "penalty", penalty, 1e-12)
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=max_iter)
    )
    return classifier.fit(features, y)


def _features(encoder: keras.Model, x: Any, batch_size: int) -> np.ndarray:
    return encoder.predict(np.asarray(x), batch_size=batch_size, verbose=0).astype(np.float64)


def _directions(features: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(norms > 0, norms, 1.0)
