"""The closed form of mutual information under random sampling."""

import numpy as np
import tensorflow as tf

from keras_uae.similarity import gaussian_mutual_information


def test_it_is_the_formula_of_the_cosine():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 5, 3, 2))
    rho = np.sum(x * z, (1, 2)) / np.sqrt(np.sum(x**2, (1, 2)) * np.sum(z**2, (1, 2)))
    expected = -64 * np.log(1e-6 + (1 - 1e-6) * (1 - rho**2))
    np.testing.assert_allclose(gaussian_mutual_information(x, z), expected, rtol=1e-12)


def test_the_gradient_by_hand_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    x, z = (tf.constant(rng.normal(size=(4, 6))) for _ in range(2))

    def literal(x, z):
        square = tf.reduce_sum(x * z, 1) ** 2 / (tf.reduce_sum(x**2, 1) * tf.reduce_sum(z**2, 1))
        return -8 * tf.math.log(1e-3 + (1 - 1e-3) * (1 - square))

    gradients = []
    for function in (
        literal,
        lambda x, z: gaussian_mutual_information(x, z, dimension=16, floor=1e-3),
    ):
        with tf.GradientTape() as tape:
            tape.watch([x, z])
            value = function(x, z)
        gradients.append(tape.gradient(value, [x, z]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_no_digits_are_lost_near_x():
    """1 − ρ² of float32 vectors an angle of 1e-4 apart is 1e-8, below the rounding of ρ."""
    x = np.array([[1.0, 0.0]], "float32")
    z = np.array([[1.0, 1e-4]], "float32")
    value = gaussian_mutual_information(x, z, dimension=2, floor=1e-30)
    np.testing.assert_allclose(value, [-np.log(1e-8)], rtol=1e-5)


def test_vectors_without_length_and_numbers_that_are_none():
    x = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [1.0, 2.0]])
    z = tf.constant([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [np.nan, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = gaussian_mutual_information(x, z, dimension=2)
    np.testing.assert_allclose(value[:2], 0, atol=1e-6)
    np.testing.assert_allclose(value[2], -np.log(1e-6), rtol=1e-3)
    assert np.isnan(value[3])
    gradient = tape.gradient(value, z).numpy()
    assert np.isfinite(gradient[:3]).all()
    np.testing.assert_array_equal(gradient[:3], 0)
