"""reconstruction_error, criterion_values and success_rate against NumPy and hand numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import (
    FunctionCriterion,
    MinMaxAttack,
    Reconstruction,
    criterion_values,
    gaussian_noise,
    reconstruction_error,
    success_rate,
)
from keras_uae.evaluation import extract_features
from tests import tiny_models

COUNT = 7


@pytest.fixture
def x():
    return tiny_models.images(COUNT)


def halving():
    """Φ(z) = z / 2."""
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))


def test_reconstruction_error_by_hand():
    # (0.5² + 1² + 0² + 1.5²) / 4
    assert reconstruction_error(halving(), np.array([[1.0, 2.0], [0.0, 3.0]])) == 0.875


@pytest.mark.parametrize("kind", tiny_models.KINDS)
def test_reconstruction_error_is_that_of_numpy(kind, x):
    model = tiny_models.KINDS[kind]()
    expected = np.mean((model(x).numpy().astype("float64") - x) ** 2)
    for batch_size in (1, 3, COUNT, 100):
        error = reconstruction_error(model, x, batch_size=batch_size)
        assert error == pytest.approx(expected, rel=1e-6)
    model.compile(loss="mse")
    assert error == pytest.approx(model.evaluate(x, x, verbose=0), rel=1e-5)


def test_reconstruction_error_sums_in_double_precision():
    x = np.ones((100_001, 2), np.float32)
    x[0] = 20_000
    expected = (2 * 10_000.0**2 + 100_000 * 0.5) / 200_002
    assert reconstruction_error(halving(), x, batch_size=100_001) == pytest.approx(
        expected, rel=1e-12
    )


def test_the_model_is_judged_at_inference(x):
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, keras.layers.Dropout(0.9)(inputs))
    assert reconstruction_error(model, x) == 0


def test_integers_and_values_outside_of_the_unit_interval_are_fine():
    assert reconstruction_error(halving(), np.array([[-2, 4]])) == 2.5


class Noisy(keras.layers.Layer):
    """Adds noise at inference, as a VAE that samples does."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.generator)


EVALUATIONS = {
    "reconstruction_error": lambda model, x: reconstruction_error(model, x, batch_size=2),
    "criterion_values": lambda model, x: criterion_values(
        Reconstruction(model), x, x, batch_size=2
    ),
    "extract_features": lambda model, x: extract_features(model, x, batch_size=2),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation_leaves_the_noise_of_a_model_as_it_was(name, x):
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, Noisy()(inputs))
    before = [each.numpy() for each in model.variables]
    first, second = (EVALUATIONS[name](model, x) for _ in range(2))
    np.testing.assert_equal([each.numpy() for each in model.variables], before)
    np.testing.assert_array_equal(first, second)


def test_noise_goes_on_from_batch_to_batch(x):
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, Noisy()(inputs))
    rows = extract_features(model, np.repeat(x[:1], 4, axis=0), batch_size=2)
    assert len(np.unique(rows, axis=0)) == 4


SHIFT = FunctionCriterion(function=lambda x, z: tf.reduce_sum(z - x, axis=1))


def test_success_rate_by_hand():
    x = np.zeros((4, 2))
    z = np.array([[1.0, 1.0], [-1.0, 0.5], [0.0, 0.0], [2.0, -3.0]])
    np.testing.assert_array_equal(criterion_values(SHIFT, x, z), [2.0, -0.5, 0.0, -1.0])
    assert success_rate(SHIFT, x, z) == 0.75
    assert success_rate(SHIFT, x, x) == 1
    assert success_rate(SHIFT, x, x + 1) == 0


@pytest.mark.parametrize("batch_size", [1, 3, COUNT])
def test_batches_do_not_matter(x, batch_size):
    keras.utils.set_random_seed(0)  # of other models noise is always an example, or never
    criterion = Reconstruction(tiny_models.convolutional(), kappa=0.01)
    z = gaussian_noise(x, 0.1)
    values = criterion_values(criterion, x, z, batch_size=batch_size)
    np.testing.assert_allclose(values, criterion(x, z), atol=1e-5)
    rate = success_rate(criterion, x, z, batch_size=batch_size)
    assert rate == np.mean(values <= 0)
    assert 0 < rate < 1


