"""Criteria: values and gradients against NumPy, binding, configurations."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import (
    Criterion,
    FunctionCriterion,
    MinMaxAttack,
    Reconstruction,
    criteria,
    reconstruction_error,
)
from tests import tiny_models

COUNT, DIMENSION = 5, 4


@pytest.fixture
def linear():
    """Φ(z) = zA + b in float64."""
    model = keras.Sequential(
        [keras.Input((DIMENSION,), dtype="float64"), keras.layers.Dense(DIMENSION, dtype="float64")]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=(DIMENSION, DIMENSION)), rng.normal(size=DIMENSION)])
    return model


@pytest.fixture
def pairs():
    return np.random.default_rng(1).uniform(size=(2, COUNT, DIMENSION))


def reconstruct(model, z):
    matrix, bias = model.get_weights()
    return z @ matrix + bias


@pytest.mark.parametrize("kappa", [0, 0.3])
@pytest.mark.parametrize("squared", [False, True])
def test_reconstruction_by_hand(linear, pairs, kappa, squared):
    x, z = pairs
    power = 2 if squared else 1
    expected = [
        np.linalg.norm(x[i] - reconstruct(linear, z[i])) ** power
        - np.linalg.norm(x[i] - reconstruct(linear, x[i])) ** power
        + kappa
        for i in range(COUNT)
    ]
    criterion = Reconstruction(linear, kappa=kappa, squared=squared)
    assert criterion(x, z).shape == (COUNT,)
    np.testing.assert_allclose(criterion(x, z), expected, rtol=1e-12)
    np.testing.assert_allclose(criterion(x, x), kappa, atol=1e-15)


@pytest.mark.parametrize("squared", [False, True])
def test_the_gradient_is_that_of_the_formula(linear, pairs, squared):
    x, z = pairs
    criterion = Reconstruction(linear, squared=squared)
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = criterion(tf.constant(x), z)
    residual = x - reconstruct(linear, z.numpy())
    expected = -residual @ linear.get_weights()[0].T
    expected *= 2 if squared else 1 / np.linalg.norm(residual, axis=1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(value, z), expected, rtol=1e-10)


@pytest.mark.parametrize("squared", [False, True])
def test_a_perfect_reconstruction_has_a_finite_gradient(linear, pairs, squared):
    linear.set_weights([np.eye(DIMENSION), np.zeros(DIMENSION)])
    x = tf.constant(pairs[0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = Reconstruction(linear, squared=squared)(x, x)
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(tape.gradient(value, x), 0)


def test_images_count_with_all_their_values():
    model, x = tiny_models.convolutional(), tiny_models.images(COUNT)
    z = tiny_models.images(COUNT, seed=1)
    errors = [np.square(x - model(of).numpy()).sum(axis=(1, 2, 3)) ** 0.5 for of in (z, x)]
    np.testing.assert_allclose(Reconstruction(model)(x, z), errors[0] - errors[1], rtol=1e-4)


def test_a_reconstruction_that_is_not_a_number_is_not_a_success(linear, pairs):
    x, z = pairs
    z[2] = np.nan
    for squared in (False, True):
        values = Reconstruction(linear, squared=squared)(x, z).numpy()
        np.testing.assert_array_equal(np.isnan(values), np.arange(COUNT) == 2)


@pytest.mark.parametrize("squared", [False, True])
def test_integers_are_numbers_too(squared):
    model = tiny_models.rescaled()
    x, z = ((tiny_models.images(COUNT, seed=s) * 255).astype("uint8") for s in (0, 1))
    criterion = Reconstruction(model, squared=squared)
    expected = criterion(x.astype("float32"), z.astype("float32"))
    np.testing.assert_array_equal(criterion(x, z), expected)


def test_lists_and_arrays_are_taken(linear, pairs):
    x, z = pairs.astype("float32")
    criterion = Reconstruction(linear)
    np.testing.assert_allclose(criterion(x.tolist(), z.tolist()), criterion(x, z), rtol=1e-5)


def test_the_model_runs_at_inference():
    inputs = keras.Input((DIMENSION,))
    model = keras.Model(inputs, keras.layers.Dropout(0.9)(inputs))
    x = np.ones((COUNT, DIMENSION), "float32")
    np.testing.assert_array_equal(Reconstruction(model)(x, x * 2), 2)


def test_the_only_output_is_judged_whatever_holds_it(linear, pairs):
    x, z = pairs
    expected = Reconstruction(linear)(x, z)
    inputs = keras.Input(linear.input_shape[1:], dtype="float64")
    for outputs in ([linear(inputs)], {"image": linear(inputs)}):
        model = keras.Model(inputs, outputs)
        np.testing.assert_array_equal(Reconstruction(model)(x, z), expected)


@pytest.mark.parametrize(
    ("outputs", "output", "way"),
    [
        (lambda each: {"code": each, "out": {"image": each}}, "out", r"model\(x\)\['out'\]\[…\]"),
        (lambda each: [[each, each], each], 0, r"model\(x\)\[0\]\[…\]"),
        (lambda each: [{"image": each}], None, r"model\(x\)\[0\]\[…\]"),
    ],
)
def test_an_output_of_several_is_none_that_is_judged(linear, pairs, outputs, output, way):
    criterion = Reconstruction(lambda x: outputs(linear(x)), output=output)
    with pytest.raises(ValueError, match=f"`output` of Reconstruction must name one tensor.*{way}"):
        criterion(*pairs)


def test_without_a_model_there_is_no_reconstruction(pairs):
    with pytest.raises(ValueError, match=r"`model` of Reconstruction.*Received: model=None"):
        Reconstruction()(*pairs)


def test_binding_fills_in_a_model_and_replaces_none(linear):
    free = Reconstruction(kappa=0.5)
    bound = free.bind(linear)
    assert (free.model, bound.model) == (None, linear)
    assert bound.kappa == 0.5
    other = tiny_models.dense()
    assert bound.bind(other) is bound


def test_parts_evaluate_what_the_whole_does(linear, pairs):
    x, z = (tf.constant(each) for each in pairs)
    criterion = Reconstruction(linear, kappa=0.1)
    reference = criterion.reference(x)
    np.testing.assert_array_equal(criterion.value(reference, x, z), criterion(x, z))


@keras.saving.register_keras_serializable(package="tests")
def farther(x, z):
    return 1 - tf.reduce_sum(abs(x - z), axis=1)


def test_a_callable_becomes_a_criterion(linear, pairs):
    x, z = pairs
    criterion = criteria.get(farther, linear)
    assert isinstance(criterion, FunctionCriterion)
    np.testing.assert_allclose(criterion(x, z), 1 - abs(x - z).sum(axis=1))
    integers = criteria.get(lambda x, z: tf.cast(x[:, 0] > z[:, 0], tf.int32), linear)
    assert integers(x, z).dtype == tf.float64


def test_a_comparison_is_no_criterion(linear, pairs):
    attack = MinMaxAttack(linear, criterion=lambda x, z: z[:, 0] < x[:, 0], dtype="float64")
    with pytest.raises(ValueError, match=r"must give numbers.*Received: booleans of <function"):
        attack.generate(pairs[0], verbose=0)


@pytest.mark.parametrize("function", [lambda z: z, lambda x, z, y: x, lambda x, *, scale: x])
def test_a_function_of_something_else_is_refused_with_what_is_expected(linear, function):
    with pytest.raises(ValueError, match=r"a callable f\(x, z\) that gives one value a sample"):
        MinMaxAttack(linear, criterion=function)
    assert criteria.get(max) is not None  # says nothing of its arguments


def test_a_function_outside_of_a_graph_is_refused_with_the_reason(linear, pairs):
    def distance(x, z):
        return 0 * z[:, 0] + np.abs(z.numpy() - x.numpy()).sum(axis=1)

    attack = MinMaxAttack(linear, criterion=distance, dtype="float64")
    with pytest.raises(ValueError, match=r"without numpy\(\).*distance.* raised Attrib"):
        attack.generate(pairs[0], verbose=0)


def test_a_function_without_a_gradient_is_warned_of_unless_all_are_examples(linear, pairs):
    def attack(function):
        found = MinMaxAttack(linear, criterion=function, steps=2, dtype="float64", bounds="data")
        found.generate(pairs[0], verbose=0)

    def equal(x, z):
        return tf.where(tf.argmax(x, 1) == tf.argmax(z, 1), 1, -1)

    with pytest.warns(UserWarning, match=r"equal.* has no gradient"):
        attack(equal)
    attack(lambda x, z: -tf.ones(tf.shape(z)[:1]))  # no warning, which would be an error
    attack(lambda x, z: tf.reduce_sum(tf.abs(z - x), 1) - 0.1)


def test_the_default_is_the_reconstruction_of_the_model(linear):
    criterion = criteria.get(None, linear)
    assert criterion == Reconstruction()
    assert criterion.model is linear


@pytest.mark.parametrize(
    "criterion", [Reconstruction(kappa=0.25, squared=True), FunctionCriterion(function=farther)]
)
def test_settings_survive_json(criterion):
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(criterion)))
    revived = keras.saving.deserialize_keras_object(serialized)
    assert revived == criterion
    assert repr(revived) == repr(criterion)
    assert type(criterion).from_config(criterion.get_config()) == criterion


def test_equality_is_that_of_settings(linear):
    assert Reconstruction(linear) == Reconstruction()
    assert Reconstruction(kappa=1) != Reconstruction()
    expected = "Reconstruction(kappa=1.0, squared=False, output=None)"
    assert repr(Reconstruction(linear, kappa=1)) == expected


def test_numpy_settings_survive_json(linear):
    attack = MinMaxAttack(
        linear,
        criterion=Reconstruction(kappa=np.float32(0.5)),
        steps=np.int64(3),
        epsilon=np.float32(0.5),
    )
    config = json.loads(json.dumps(attack.get_config()))
    assert (config["criterion"]["config"]["kappa"], config["steps"], config["epsilon"]) == (
        0.5,
        3,
        0.5,
    )


class Weighted(Criterion):
    """A criterion of one's own that gives a matrix."""

    def value(self, reference, x, z):
        return (z - x)[:, :1]


