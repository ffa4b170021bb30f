"""The mean of the weights, against weights that were taken by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae

X = np.random.default_rng(0).uniform(size=(40, 8)).astype("float32")


def autoencoder():
    parts = [keras.Input((8,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.1)]
    model = keras.Sequential([*parts, keras.layers.Dense(8)])
    model.compile("sgd", "mse")
    return model


def trained(average, steps_per_execution=1, epochs=4, **settings):
    """A training of 5 steps an epoch, and the weights after each step that Keras shows."""
    seen = []
    model = autoencoder()
    model.steps_per_execution = steps_per_execution
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights())
    )
    settings = settings or {"x": X, "y": X, "batch_size": 8}
    model.fit(epochs=epochs, verbose=0, callbacks=[average, note], **settings)
    return model, seen


def mean(states):
    return [np.mean(each, axis=0, dtype=np.float64) for each in zip(*states, strict=True)]


def same(values, expected):
    for a, b in zip(values, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_it_is_the_mean_over_the_last_quarter():
    average = uae.MeanWeights()
    model, seen = trained(average)
    same(average.values, mean(seen[-5:]))
    model.set_weights(average.values)  # of the dtypes of the weights


@pytest.mark.parametrize(("part", "steps"), [(1.0, 20), (0.5, 10), (0.0, 1)])
def test_the_part_of_the_training(part, steps):
    average = uae.MeanWeights(part=part)
    _, seen = trained(average)
    same(average.values, mean(seen[-steps:]))


def test_few_moments_are_evenly_spread():
    average = uae.MeanWeights(part=1.0, moments=4)
    _, seen = trained(average)
    same(average.values, mean([seen[place - 1] for place in (1, 7, 14, 20)]))


def test_where_keras_runs_several_steps_at_once_it_takes_what_it_sees():
    average = uae.MeanWeights(part=1.0)
    _, seen = trained(average, steps_per_execution=5)
    assert len(seen) == 4
    same(average.values, mean(seen))


def test_an_epoch_that_ends_within_these_steps_counts_no_more_than_it_has():
    average = uae.MeanWeights(part=0.5)
    _, seen = trained(average, steps_per_execution=3)
    assert len(seen) == 8  # after 3 and 5 steps of each epoch
    same(average.values, mean(seen[-4:]))


def test_weights_in_bfloat16_are_averaged_too():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, dtype="bfloat16")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    average, seen = uae.MeanWeights(), []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights())
    )
    model.fit(X, X, batch_size=8, epochs=4, verbose=0, callbacks=[average, note])
    for values, expected in zip(average.values, mean(seen[-5:]), strict=True):
        np.testing.assert_array_equal(values, expected.astype(values.dtype))
    assert not all(map(np.array_equal, average.values, seen[-1]))


def test_a_training_begins_anew():
    average = uae.MeanWeights()
    trained(average)
    _, seen = trained(average)
    same(average.values, mean(seen[-5:]))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_training_that_goes_on_is_averaged_over_its_own_epochs():
    average, data = uae.MeanWeights(), {"x": X, "y": X, "batch_size": 8}
    _, seen = trained(average, epochs=10, initial_epoch=6, **data)
    assert len(seen) == 20
    same(average.values, mean(seen[-5:]))
    pairs = tf.data.Dataset.from_tensor_slices((X, X)).batch(8).filter(lambda x, y: True)
    _, seen = trained(
        average, epochs=10, initial_epoch=6, x=pairs, shuffle=False
    )  # of a length nobody knows
    same(average.values, mean([seen[14], seen[19]]))


def test_before_a_training_there_is_nothing():
    assert uae.MeanWeights().values is None


def test_bad_settings():
    with pytest.raises(ValueError, match=r"`part` of MeanWeights.*Received: part=2"):
        uae.MeanWeights(part=2)
