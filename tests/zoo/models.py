"""Compact trained models of every kind that people bring, and what the attack does with each."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits

import keras_uae as uae
from keras_uae.similarity import MINE, Gaussian

TRAINED, ATTACKED = 200, 256  # samples
IMAGE = (8, 8, 1)
LENGTH = 20  # of a series
FEATURES, CODES = 6, 2  # of a table: numbers, and categories as codes
UNCONFIGURED = "Give {} a `get_config` to save MinMaxAttack of it"
CALLABLE = "Make the callable a keras.Model"

Samples = Any  # an array, or a dict of arrays by the names of inputs
# Outputs of a model, as arrays, for samples
Predict = Callable[[Samples], Any]


# data


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images in [0, 1] and their classes, those to train on first."""
    data = load_digits()
    count = TRAINED + ATTACKED
    x = (data.images[:count, ..., np.newaxis] / 16).astype("float32")
    return x, data.target[:count].astype("int32")


def images() -> np.ndarray:
    return digits()[0]


def bytes_of_images() -> np.ndarray:
    """Images in 0 … 255, in whole numbers."""
    return np.round(255 * images())


def images_with_class() -> Samples:
    x, y = digits()
    return {"image": x, "category": y}


def clips() -> np.ndarray:
    """Three frames that fade, (3, 8, 8, 1)."""
    return np.stack([images() * each for each in (1.0, 0.8, 0.6)], axis=1).astype("float32")


@functools.cache
def series() -> np.ndarray:
    """Waves in [0, 1] of several frequencies."""
    rng = np.random.default_rng(0)
    rate, phase = rng.uniform(0.5, 2, (2, TRAINED + ATTACKED, 1, 1))
    t = np.linspace(0, 6, LENGTH)[:, np.newaxis]
    return (0.5 + 0.4 * np.sin(rate * t + phase)).astype("float32")