def test_the_shape_of_a_users_class_is_checked(linear, pairs):
    attack = MinMaxAttack(linear, criterion=Weighted(), dtype="float64")
    with pytest.raises(ValueError, match=r"one value a sample.*Received: shape \(2, 1\)"):
        attack.generate(pairs[0], verbose=0)


def test_the_base_class_leaves_the_value_open(pairs):
    with pytest.raises(NotImplementedError):
        Criterion()(*pairs)


def in_the_unit_interval():
    """Takes values in [0, 255] and gives back some in [0, 1]."""
    inputs = keras.Input(tiny_models.SHAPE)
    return keras.Model(
        inputs, tiny_models.sequential()(keras.layers.Rescaling(1 / 255)(inputs)), name="unit"
    )


def with_logits(compiled):
    """Its sigmoid restores the samples."""
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, keras.layers.Rescaling(20.0, -10.0)(inputs), name="logits")
    if compiled:
        model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model


OTHER_UNITS = {
    "unit": (in_the_unit_interval, 255, r"reach 0\.\d+, and the samples 255.*255 \* model\(x\)"),
    "logits": (lambda: with_logits(False), 1, r"are below -1 or above 2.*keras.ops.sigmoid"),
    "loss": (lambda: with_logits(True), 1, r"its loss takes them as logits.*keras.ops.sigmoid"),
}


