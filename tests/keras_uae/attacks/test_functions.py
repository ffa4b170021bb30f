"""A function of Keras layers under attack does what it does where it is called by itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from keras_uae._model_layers import CallableModel

SHAPE = (4,)


def samples(count=16):
    return np.random.default_rng(0).uniform(size=(count, *SHAPE)).astype("float32")


def autoencoder():
    return keras.Sequential([keras.Input(SHAPE), layers.Dense(2), layers.Dense(4)])


def f(function, x, z):
    """f_x(z) from outside."""
    x, z = np.asarray(x), np.asarray(z)
    return np.linalg.norm(x - function(z), axis=1) - np.linalg.norm(x - function(x), axis=1)


class Opposite(keras.Model):
    """Trains by default, and turns its code around where it does not."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(8, activation="relu"), layers.Dense(4)

    def call(self, x, training=True):
        code = self.encode(x)
        return self.decode(code if training else -code)


@pytest.mark.parametrize("attack", [uae.MinMaxAttack, uae.PGDAttack])
def test_its_layers_run_in_the_mode_that_they_have_by_default(attack):
    model, x = Opposite(), samples(64)
    model(x)

    def function(z):
        return model(z)

    found = attack(function).generate(x, verbose=0)
    assert found.success.mean() > 0.9
    outside = f(function, x, found.x)
    assert (outside[found.success] <= 1e-6).all()
    # by the other mode they would be others
    assert (f(lambda z: model(z, training=False), x, found.x) > 0.01).any()
    np.testing.assert_allclose(
        uae.criterion_values(uae.Reconstruction(function), x, found.x), outside, atol=1e-6
    )
    error = np.mean((function(x) - x) ** 2)
    assert uae.reconstruction_error(function, x) == pytest.approx(error, rel=1e-5)


class Around(keras.Model):
    """Restores the examples of an attack, some of whose numbers are dropped in training."""

    def __init__(self, attack):
        super().__init__()
        self.attack, self.drop = attack, layers.Dropout(0.5, seed=0)

    def call(self, x):
        z = self.attack(x)
        return z, self.drop(z)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: lambda z: model(z)])
def test_a_training_around_an_attack_goes_on_as_one(wrap):
    inputs = keras.Input(SHAPE)
    noisy = layers.Dropout(0.5, seed=1)(layers.Dense(8, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(4)(noisy))
    x = samples(64)
    outside = uae.MinMaxAttack(wrap(model), similarity="gaussian")(x)
    around = Around(uae.MinMaxAttack(wrap(model), similarity="gaussian"))
    for training, dropped in ((True, 0.5), (False, 0.0), (None, 0.0)):
        examples, outputs = around(x, training=training)
        # the attacked model is one that is used
        np.testing.assert_allclose(examples, outside, atol=1e-5)
        zeros = (outputs.numpy() == 0) & (examples.numpy() != 0)
        assert zeros.mean() == pytest.approx(dropped, abs=0.15)


def test_an_attack_in_a_functional_model_has_its_mode():
    inputs = keras.Input(SHAPE)
    model = autoencoder()
    examples = uae.MinMaxAttack(model, similarity="gaussian", steps=2)(inputs)
    outputs = layers.Dropout(0.5, seed=0)(examples)
    whole = keras.Model(inputs, [examples, outputs])
    found, kept = whole(samples(64), training=True)
    assert ((kept.numpy() == 0) & (found.numpy() != 0)).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("own", [False, True], ids=["a generator beside it", "that of Keras"])
def test_noise_that_no_layer_owns_is_judged_on_fresh_draws(own):
    encode, decode, x = layers.Dense(8), layers.Dense(4), samples(64)
    decode(encode(x))
    generator = None if own else keras.random.SeedGenerator(7)

    def function(z):
        code = encode(z)
        return decode(code + keras.random.normal(tf.shape(code), stddev=0.3, seed=generator))

    attack = uae.MinMaxAttack(function, steps=20)
    found = attack.generate(x, verbose=0)
    behaviour = attack._subject.behaviour
    assert behaviour is not None
    (state,) = behaviour.generators
    success = found.success
    assert success.mean() > 0.8

    def drawn(z, number):
        state.assign([number, 0])
        return function(z)

    # 200 more draws, each the same for both
    draws = np.array([f(lambda z, i=i: drawn(z, i), x, found.x) for i in range(100, 300)])
    draws = draws[:, success]
    assert (draws.mean(0) <= 0).mean() > 0.95
    # what is reported differs from their mean by chance alone; of one draw half would not
    chance = draws.std(0) * np.sqrt(1 / 16 + 1 / 200)
    assert np.mean(np.abs(draws.mean(0) - found.criterion[success]) < 3 * chance) > 0.95


def test_notes_of_a_function_are_those_of_its_last_data():
    model, x = autoencoder(), samples()
    before = uae.MinMaxAttack(lambda z: model(z))
    assert before.notes == []
    before.generate(x, verbose=0)
    located = uae.MinMaxAttack(lambda z: model(z), bounds="features")
    located.generate(x, verbose=0)
    for attack in (before, located):
        assert any(note.startswith("similarity: Gaussian") for note in attack.notes)


def test_blind_spots_of_a_function():
    model, x = autoencoder(), samples()
    settings = {"samples": 8, "steps": 5, "verbose": 0}
    by_function = uae.blind_spots(lambda z: model(z), x, **settings)
    assert by_function.cells() == uae.blind_spots(model, x, **settings).cells()


def test_what_came_is_dropped_the_mode_too():
    modes = []

    class Mode(layers.Layer):
        def call(self, x, training=None):
            modes.append(training)
            return x

    layer = Mode()
    function = CallableModel(lambda x: layer(x))
    for training in (True, False, None):
        function(tf.zeros((1, 2)), training=training)
    assert modes == [None] * 3
