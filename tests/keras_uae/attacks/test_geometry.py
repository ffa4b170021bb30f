"""The stationarity gap of Theorem 1 against closed forms."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from experiments.convergence import curve, slope
from keras_uae import MinMaxAttack
from keras_uae.attacks.geometry import stationarity_gap, step_length
from keras_uae.similarity import Similarity
from tests import tiny_models

DIMENSION, STEPS, ALPHA, TARGET = 6, 30, 0.1, 0.4


@dataclass(frozen=True, kw_only=True)
class Bowl(Similarity):
    """½‖z − a‖², of which gradient descent is known in closed form."""

    def estimate(self, drawn, state, v, t):
        return state, tf.reduce_sum((v - TARGET) ** 2, axis=[1, 2]) / 2


def gap(z, gradient, violation):
    z, gradient, violation = (tf.constant([each], tf.float64) for each in (z, gradient, violation))
    low, high = tf.zeros_like(z), tf.ones_like(z)
    return stationarity_gap(z, gradient, violation, low, high).numpy()[0]


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_decaying_steps_fall_evenly_and_have_the_step_size_as_their_mean(steps):
    lengths = step_length(ALPHA, "decaying", tf.range(steps), steps, tf.float64).numpy()
    assert lengths.mean() == pytest.approx(ALPHA)
    np.testing.assert_allclose(np.diff(lengths), -lengths[-1])
    assert step_length(ALPHA, "max", tf.constant(3), steps, tf.float64) == ALPHA


def test_inside_the_box_it_is_the_norm_of_the_gradient_and_of_the_violation():
    assert gap([0.5, 0.5], [0.3, 0.0], 0.4) == pytest.approx(0.5)


def test_a_gradient_that_points_out_of_the_box_is_none():
    assert gap([0.0, 1.0], [7.0, -7.0], 0.0) == 0
    # as far as the projection lets it go
    assert gap([0.25, 0.5], [7.0, 0.0], 0.0) == pytest.approx(0.25)


@pytest.fixture(scope="module")
def traced():
    """An attack whose criterion always holds, so that only the bowl is descended."""
    model = tiny_models.linear(DIMENSION)
    attack = MinMaxAttack(
        model,
        criterion=lambda x, z: -tf.ones_like(z[:, 0]),
        similarity=Bowl(),
        step_rule="raw",
        step_size=ALPHA,
        steps=STEPS,
        initial_radius=0.0,
        dtype="float64",
    )
    x = np.random.default_rng(0).uniform(size=(4, DIMENSION))
    return x, attack.generate(x, trace=True, verbose=0).trace["gap"]


def test_descent_into_a_bowl_shrinks_it_geometrically(traced):
    x, gaps = traced
    first = np.linalg.norm(x - TARGET, axis=1, keepdims=True)
    np.testing.assert_allclose(gaps, first * (1 - ALPHA) ** np.arange(STEPS + 1), rtol=1e-9)


def test_a_curve_is_of_squares_and_its_least_never_rises(traced):
    _, gaps = traced
    found = curve(gaps)
    assert found["iteration"][0] == 1
    assert found["iteration"][-1] == STEPS + 1
    last = np.array(found["iteration"]) - 1
    np.testing.assert_allclose(found["median"], np.median(gaps**2, axis=0)[last])
    np.testing.assert_allclose(found["least"], found["median"])  # it falls all the time
    up_and_down = curve(np.array([[3.0, 1.0, 2.0]]))
    assert up_and_down["least"] == [9, 1, 1]
    assert up_and_down["median"] == [9, 1, 4]


def test_the_slope_of_a_power_is_its_exponent():
    t = np.array([1, 4, 9, 100])
    assert slope(t, 3 * t**-0.5) == pytest.approx(-0.5)
    assert slope([1], [2.0]) is None
    assert slope([1, 2, 4], [1.0, 0.0, 0.25]) == pytest.approx(-1)  # 0 has no logarithm
