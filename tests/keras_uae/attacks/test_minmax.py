"""Algorithm 1 against a NumPy transcription, step for step, on a linear autoencoder."""

import numpy as np
import pytest
import tensorflow as tf

from keras_uae import MinMaxAttack
from keras_uae.attacks.geometry import STEP_RULES, initial_delta
from keras_uae.similarity import MINE, Cosine, Gaussian, RandomSampling
from tests import tiny_models
from tests.keras_uae.similarity.test_mine import algorithm_2

DIMENSION = 6


@pytest.fixture
def linear():
    return tiny_models.linear(DIMENSION)


@pytest.fixture
def samples():
    return np.random.default_rng(1).uniform(size=(5, DIMENSION))


def numpy_minmax(x, delta, matrix, value_and_gradient, settings):
    """The loop of the paper for one sample; returns the best z and the history."""
    alpha, beta, epsilon, steps, rule, sign, c = settings
    low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
    loss = np.linalg.norm(x - x @ matrix)
    z = np.clip(x + delta, low, high)
    best, best_value, best_t, history = None, sign * np.inf, 0, []
    for t in range(steps + 1):  # δ₀ is looked at, and is no example
        residual = x - z @ matrix
        f = np.linalg.norm(residual) - loss
        on_f = -(residual / np.linalg.norm(residual)) @ matrix.T if f > 0 else 0 * z
        value, on_value = value_and_gradient(z, t)
        c = max(0, (1 - beta / (t + 1) ** 0.25) * c + beta * max(f, 0))
        gradient = c * on_f + sign * on_value
        gap = np.hypot(np.linalg.norm(z - np.clip(z - gradient, low, high)), np.maximum(f, 0))
        history.append((value, f, c, gap))
        if t > 0 and f <= 0 and sign * value < sign * best_value:
            best, best_value, best_t = z, value, t
        step = {
            "raw": gradient,
            "sign": np.sign(gradient),
            "max": gradient / np.abs(gradient).max(),
            "decaying": gradient / np.abs(gradient).max() * 2 * (steps - t) / (steps + 1),
        }[rule]
        z = np.clip(z - alpha * step, low, high)
    return best, best_t, np.array(history)


def compare(attack, x, value_and_gradient):
    found = attack.generate(x, seed=7, trace=True, verbose=0)
    deltas = initial_deltas(attack, len(x))
    sign = 1 if attack.objective == "minimize" else -1
    settings = (
        attack.step_size,
        attack.multiplier_step_size,
        attack.epsilon,
        attack.steps,
        attack.step_rule,
        sign,
        attack.initial_multiplier,
    )
    matrix = attack.model.get_weights()[0]
    for i in range(len(x)):
        best, best_t, history = numpy_minmax(
            x[i], deltas[i], matrix, value_and_gradient(attack, x[i]), settings
        )
        for column, name in enumerate(("similarity", "criterion", "multiplier", "gap")):
            np.testing.assert_allclose(
                found.trace[name][i], history[:, column], atol=1e-9, err_msg=name
            )
        assert found.iteration[i] == best_t
        assert found.success[i] == (best is not None)
        np.testing.assert_allclose(found.x[i], x[i] if best is None else best, atol=1e-9)
    return found.success.mean()


def initial_deltas(attack, count):
    x = tf.zeros((count, DIMENSION), tf.float64)
    radius = attack.radius(x.shape[1:])
    return initial_delta(x, tf.range(count, dtype=tf.int64), radius, tf.constant(7)).numpy()


def mine_in_numpy(attack, x):
    similarity, features = attack.similarity, attack.similarity.features
    seed = tf.constant(7, tf.int64)
    projection = features.draw(seed, tf.zeros((1, DIMENSION), tf.float64)).numpy()
    shape = tf.TensorShape([features.dimension, features.samples])
    w_x, w_y, training, report = (
        each.numpy() for each in similarity.draw(seed, shape, attack.steps + 1, tf.float64)
    )

    def value_and_gradient(z, t):
        u, v = (np.reshape(each @ projection, shape) for each in (x, z))
        value, on_v = algorithm_2(
            u, v, w_x[0], w_y[0], training[t], report, similarity.learning_rate
        )
        return value, projection @ on_v.ravel()

    return value_and_gradient


