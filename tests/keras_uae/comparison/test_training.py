"""One training: the batches and weights of `fit`, whatever was trained before, and its figures."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from keras_uae.comparison.fresh import FreshModels
from keras_uae.comparison.training import Trainer

X = np.random.default_rng(0).uniform(size=(20, 6)).astype("float32")
ERROR = uae.Metric(lambda model, x, y: uae.reconstruction_error(model, x), "error")


def build(seed=None, kind=keras.Sequential):
    model = kind([keras.Input((6,)), layers.Dense(3), layers.Dropout(0.2), layers.Dense(6)])
    model.compile("adam", "mse")
    return model


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def data(added=X, **settings):
    return uae.UAEAugmentation(X, added, batch_size=8, **settings)


def fitted(seed, epochs):
    """What `fit` makes of it, epoch by epoch."""
    keras.utils.set_random_seed(seed)
    model = build()
    keras.utils.set_random_seed(seed)
    model.fit(data(), epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


def check_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        if np.issubdtype(a.dtype, np.floating):  # the state of a generator counts its draws
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [keras.Sequential, OwnStep])
def test_the_weights_are_those_of_fit_whatever_was_trained_before(kind):
    trainer = Trainer(FreshModels(lambda seed: build(kind=kind), X))
    assert trainer.reuses == (kind is keras.Sequential)
    for seed in (0, 1, 0):
        trained = trainer.train(seed, data(), epochs=3)
        assert (trained.steps, trained.samples) == (15, 40)
        check_equal(trained.model.get_weights(), fitted(seed, 3))


def test_a_callback_sees_the_epochs():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    trained = Trainer(FreshModels(build, X)).train(0, data(), epochs=3, callbacks=[callback])
    assert seen == [0, 1, 2]
    check_equal(trained.model.get_weights(), fitted(0, 3))


def test_a_budget_ends_within_an_epoch_and_all_work_is_told():
    told = []
    trainer = Trainer(FreshModels(build, X))
    for steps in (13, 13 + 3 * 140):  # one by one, and ten at once
        trained = trainer.train(0, data([]), budget=steps, advance=told.append)
        assert trained.steps == steps
        # three steps an epoch, the last of them with 4 samples
        assert sum(told) == steps // 3 * 20 + 8
        told.clear()


def test_a_training_goes_on_after_another():
    trainer = Trainer(FreshModels(build, X))
    first = trainer.train(0, data(), budget=5)
    before = first.model.get_weights()
    second = trainer.train(0, data(), budget=3, after=first)
    assert second.steps == 8
    assert not np.array_equal(before[0], second.model.get_weights()[0])
    check_equal(trainer.train(0, data(), budget=5).model.get_weights(), before)


def test_a_training_in_parts_is_averaged_as_one_in_a_piece():
    trainer, weights = Trainer(FreshModels(build, X)), []
    trained: Any = None
    for steps in (5, 1, 1, 1):  # the last quarter are two parts
        trained = trainer.train(0, data(), budget=steps, after=trained, total=8)
        weights.append(trained.model.get_weights())
    check_equal(trained.average.values, [sum(pair) / 2 for pair in zip(*weights[2:], strict=True)])


def test_figures_are_of_both_weights_and_the_model_keeps_the_last():
    trained = Trainer(FreshModels(build, X)).train(0, data(), budget=40)
    last = trained.model.get_weights()
    found = trained.measure([ERROR], X)
    check_equal(trained.model.get_weights(), last)
    assert found["last"]["error"] == uae.reconstruction_error(trained.model, X)
    assert trained.average is not None
    trained.model.set_weights(trained.average.values)
    assert found["averaged"]["error"] == uae.reconstruction_error(trained.model, X)
    assert found["averaged"] != found["last"]


def test_a_training_that_diverges_ends_and_has_no_figures():
    def wild(seed):
        model = build()
        model.compile(keras.optimizers.SGD(float("inf")), "mse")
        return model

    trained = Trainer(FreshModels(wild, X)).train(0, data(), epochs=100)
    assert trained.steps == 10  # where the loss was looked at
    assert trained.measure([ERROR], X) == {"last": {"error": None}, "averaged": None}


def test_what_evaluates_sees_all_samples_after_short_and_long_trainings():
    x = np.random.default_rng(1).uniform(size=(640, 6)).astype("float32")  # 20 batches of 32
    loss = uae.Metric(lambda model, x, y: model.evaluate(x, x, verbose=0), "loss")
    trainer = Trainer(FreshModels(build, X))
    assert loss(trainer.model, x) > 0  # its function is made before the first training
    functions = []
    for steps in (20, 500, 20, 500):
        trained = trainer.train(0, data(), budget=steps)
        expected = uae.reconstruction_error(trained.model, x)
        assert trained.measure([loss], x)["last"]["loss"] == pytest.approx(expected, rel=1e-5)
        assert trained.model.predict(x, verbose=0).shape == x.shape
        functions.append(trainer._functions[10 if steps == 500 else 1])
    assert functions[:2] == functions[2:]  # each is traced once


class TwoPlayers(keras.Model):
    """Optimizers of its own; the one of Keras' `compile` does nothing."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(3), layers.Dense(6)
        self.build((None, 6))

    def build(self, shape):
        self.encode.build(shape)
        self.decode.build((None, 3))
        self.built = True

    def call(self, x):
        return self.decode(self.encode(x))

    def compile(self, first, second):
        super().compile()
        self.first, self.second = first, second

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
        for part, optimizer in ((self.encode, self.first), (self.decode, self.second)):
            weights = part.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def two_players():
    model = TwoPlayers()
    model.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
    return model


def alone(model, data):
    model.fit(data, epochs=3, shuffle=False, verbose=0)


@pytest.mark.parametrize("fit", [None, alone])
def test_steps_of_a_model_with_optimizers_of_its_own_are_counted(fit):
    trainer = Trainer(FreshModels(two_players, X), fit=fit)
    assert trainer.train(0, data(), epochs=3).steps == 15


def test_the_time_of_a_sample_is_measured_and_leaves_no_trace():
    trainer = Trainer(FreshModels(build, X))
    before = trainer.train(0, data(), epochs=1).model.get_weights()
    for steps in (15, 500):
        assert 0 < trainer.seconds_per_sample(data(), steps) < 1
    check_equal(trainer.train(0, data(), epochs=1).model.get_weights(), before)


def test_a_model_of_a_distribution_strategy_is_trained_as_any_other():
    """Its variables are mirrored, which int() does not take."""
    figures = []
    for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0"])):
        with strategy.scope():
            found = uae.compare(build, X, X[:8], epochs=1, seeds=1, arms=[], verbose=0)
        figures.append([each["last"]["reconstruction error"] for each in found.records])
    assert figures[0] == pytest.approx(figures[1], rel=1e-4)
