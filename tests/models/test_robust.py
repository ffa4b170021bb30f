"""Adversarial training and TRADES: the search, the losses, and what a training step does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_uae import _draws as draws
from keras_uae.attacks import geometry
from models import TRADES, AdversarialTraining, small_classifier
from tests.graphs import all_operations
from tests.trainings import eager

KINDS = [AdversarialTraining, TRADES]

every_kind = pytest.mark.parametrize("kind", KINDS)


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def compiled(model, optimizer=keras.optimizers.SGD, learning_rate=0.1):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(learning_rate), loss, metrics=["accuracy"])
    return model


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((6, 5), dtype=np.float32), np.array([0, 1, 2, 2, 1, 0])


@pytest.fixture
def linear():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=(5, 3)), rng.normal(size=3)])
    return model


def stateful():
    """With everything that a training changes: batch normalisation and dropout."""
    inputs = keras.Input((5,))
    hidden = layers.Dense(8, "relu", kernel_initializer=keras.initializers.GlorotUniform(1))(inputs)
    hidden = layers.Dropout(0.5, seed=3)(layers.BatchNormalization()(hidden))
    last = keras.initializers.GlorotUniform(2)
    return keras.Model(inputs, layers.Dense(3, kernel_initializer=last)(hidden))


def climb(x, z, gradient, epsilon, step_size, steps):
    """The search by hand."""
    low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
    z = np.clip(z, low, high)
    for _ in range(steps):
        z = np.clip(z + step_size * np.sign(gradient(z)), low, high)
    return z


def test_adversarial_inputs_are_those_of_a_loop_by_hand(linear, data):
    x, y = data
    weights, bias = linear.get_weights()
    delta = geometry.initial_delta(tf.constant(x), tf.range(6), 0.2, tf.constant(7)).numpy()
    assert np.abs(delta).max() > 0.1

    def gradient(z):
        return (softmax(z @ weights + bias) - np.eye(3)[y]) @ weights.T

    model = AdversarialTraining(linear, epsilon=0.2, step_size=0.03, steps=9)
    expected = climb(x, x + delta, gradient, 0.2, 0.03, 9)
    np.testing.assert_allclose(model.perturb(x, y, seed=7), expected, atol=1e-6)
    np.testing.assert_array_equal(model.perturb(x, y[:, None], seed=7), model.perturb(x, y, seed=7))


def test_inputs_of_trades_are_those_of_a_loop_by_hand(linear, data):
    x, _ = data
    weights, bias = linear.get_weights()
    key = draws.stream(tf.constant(7), draws.DELTA)
    noise = draws.normal(key, x.shape, tf.float32).numpy()

    def gradient(z):
        return (softmax(z @ weights + bias) - softmax(x @ weights + bias)) @ weights.T

    model = TRADES(linear, epsilon=0.2, step_size=0.03, steps=9)
    expected = climb(x, x + 0.001 * noise, gradient, 0.2, 0.03, 9)
    np.testing.assert_allclose(model.perturb(x, seed=7), expected, atol=1e-6)


@every_kind
def test_perturbed_inputs_are_worse_and_within_reach(kind, digits):
    x, y = 255 * digits.x_test[:64], digits.y_test[:64]
    classifier = keras.Sequential([layers.Rescaling(1 / 255), small_classifier(seed=1)])
    classifier(x)
    model = kind(classifier, epsilon=20, step_size=7, steps=5, bounds=(0, 255))
    z = model.perturb(x, y)
    assert np.abs(z - x).max() == pytest.approx(20, abs=1e-4)
    assert np.min(z) == 0
    assert np.max(z) == 255
    objective = model.objective(tf.constant(x), tf.constant(y, tf.int32))
    assert (objective(z).numpy() > objective(tf.constant(x)).numpy()).all()


@every_kind
def test_the_ball_grows_over_the_warm_up(kind, linear, data):
    x, y = data
    whole = compiled(kind(linear, epsilon=0.2, step_size=0.03, steps=9))
    assert float(whole.step_share()) == 1
    model = compiled(kind(linear, epsilon=0.2, step_size=0.03, steps=9, warm_up=4))
    for share in (0.25, 0.5, 0.75, 1, 1):
        assert float(model.step_share()) == share
        expected = whole.perturb(x, y, seed=model.step_seed(), share=share)
        assert np.abs(expected - x).max() <= share * 0.2 + 1e-6
        np.testing.assert_array_equal(model.perturb_step(x, y), expected)
        model.train_on_batch(x, y)
    half = kind(linear, epsilon=0.1, step_size=0.015, steps=9)
    if kind is AdversarialTraining:  # TRADES starts from noise that does not know ε
        found = whole.perturb(x, y, seed=7, share=0.5)
        np.testing.assert_allclose(found, half.perturb(x, y, seed=7), atol=1e-6)


@every_kind
def test_starts_depend_on_the_seed_alone(kind, linear, data):
    model = kind(linear, epsilon=0.2, step_size=0.0, steps=1)
    one, again, other = (model.perturb(*data, seed=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5
    compiled(model)
    seeds = [int(model.step_seed())]
    model.train_on_batch(*data)
    seeds.append(int(model.step_seed()))
    model = compiled(kind(linear, seed=1))
    assert len({*seeds, int(model.step_seed()), int(model.step_seed())}) == 3


@every_kind
def test_search_leaves_the_classifier_alone(kind, data):
    classifier = stateful()
    before = [variable.numpy() for variable in classifier.variables]
    assert len(before) == 9  # weights, statistics, and the state of dropout
    kind(classifier, steps=3).perturb(*data)
    for variable, value in zip(classifier.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_adversarial_step_is_a_plain_step_on_perturbed_inputs(data):
    x, y = data
    weight = np.arange(6.0)
    classifier, plain = stateful(), compiled(stateful())
    model = compiled(AdversarialTraining(classifier, epsilon=0.2, steps=3, seed=5))
    z = model.perturb(x, y, seed=model.step_seed()).numpy()
    results = model.train_on_batch(x, y, weight, return_dict=True)
    assert results == pytest.approx(plain.train_on_batch(z, y, weight, return_dict=True), rel=1e-5)
    for ours, theirs in zip(classifier.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_step_of_trades_is_that_of_its_loss_by_hand(data):
    x, y = data
    weight = np.arange(6, dtype=np.float32)
    classifier, plain = stateful(), stateful()
    model = compiled(TRADES(classifier, beta=2.5, epsilon=0.2, steps=3))
    z = model.perturb(x, seed=model.step_seed())
    with tf.GradientTape() as tape:
        natural, perturbed = plain(x, training=True), plain(z, training=True)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(y, natural)
        p, q = tf.nn.softmax(natural), tf.nn.softmax(perturbed)
        divergence = tf.reduce_sum(p * tf.math.log(p / q), axis=1)
        loss = tf.reduce_mean(weight * (entropy + 2.5 * divergence))
    assert np.min(divergence) > 1e-3  # or the test says nothing
    keras.optimizers.SGD(0.1).apply(
        tape.gradient(loss, plain.trainable_variables), plain.trainable_variables
    )
    results = model.train_on_batch(x, y, weight, return_dict=True)
    assert results["loss"] == pytest.approx(float(loss), rel=1e-5)
    for ours, theirs in zip(classifier.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@every_kind
def test_evaluation_is_that_of_the_classifier(kind, linear, data):
    model = compiled(kind(linear))
    probabilities = softmax(linear(data[0]).numpy())[np.arange(6), data[1]]
    results = model.evaluate(*data, verbose=0, return_dict=True)
    assert results["loss"] == pytest.approx(-np.log(probabilities).mean(), rel=1e-5)
    np.testing.assert_array_equal(model.predict(data[0], verbose=0), linear(data[0]))


@every_kind
def test_training_lowers_the_loss(kind, digits):
    x, y = digits.x_train[:512], digits.y_train[:512]
    model = kind(small_classifier(seed=1), epsilon=0.05, step_size=0.02, steps=3)
    compiled(model, keras.optimizers.Adam, 0.01)
    calls = []
    search = model._search

    def counted(*arguments):
        calls.append(1)
        return search(*arguments)

    model._search = counted
    history = model.fit(x, y, batch_size=32, epochs=10, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert history["loss"][-1] < 0.93 * history["loss"][0]
    # over 16 seeds TRADES comes to 0.78 ± 0.05 of its loss, and an accuracy of 0.73 ± 0.07
    assert history["accuracy"][-1] > 0.4
    assert len(calls) == 1  # traced once, in 160 steps


@every_kind
def test_loop_is_one_whatever_the_steps_and_keeps_nothing(kind, linear, data):
    counts = []
    for steps in (2, 50):
        model = compiled(kind(linear, steps=steps))
        step = tf.function(model.train_step).get_concrete_function(
            tuple(map(tf.convert_to_tensor, data))
        )
        counts.append(all_operations(step))
    assert counts[0] == counts[1]
    # where its gradient asks for it, a loop pushes every intermediate on a list
    assert counts[0]["TensorListPushBack"] == 0


@every_kind
def test_saved_trainings_go_on_as_if_never_saved(kind, data, tmp_path):
    x, y = data
    settings = {"epsilon": 0.2, "step_size": 0.05, "steps": 3, "bounds": (-1.0, 2.0), "seed": 4}
    settings |= {"beta": 2.0} if kind is TRADES else {}
    classifier = keras.Sequential([keras.Input((5,)), layers.BatchNormalization(), layers.Dense(3)])
    model = kind(classifier, **settings)
    eager(compiled(model, keras.optimizers.Adam)).train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    loaded = eager(keras.models.load_model(tmp_path / "model.keras"))
    assert {name: getattr(loaded, name) for name in settings} == settings
    assert keras.saving.get_registered_name(kind) == f"keras_uae>{kind.__name__}"
    np.testing.assert_array_equal(loaded.perturb(x, y, seed=9), model.perturb(x, y, seed=9))
    assert loaded.train_on_batch(x, y) == model.train_on_batch(x, y)
    for ours, theirs in zip(loaded.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def probabilities():
    return keras.Sequential([keras.Input((5,)), layers.Dense(3, "softmax")])


def with_softmax():
    return keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Softmax()])


@every_kind
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda kind, _: kind(probabilities()), "`classifier` .* logits. Received: .*'softmax'"),
        (lambda kind, _: kind(with_softmax()), "`classifier` .* logits. Received: .*'softmax'"),
        (lambda kind, _: kind(keras.Sequential()), "`classifier` .* built.*Received: classifier=<"),
        (lambda kind, model: kind(model, epsilon=-1), "`epsilon` .*Received: epsilon=-1"),
        (lambda kind, model: kind(model, step_size=None), "`step_size` .*Received: step_size=None"),
        (lambda kind, model: kind(model, steps=0), "`steps` .*Received: steps=0"),
        (lambda kind, model: kind(model, bounds=(1, 0)), r"`bounds` .*Received: bounds=\(1, 0\)"),
        (lambda kind, model: kind(model, seed=2**31), "`seed` .*Received: seed=2147483648"),
        (lambda kind, model: kind(model).perturb(np.ones((6, 5)), np.eye(6, 3)), r"`y` .*\(6, 3\)"),
    ],
)
def test_bad_settings_are_refused(kind, make, message, linear):
    with pytest.raises(ValueError, match=message.replace("` ", f"` of {kind.__name__} ", 1)):
        make(kind, linear)


def test_what_one_kind_alone_takes_is_checked(linear, data):
    with pytest.raises(ValueError, match=r"`beta` of TRADES .*Received: beta=-1"):
        TRADES(linear, beta=-1)
    with pytest.raises(ValueError, match=r"`y` of AdversarialTraining .*Received: y=None"):
        AdversarialTraining(linear).perturb(data[0])


@every_kind
def test_samples_outside_the_bounds_are_refused(kind, linear, data):
    x, y = data
    model = compiled(kind(linear, steps=2))
    with pytest.raises(ValueError, match=rf"`x` of {kind.__name__} must lie inside bounds"):
        model.perturb(16 * x, y)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must lie inside bounds"):
        model.fit(16 * x, y, verbose=0)
    with pytest.raises(ValueError, match="Scale the images"):
        model.fit((255 * x).astype("uint8"), y, verbose=0)


@every_kind
def test_labels_that_are_none_are_refused_with_a_way_out(kind, linear, data):
    x, y = data
    model = kind(linear, steps=2)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=rf"`y` of {kind.__name__} must be"):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match=r"one-hot rows take y.argmax\(axis=-1\)"):
        model.perturb(x, np.eye(3)[y])
