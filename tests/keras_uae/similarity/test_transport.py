"""Feature scattering against the exact assignment, which transports equal weights at least cost."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from keras_uae.similarity import FeatureScattering
from keras_uae.similarity.transport import cosine_distances, transport_plan

LONG = FeatureScattering(iterations=2000)


def exact_distance(u: np.ndarray, v: np.ndarray) -> float:
    """D of one sample, features (d', K) that are not zero."""
    cost = cdist(u.T, v.T, "cosine")
    return cost[linear_sum_assignment(cost)].mean()


def pairs(batch=6, dimension=3, count=5, seed=0):
    """Features u and v of a few samples, in float64."""
    return np.random.default_rng(seed).normal(size=(2, batch, dimension, count))


def distance(similarity: FeatureScattering, u, v) -> np.ndarray:
    u, v = tf.constant(u), tf.constant(v)
    estimate = tf.function(similarity.estimate)  # as in an attack; a loop of Python takes seconds
    return -estimate((), similarity.init((), u, u), v, tf.constant(0))[1].numpy()


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_it_is_the_cost_of_the_best_assignment(count):
    u, v = pairs(count=count)
    expected = [exact_distance(*pair) for pair in zip(u, v, strict=True)]
    np.testing.assert_allclose(distance(LONG, u, v), expected, rtol=1e-5)


def test_the_default_number_of_steps_comes_close():
    u, v = pairs(batch=50, dimension=36, count=16)
    near = u + 0.5 * v  # what an attack looks at
    for z in (v, near):
        expected = [exact_distance(*pair) for pair in zip(u, z, strict=True)]
        np.testing.assert_allclose(distance(FeatureScattering(), u, z), expected, rtol=0.02)


def test_a_plan_has_the_right_margins_and_a_tie_is_shared():
    u, v = pairs()
    plan = transport_plan(cosine_distances(u, v), iterations=2000, regularization=0.1)
    for axis in (1, 2):
        np.testing.assert_allclose(tf.reduce_sum(plan, axis=axis), 1 / 5, atol=1e-5)
    tied = transport_plan(tf.ones((1, 3, 3)), iterations=5, regularization=0.1)
    np.testing.assert_allclose(tied, np.full((1, 3, 3), 1 / 9), rtol=1e-6)


def test_costs_of_any_size_are_finite():
    cost = tf.constant([[[0.0, 1e4], [1e4, 0.0]], [[1e4, 0.0], [0.0, 1e4]]])
    plan = transport_plan(cost, iterations=5, regularization=1e-3)
    np.testing.assert_allclose(plan, [np.eye(2) / 2, np.eye(2)[::-1] / 2], atol=1e-7)


def test_equal_features_in_any_order_and_of_any_norm_are_no_distance():
    u, _ = pairs()
    for v in (u, u[:, :, ::-1], 3 * u):
        np.testing.assert_allclose(distance(LONG, u, v), 0, atol=1e-9)


def test_it_is_symmetric_and_at_most_2():
    u, v = pairs()
    np.testing.assert_allclose(distance(LONG, u, v), distance(LONG, v, u), rtol=1e-5)
    np.testing.assert_allclose(distance(LONG, u[..., :1], -u[..., :1]), 2, rtol=1e-12)


def test_a_batch_is_its_samples():
    u, v = pairs()
    single = [distance(FeatureScattering(), u[i : i + 1], v[i : i + 1])[0] for i in range(len(u))]
    np.testing.assert_allclose(distance(FeatureScattering(), u, v), single, rtol=1e-12)


def test_features_that_are_zero_cost_nothing_to_one_another():
    u = np.zeros((1, 4, 2))
    v = np.zeros((1, 4, 2))
    v[0, 0, 1] = 5.0
    np.testing.assert_array_equal(cosine_distances(u, u), np.zeros((1, 2, 2)))
    np.testing.assert_array_equal(cosine_distances(u, v), [[[0, 0.5], [0, 0.5]]])


def test_its_gradient_is_that_of_the_exact_distance():
    u, v = pairs(batch=2)
    v = tf.Variable(v)
    with tf.GradientTape() as tape:
        value = -LONG.estimate((), tf.constant(u), v, tf.constant(0))[1]
    gradient = tape.gradient(value, v).numpy()
    v, step = v.numpy(), 1e-6
    for place in np.ndindex(*v.shape):
        moved = [v[place[0]].copy() for _ in range(2)]
        moved[0][place[1:]] += step
        moved[1][place[1:]] -= step
        above, below = (exact_distance(u[place[0]], each) for each in moved)
        np.testing.assert_allclose(gradient[place], (above - below) / (2 * step), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "`iterations` of FeatureScattering .* Received: iterations=0"),
        ({"regularization": 0}, "`regularization` of FeatureScattering .*regularization=0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        FeatureScattering(**settings)