def test_an_attack_and_the_evaluation_agree(x):
    settings = {"similarity": "gaussian", "steps": 4, "initial_multiplier": 0.0}
    attack = MinMaxAttack(tiny_models.convolutional(), **settings)
    found = attack.generate(x, verbose=0)
    values = criterion_values(attack.criterion, x, found.x)
    np.testing.assert_array_equal(values[~found.success], 0)
    np.testing.assert_allclose(values[found.success], found.criterion[found.success], atol=1e-5)
    assert 0 < found.success_rate < success_rate(attack.criterion, x, found.x) == 1


def test_values_that_are_not_finite_are_no_success():
    criterion = FunctionCriterion(function=lambda x, z: tf.math.log(z[:, 0]))
    z = np.array([[-1.0], [0.5], [2.0]])
    assert success_rate(criterion, np.ones((3, 1)), z) == pytest.approx(1 / 3)


def test_bad_input_is_named(x):
    model = tiny_models.convolutional()
    criterion = Reconstruction(model)
    inputs = keras.Input(tiny_models.SHAPE)
    flat = keras.Model(inputs, keras.layers.Flatten()(inputs))
    pair = keras.Model(inputs, [inputs * 1, inputs * 2])
    nan = np.full_like(x, np.nan)
    for wrong, way in ((flat, ""), (pair, r".*; of several outputs.*model\(x\)\[0\]")):
        with pytest.raises(
            ValueError, match=f"`model` of reconstruction_error{way}.*Received: model"
        ):
            reconstruction_error(wrong, x)
    assert reconstruction_error(lambda x: pair(x)[0], x) == 0
    with pytest.raises(ValueError, match="`x` of reconstruction_error must be finite"):
        reconstruction_error(model, nan)
    with pytest.raises(ValueError, match=r"`x` of reconstruction_error.*non-empty"):
        reconstruction_error(model, x[:0])
    with pytest.raises(ValueError, match=r"`batch_size`.*Received: batch_size=0"):
        reconstruction_error(model, x, batch_size=0)
    with pytest.raises(ValueError, match=r"`z` of criterion_values must be finite"):
        criterion_values(criterion, x, nan)
    with pytest.raises(ValueError, match=r"`z` of criterion_values.*shape of `x`.*\(6, 6, 6, 1\)"):
        criterion_values(criterion, x, x[:-1])
    with pytest.raises(ValueError, match=r"`batch_size`.*Received: batch_size=1.5"):
        success_rate(criterion, x, x, batch_size=1.5)
    with pytest.raises(ValueError, match="`model` of Reconstruction must be set"):
        success_rate(Reconstruction(), x, x)
    with pytest.raises(ValueError, match=r"`criterion` of criterion_values must be a Criterion"):
        success_rate(model.output, x, x)
    with pytest.raises(ValueError, match=r"one value a sample.*shape \(7, 7\) for a batch of 7"):
        success_rate(lambda x, z: x[:, 0, 0, 0] - z[:, 0, 0], x, x)  # broadcast by mistake


def test_a_model_of_several_inputs_is_evaluated_as_a_function_of_one(x):
    image = keras.Input(tiny_models.SHAPE, name="image")
    shift = keras.Input((1, 1, 1), name="shift")
    model = keras.Model({"image": image, "shift": shift}, image + shift)
    attack = MinMaxAttack(model, attacked="image", steps=1)
    others = np.linspace(0.1, 0.7, COUNT, dtype=np.float32).reshape(-1, 1, 1, 1)
    for evaluate in (
        lambda: reconstruction_error(model, x),
        lambda: reconstruction_error(model, {"image": x, "shift": others}),
        lambda: criterion_values(Reconstruction(model), x, x),
        lambda: criterion_values(attack.criterion, x, x),
        lambda: extract_features(model, x),
    ):
        with pytest.raises(ValueError, match=r"must have one input; .*model\({'image': x, "):
            evaluate()

    def function(x):
        return model({"image": x, "shift": tf.constant(others)})

    error = reconstruction_error(function, x, batch_size=COUNT)
    assert error == pytest.approx(np.mean(others**2), rel=1e-5)
    values = criterion_values(Reconstruction(function), x, x + others, batch_size=COUNT)
    size = np.sqrt(x[0].size) * others.ravel()
    np.testing.assert_allclose(values, 2 * size - size, rtol=1e-4)