@pytest.mark.parametrize("criterion", ["reconstruction", "self_reconstruction"])
@pytest.mark.parametrize("kind", OTHER_UNITS)
def test_outputs_in_other_units_are_warned_of_once(kind, criterion):
    """All samples had an example, and none by the loss of the model."""
    build, high, message = OTHER_UNITS[kind]
    model, x = build(), high * tiny_models.images(4)
    attack = MinMaxAttack(model, criterion=criterion, bounds=(0, high), steps=1)
    with pytest.warns(UserWarning, match=rf"model '\w+' seem to be in other units.*{message}"):
        attack.generate(x, verbose=0)
    attack.generate(x, verbose=0)
    with pytest.warns(UserWarning, match=message):
        reconstruction_error(model, x)


@pytest.mark.parametrize("criterion", ["reconstruction", "self_reconstruction"])
def test_steps_that_a_model_masks_are_warned_of(criterion):
    masking = [keras.Input((6, 2)), keras.layers.Masking(), keras.layers.Dense(2)]
    model, x = keras.Sequential(masking), np.random.default_rng(0).random((4, 6, 2))
    model.compile(loss="mse")
    assert reconstruction_error(model, x) == pytest.approx(model.evaluate(x, x, verbose=0))
    x[:, 4:] = 0
    attack = MinMaxAttack(model, criterion=criterion, steps=1)
    with pytest.warns(UserWarning, match=r"masks steps of the samples.*one length"):
        attack.generate(x, verbose=0)
    with pytest.warns(UserWarning, match=r"masks steps of the samples"):
        assert reconstruction_error(model, x) < model.evaluate(x, x, verbose=0) - 0.05


@pytest.mark.parametrize(
    ("criterion", "part"),
    [
        ("reconstruction", keras.layers.ReLU()),
        ("self_reconstruction", keras.layers.ReLU()),
        ("misclassification", keras.layers.Flatten()),
        ("contrastive", keras.layers.Flatten()),
    ],
)
def test_a_model_of_two_views_a_sample_is_told_to_give_one(criterion, part):

    def both(x):
        return keras.ops.concatenate([part(x), part(1 - x)], axis=0)

    with pytest.raises(ValueError, match=r"one row a sample.*model\.encoder\(x\).*batch of 2"):
        MinMaxAttack(both, criterion=criterion).generate(tiny_models.images(4), verbose=0)


def test_a_function_in_the_units_of_the_data_is_not_warned_of():
    model, x = in_the_unit_interval(), 255 * tiny_models.images(4)
    scaled = MinMaxAttack(lambda z: 255 * model(z), bounds=(0, 255), steps=1)
    scaled.generate(x, verbose=0)
    reconstruction_error(scaled.model, x)
    logits, x = with_logits(True), tiny_models.images(4)
    MinMaxAttack(lambda z: keras.ops.sigmoid(logits(z)), steps=1).generate(x, verbose=0)