def padded_series() -> np.ndarray:
    """Waves that end early, with zeros behind them."""
    ends = np.random.default_rng(1).integers(LENGTH // 2, LENGTH, TRAINED + ATTACKED)
    return np.where(np.arange(LENGTH)[:, np.newaxis] < ends[:, None, None], series(), 0)


@functools.cache
def table() -> np.ndarray:
    """Rows of standardised numbers that depend on one another, and codes 0, 1, 2 at the end."""
    rng = np.random.default_rng(0)
    rows = TRAINED + ATTACKED
    numbers = rng.normal(size=(rows, 3)) @ rng.normal(size=(3, FEATURES))
    codes = rng.integers(0, 3, (rows, CODES))
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    return np.concatenate([numbers, codes], axis=1).astype("float32")


def rows(x: Samples, which: Any) -> Samples:
    """The same rows of every input."""
    return {k: v[which] for k, v in x.items()} if isinstance(x, dict) else x[which]


# models


def trained(
    model: keras.Model, x: Samples, target: Any = None, *, loss: Any = "mse", **settings: Any
) -> keras.Model:
    """`model` after a second of training on the first samples."""
    model.compile(keras.optimizers.Adam(0.01), loss)
    if model.built:
        model.optimizer.build(model.trainable_variables)  # or `fit` would trace a step twice
    x, target = (rows(each, slice(TRAINED)) for each in (x, x if target is None else target))
    model.fit(x, target, **{"epochs": 8, "batch_size": 20, "verbose": 0, **settings})
    return model


def convolution(maps: int = 8, **settings: Any) -> keras.layers.Layer:
    return layers.Conv2D(maps, 3, padding="same", **{"activation": "relu", **settings})


def last() -> keras.layers.Layer:
    return convolution(1, activation="sigmoid")


def stack(*parts: keras.layers.Layer, shape: tuple[int | None, ...] = IMAGE) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def dense() -> keras.Model:
    return trained(
        stack(
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(64, activation="sigmoid"),
            layers.Reshape(IMAGE),
        ),
        images(),
    )


def convolutional() -> keras.Model:
    return trained(stack(convolution(), last()), images())


def without_input() -> keras.Model:
    """A Sequential that remembers the size of the first batch that it has seen."""
    return trained(keras.Sequential([convolution(), last()]), images())


def rescaling() -> keras.Model:
    scaled = stack(layers.Rescaling(1 / 255), convolution(), last(), layers.Rescaling(255.0))
    return trained(scaled, bytes_of_images())


def normalization() -> keras.Model:
    standard = layers.Normalization(axis=None)
    standard.adapt(images()[:TRAINED])
    return trained(stack(standard, convolution(), last()), images())


def batch_normalization() -> keras.Model:
    first = convolution(activation=None)
    return trained(stack(layers.BatchNormalization(), first, layers.PReLU(), last()), images())


def spectral_normalization() -> keras.Model:
    return trained(stack(layers.SpectralNormalization(convolution()), last()), images())


def transposed() -> keras.Model:
    first = layers.Conv2DTranspose(8, 3, padding="same", activation="relu")
    return trained(stack(first, last()), images())


def single_map() -> keras.Model:
    return trained(stack(convolution(1), convolution(), last()), images())


def time_distributed() -> keras.Model:
    each = map(layers.TimeDistributed, (convolution(), last()))
    return trained(stack(*each, shape=(3, *IMAGE)), clips(), epochs=4)


def convolutional_lstm() -> keras.Model:
    first = layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
    end = layers.Conv3D(1, 3, padding="same", activation="sigmoid")
    return trained(stack(first, end, shape=(3, *IMAGE)), clips(), epochs=4)


def nested() -> keras.Model:
    """An encoder and a decoder, models themselves."""
    encoder = stack(convolution(), layers.MaxPooling2D(2))
    decoder = stack(layers.UpSampling2D(2), convolution(), last(), shape=(4, 4, 8))
    inputs = keras.Input(IMAGE)
    return trained(keras.Model(inputs, decoder(encoder(inputs))), images())


@keras.saving.register_keras_serializable(package="zoo")
class DecoderFirst(keras.Model):
    """What is defined first runs last."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.decoder = last()
        self.encoder = convolution(6)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.decoder(self.encoder(x))


def subclassed() -> keras.Model:
    return trained(DecoderFirst(), images())


class Compiled(keras.Model):
    """Its call is a graph of its own; it has no `get_config` for the models that it takes."""

    def __init__(self, encoder: keras.layers.Layer, decoder: keras.layers.Layer, **kwargs: Any):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder

    @tf.function
    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.decoder(self.encoder(x))


def tf_function() -> keras.Model:
    model = Compiled(convolution(), last())
    model(images()[:1])  # or Keras traces it while there are no weights yet, and it never learns
    return trained(model, images())


def u_net() -> keras.Model:
    inputs = keras.Input(IMAGE)
    fine = convolution()(inputs)
    coarse = convolution(16)(layers.MaxPooling2D(2)(fine))
    both = layers.Concatenate()([fine, layers.UpSampling2D(2)(coarse)])
    return trained(keras.Model(inputs, last()(both)), images())


@keras.saving.register_keras_serializable(package="zoo")
class Sampling(keras.layers.Layer):
    """A draw of the code, by a generator of Keras'."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(1)

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        mean, log_variance = inputs
        noise = keras.random.normal(ops.shape(mean), seed=self.generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class VAE(keras.Model):
    """A variational autoencoder as tutorials have it: a train_step and no call."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def train_step(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            mean, log_variance, code = self.encoder(x)
            error = tf.reduce_sum((x - self.decoder(code)) ** 2, axis=[1, 2, 3])
            divergence = mean**2 + tf.exp(log_variance) - log_variance - 1
            loss = tf.reduce_mean(error + 0.05 * tf.reduce_sum(divergence, axis=1))
        weights = self.encoder.trainable_variables + self.decoder.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@functools.cache
def vae() -> VAE:
    inputs, code = keras.Input(IMAGE), keras.Input((8,))
    hidden = layers.Flatten()(convolution(strides=2)(inputs))
    hidden = layers.Dense(32, activation="relu")(hidden)
    mean, log_variance = layers.Dense(8)(hidden), layers.Dense(8)(hidden)
    encoder = keras.Model(inputs, [mean, log_variance, Sampling()([mean, log_variance])])
    image = layers.Dense(64, activation="sigmoid")(layers.Dense(32, activation="relu")(code))
    model = VAE(encoder, keras.Model(code, layers.Reshape(IMAGE)(image)))
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(images()[:TRAINED], epochs=20, batch_size=20, verbose=0)
    return model


def vae_mean() -> Callable[[Any], Any]:
    model = vae()
    return lambda x: model.decoder(model.encoder(x)[0])


def vae_sampled() -> Callable[[Any], Any]:
    model = vae()
    return lambda x: model.decoder(model.encoder(x)[2])


@keras.saving.register_keras_serializable(package="zoo")
class DropoutAtInference(keras.Model):
    """Monte Carlo dropout."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.encoder, self.dropout, self.decoder = (
            convolution(),
            layers.Dropout(0.1, seed=3),
            last(),
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.decoder(self.dropout(self.encoder(x), training=True))


def mc_dropout() -> keras.Model:
    return trained(DropoutAtInference(), images())


@keras.saving.register_keras_serializable(package="zoo")
class UnseededNoise(keras.layers.Layer):
    """Random numbers of TensorFlow's own, which no seed of Keras fixes."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + tf.random.normal(tf.shape(x), stddev=0.05)


def unseeded_noise() -> keras.Model:
    return trained(stack(convolution(), UnseededNoise(), last()), images())


def several_outputs() -> keras.Model:
    inputs = keras.Input(IMAGE)
    maps = convolution()(inputs)
    code = layers.GlobalAveragePooling2D(name="code")(maps)
    model = keras.Model(inputs, {"code": code, "image": last()(maps)})
    targets = {"code": np.zeros((TRAINED + ATTACKED, 8)), "image": images()}
    return trained(model, images(), targets, loss={"code": None, "image": "mse"})


def several_inputs() -> keras.Model:
    """An image, and a category that is embedded."""
    image, category = (
        keras.Input(IMAGE, name="image"),
        keras.Input((), name="category", dtype="int32"),
    )
    shift = layers.Reshape((1, 1, 8))(layers.Embedding(10, 8)(category))
    outputs = last()(layers.Add()([convolution()(image), shift]))
    model = keras.Model({"image": image, "category": category}, outputs)
    return trained(model, images_with_class(), images())


def tabular() -> keras.Model:
    size = FEATURES + CODES
    network = stack(layers.Dense(5, activation="tanh"), layers.Dense(size), shape=(size,))
    return trained(network, table(), epochs=20)


def lstm(epochs: int = 16) -> keras.Model:
    """With half the epochs it says nearly the same of all series."""
    encoder, decoder = layers.LSTM(16), layers.LSTM(16, return_sequences=True)
    again = layers.RepeatVector(LENGTH)
    network = stack(encoder, again, decoder, layers.Dense(1), shape=(LENGTH, 1))
    return trained(network, series(), epochs=epochs)


def masked_gru() -> keras.Model:
    recurrent = layers.GRU(16, return_sequences=True)
    network = stack(layers.Masking(), recurrent, layers.Dense(1), shape=(LENGTH, 1))
    return trained(network, padded_series())


def causal() -> keras.Model:
    """Dilated causal convolutions over series of any length."""
    settings = {"padding": "causal", "dilation_rate": 2}
    first = layers.Conv1D(8, 3, activation="relu", **settings)
    return trained(stack(first, layers.Conv1D(1, 3, **settings), shape=(None, 1)), series())


def classifier() -> keras.Model:
    network = stack(
        convolution(), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(10, "softmax")
    )
    return trained(network, *digits(), loss="sparse_categorical_crossentropy")


def fixed_batch() -> keras.Model:
    """It folds its four samples into two pairs: no other number runs."""
    inputs = keras.Input(batch_shape=(4, *IMAGE))
    pairs = ops.reshape(convolution()(inputs), (2, 2, 8, 8, 8))
    outputs = last()(ops.reshape(pairs, (4, 8, 8, 8)))
    return trained(keras.Model(inputs, outputs), images(), batch_size=4, epochs=3)


# what the attack does with each


def reconstruction(predict: Predict, x: Samples, z: Samples) -> np.ndarray:
    """f of `Reconstruction` in NumPy: z is restored worse than x by so much."""
    return error(predict, x, z) - error(predict, x, x)


def error(predict: Predict, x: Samples, z: Samples) -> np.ndarray:
    original = attacked_input(x)
    restored = predict(z)
    restored = restored["image"] if isinstance(restored, dict) else restored
    difference = np.reshape(original - restored, (len(original), -1))
    return np.linalg.norm(difference.astype(np.float64), axis=1)


def kept_class(predict: Predict, x: Samples, z: Samples) -> np.ndarray:
    """How far the class of x leads at z, in probability."""
    probabilities, own = predict(z), np.argmax(predict(x), axis=1)
    others = np.where(np.arange(10) == own[:, np.newaxis], 0, probabilities)
    return probabilities[np.arange(len(own)), own] - others.max(axis=1)


class Kind(NamedTuple):
    """A model, its samples, and what the default attack on it is to give."""

    build: Callable[[], Any]  # gives a trained model, or a function of tensors
    samples: Callable[[], Samples] = images
    similarity: type = MINE  # what "auto" stands for
    settings: Mapping[str, Any] = {}  # of the attack; nothing that tunes it
    batch: int = 8
    least: float = 0.95  # of the samples that are to have an example
    f: Callable[[Predict, Samples, Samples], np.ndarray] = reconstruction
    noise: str = ""  # of the model: "seeded" or "unseeded"
    refusal: str = ""  # to save the attack; none where it can be saved
    fits: bool = True  # whether `fit(x, x)` trains it
    slow: bool = False  # tested by hand: a quicker kind is much like it

    def attacked(self, count: int) -> Samples:
        """Samples that the model was not trained on."""
        return rows(self.samples(), slice(TRAINED, TRAINED + count))

    def predict(self, model: Any) -> Predict:
        """What a user of the model calls."""
        if isinstance(model, keras.Model) and not self.noise:
            return lambda x: model.predict(x, batch_size=self.batch, verbose=0)
        return lambda x: np.asarray(model(x))


def with_examples(x: Samples, found: uae.UAEs) -> Samples:
    """The examples in place of the input that was attacked."""
    return {**x, "image": found.x} if isinstance(x, dict) else found.x


def attacked_input(x: Samples) -> np.ndarray:
    return x["image"] if isinstance(x, dict) else x


KINDS: dict[str, Kind] = {
    "dense": Kind(dense, similarity=Gaussian),
    "convolutional": Kind(convolutional),
    "without_input": Kind(without_input),
    "rescaling": Kind(rescaling, bytes_of_images, settings={"bounds": (0, 255)}),
    "normalization": Kind(normalization),
    "batch_normalization": Kind(batch_normalization),
    "spectral_normalization": Kind(spectral_normalization, slow=True),
    "transposed": Kind(transposed, slow=True),
    "single_map": Kind(single_map, similarity=Gaussian),
    "time_distributed": Kind(time_distributed, clips),
    "convolutional_lstm": Kind(convolutional_lstm, clips, slow=True),
    "nested": Kind(nested, slow=True),
    "subclassed": Kind(subclassed),
    "tf_function": Kind(tf_function, refusal=UNCONFIGURED.format("Compiled")),
    "u_net": Kind(u_net),
    "vae_mean": Kind(vae_mean, refusal=CALLABLE, fits=False, slow=True),
    # 97 % of 256 samples, and PGD, which has no similarity to lessen, as many; one of 24 is 4 %
    "vae_sampled": Kind(vae_sampled, least=0.9, noise="seeded", refusal=CALLABLE, fits=False),
    "mc_dropout": Kind(mc_dropout, noise="seeded"),
    "unseeded_noise": Kind(unseeded_noise, noise="unseeded"),
    "several_outputs": Kind(
        several_outputs,
        settings={"criterion": uae.Reconstruction(output="image")},
        fits=False,
    ),
    "several_inputs": Kind(
        several_inputs, images_with_class, settings={"attacked": "image"}, fits=False
    ),
    "tabular": Kind(
        tabular,
        table,
        Gaussian,
        {"bounds": "features", "frozen_features": list(range(FEATURES, FEATURES + CODES))},
    ),
    "lstm": Kind(lstm, series, Gaussian),
    "insensitive_lstm": Kind(functools.partial(lstm, 8), series, Gaussian, slow=True),
    "masked_gru": Kind(masked_gru, padded_series, Gaussian),
    "causal": Kind(causal, series, slow=True),
    # 96 % of 256 samples, and PGD all: where it is sure, what is most similar keeps its class
    "classifier": Kind(
        classifier,
        settings={"criterion": "misclassification", "objective": "maximize"},
        least=0.85,
        f=kept_class,
        fits=False,
    ),
    "fixed_batch": Kind(fixed_batch, batch=4),
}