def cosine_in_numpy(attack, x):
    def value_and_gradient(z, t):
        norms = np.linalg.norm(x) * np.linalg.norm(z)
        return x @ z / norms, x / norms - (x @ z) * z / (norms * (z @ z))

    return value_and_gradient


def gaussian_in_numpy(attack, x):
    dimension, floor = attack.similarity.dimension, attack.similarity.floor

    def value(z):
        rest = 1 - (x @ z) ** 2 / ((x @ x) * (z @ z))
        return -dimension / 2 * np.log(floor + (1 - floor) * rest)

    def value_and_gradient(z, t):
        rest = 1 - (x @ z) ** 2 / ((x @ x) * (z @ z))
        on_rest = -2 * (x @ z) / ((x @ x) * (z @ z)) * (x - (x @ z) / (z @ z) * z)
        return value(z), -dimension / 2 * (1 - floor) / (floor + (1 - floor) * rest) * on_rest

    return value_and_gradient


@pytest.mark.parametrize("step_rule", STEP_RULES)
def test_minimising_mine_is_algorithm_1(linear, samples, step_rule):
    similarity = MINE(features=RandomSampling(samples=8, dimension=3), steps=4, hidden_units=3)
    attack = MinMaxAttack(
        linear,
        similarity=similarity,
        step_rule=step_rule,
        steps=12,
        step_size=0.05,
        dtype="float64",
    )
    compare(attack, samples, mine_in_numpy)


@pytest.mark.parametrize("objective", ["minimize", "maximize"])
@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_plain_similarities_follow_algorithm_1(linear, samples, objective, epsilon):
    attack = MinMaxAttack(
        linear,
        similarity=Cosine(),
        objective=objective,
        epsilon=epsilon,
        multiplier_step_size=0.3,
        initial_multiplier=0.5,
        steps=15,
        dtype="float64",
    )
    success_rate = compare(attack, samples, cosine_in_numpy)
    assert success_rate > 0


def test_the_closed_gaussian_form_follows_algorithm_1(linear, samples):
    attack = MinMaxAttack(linear, similarity=Gaussian(dimension=16), steps=15, dtype="float64")
    compare(attack, samples, gaussian_in_numpy)


def test_the_paper_starts_at_x_which_is_no_example_of_itself(linear, samples):
    attack = MinMaxAttack.from_preset(
        "paper", linear, similarity="random", steps=1, step_size=0.0, dtype="float64"
    )
    found = attack.generate(samples, trace=True, verbose=0)
    np.testing.assert_allclose(found.trace["criterion"], 0, atol=1e-15)
    assert not found.success.any()
    np.testing.assert_array_equal(found.x, samples)


@pytest.mark.parametrize("similarity", ["gaussian", "cosine", "l2"])
def test_where_the_gradient_at_x_is_zero_it_starts_beside_it(linear, samples, similarity):
    attack = MinMaxAttack.from_preset("paper", linear, similarity=similarity, dtype="float64")
    assert attack.radius(samples.shape[1:]) == 1e-3
    moved = attack.generate(samples, trace=True, verbose=0).trace["similarity"]
    assert (moved[:, -1] < moved[:, 0]).all()


def test_the_stationarity_gap_shrinks(linear, samples):
    """Theorem 1: with α ~ 1/√T, the least gap of T iterations is at most about T^(−1/4)."""

    def least_gap(steps):
        attack = MinMaxAttack(
            linear,
            similarity=Cosine(),
            step_rule="raw",
            initial_multiplier=100.0,
            step_size=steps**-0.5,
            steps=steps,
            dtype="float64",
        )
        return attack.generate(samples, trace=True, verbose=0).trace["gap"].min(axis=1).mean()

    gaps = [least_gap(steps) for steps in (10, 100, 1000)]
    rate = 1.2 * 10**-0.25
    assert gaps[1] < rate * gaps[0]
    assert gaps[2] < rate * gaps[1]
