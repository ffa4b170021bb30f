"""The estimator against closed forms, autodiff and a literal transcription of Algorithm 2."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_uae.similarity import ascent
from keras_uae.similarity.ascent import DualState, PrimalState
from keras_uae.similarity.donsker_varadhan import donsker_varadhan, objective_gradients
from keras_uae.similarity.features import Pixels
from keras_uae.similarity.mine import MINE


def pairs(batch=3, dimension=7, count=5, seed=0):
    """Features u and v of a few samples, correlated, in float64."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(batch, dimension, count))
    v = 0.8 * u + 0.6 * rng.normal(size=u.shape)
    return tf.constant(u), tf.constant(v)


def run(mine, u, v, *, iterations=1, seed=0):
    """Values `(iterations, batch)` of an attack that stands still at v."""
    drawn = mine.draw(tf.constant(seed, tf.int64), u.shape[1:], iterations, u.dtype)
    state = mine.init(drawn, u, u)
    values = []
    for t in range(iterations):
        state, value = mine.estimate(drawn, state, v, tf.constant(t))
        values.append(value.numpy())
    return np.array(values), drawn


def algorithm_2(u, v, w_x, w_y, orders, report, eta):
    """One sample, (d', K) each, in NumPy and weight by weight, as the paper prints it."""
    s = math.sqrt(np.mean(np.sum(u**2, axis=0)))
    u, v = u / s, v / s
    w_x, w_y, b, w = w_x.copy(), w_y.copy(), np.zeros(w_x.shape[1]), np.zeros(w_x.shape[1])
    count = u.shape[1]

    def network(k, m):
        a = w_x.T @ u[:, k] + w_y.T @ v[:, m] + b
        return w @ np.maximum(a, 0), np.maximum(a, 0), (a > 0) * w

    def estimate(order):
        joint = [network(k, k) for k in range(count)]
        marginal = [network(k, order[k]) for k in range(count)]
        statistic = np.array([m[0] for m in marginal])
        weights = np.exp(statistic) / np.exp(statistic).sum()
        value = np.mean([j[0] for j in joint]) - np.log(np.mean(np.exp(statistic)))
        return value, joint, marginal, weights

    for order in orders:
        _, joint, marginal, weights = estimate(order)
        g_w = sum(j[1] for j in joint) / count
        g_x, g_y, g_b = np.zeros_like(w_x), np.zeros_like(w_y), np.zeros_like(b)
        for k in range(count):
            g_w = g_w - weights[k] * marginal[k][1]
            on_joint, on_marginal = joint[k][2] / count, -weights[k] * marginal[k][2]
            g_x += np.outer(u[:, k], on_joint + on_marginal)
            g_y += np.outer(v[:, k], on_joint) + np.outer(v[:, order[k]], on_marginal)
            g_b += on_joint + on_marginal
        w_x, w_y, b, w = w_x + eta * g_x, w_y + eta * g_y, b + eta * g_b, w + eta * g_w
    value, joint, marginal, weights = estimate(report)
    on_v = np.zeros_like(v)
    for k in range(count):
        on_v[:, k] += w_y @ (joint[k][2] / count)
        on_v[:, report[k]] += w_y @ (-weights[k] * marginal[k][2])
    return value, on_v / s


def test_donsker_varadhan_by_hand():
    joint = tf.constant([[1.0, 3.0]])
    marginal = tf.constant([[0.0, math.log(3.0)]])
    np.testing.assert_allclose(donsker_varadhan(joint, marginal), [2 - math.log(2)], rtol=1e-6)


def test_donsker_varadhan_ignores_a_shift_and_survives_large_statistics():
    rng = np.random.default_rng(0)
    joint, marginal = tf.constant(rng.normal(size=(2, 4, 6)))
    shifted = donsker_varadhan(joint + 1000.0, marginal + 1000.0)
    np.testing.assert_allclose(shifted, donsker_varadhan(joint, marginal), atol=1e-9)


def test_donsker_varadhan_reaches_the_gaussian_value_with_the_optimal_critic():
    rho, count = 0.8, 200_000
    rng = np.random.default_rng(0)
    u = rng.normal(size=count)
    v = rho * u + math.sqrt(1 - rho**2) * rng.normal(size=count)

    def critic(u, v):  # log p(u, v) − log p(u) p(v)
        return (rho * u * v - rho**2 * (u**2 + v**2) / 2) / (1 - rho**2) - math.log(1 - rho**2) / 2

    value = donsker_varadhan(critic(u, v)[None], critic(u, rng.permutation(v))[None])
    np.testing.assert_allclose(value, [-math.log(1 - rho**2) / 2], atol=0.01)


def test_gradients_by_hand_are_those_of_autodiff():
    rng = np.random.default_rng(1)
    pre_x, pre_y = tf.constant(rng.normal(size=(2, 3, 4, 5)))
    w = tf.constant(rng.normal(size=(3, 4)))
    order = tf.constant([3, 0, 1, 4, 2])
    with tf.GradientTape() as tape:
        tape.watch([pre_x, pre_y, w])
        joint = tf.einsum("bhk,bh->bk", tf.nn.relu(pre_x + pre_y), w)
        shuffled = tf.gather(pre_y, order, axis=2)
        marginal = tf.einsum("bhk,bh->bk", tf.nn.relu(pre_x + shuffled), w)
        value = donsker_varadhan(joint, marginal)
    expected = [each.numpy() for each in (value, *tape.gradient(value, [pre_x, pre_y, w]))]
    expected[3] = expected[3][:, :, np.newaxis]
    for shuffle in (ascent._taken(order, 2), ascent._multiplied(order)):
        got = objective_gradients(pre_x, pre_y, w[:, :, tf.newaxis], shuffle)
        for name, ours, theirs in zip(got._fields, got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-13, err_msg=name)
    last = (ascent._batch_last(each) for each in (pre_x, pre_y, w[:, :, tf.newaxis]))
    value, *gradients = objective_gradients(*last, ascent._taken(order, 0), 0)
    np.testing.assert_allclose(value, expected[0], atol=1e-13)
    for ours, theirs in zip(gradients, expected[1:], strict=True):
        np.testing.assert_allclose(ascent._batch_first(ours), theirs, atol=1e-13)


@pytest.mark.parametrize("form", ["dual", "primal"])
def test_every_sample_is_algorithm_2_on_its_own(form):
    u, v = pairs()
    mine = MINE(hidden_units=4, steps=6, learning_rate=0.3, form=form)
    drawn = mine.draw(tf.constant(3, tf.int64), u.shape[1:], 2, u.dtype)
    state = mine.init(drawn, u, u)
    w_x, w_y, training, report = (each.numpy() for each in drawn)
    for t in range(2):
        with tf.GradientTape() as tape:
            tape.watch(v)
            state, value = mine.estimate(drawn, state, v, tf.constant(t))
        gradient = tape.gradient(value, v)
        for i in range(len(u)):
            expected, on_v = algorithm_2(
                u[i].numpy(), v[i].numpy(), w_x[0], w_y[0], training[t], report, 0.3
            )
            np.testing.assert_allclose(value[i], expected, atol=1e-12)
            np.testing.assert_allclose(gradient[i], on_v, atol=1e-12)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("count", [5, 20])
def test_the_primal_and_the_dual_form_agree_to_rounding(warm_start, count):
    u, v = pairs(count=count)
    settings = {"hidden_units": 6, "steps": 7, "learning_rate": 0.2, "warm_start": warm_start}
    dual, _ = run(MINE(form="dual", **settings), u, v, iterations=4)
    primal, _ = run(MINE(form="primal", **settings), u, v, iterations=4)
    np.testing.assert_allclose(dual, primal, atol=1e-12)
    assert np.ptp(dual, axis=0).min() > 1e-3  # four different values, not four zeros


def test_gradients_of_both_forms_agree_while_z_moves():
    u, v = pairs()
    gradients = {}
    for form in ("dual", "primal"):
        mine = MINE(hidden_units=4, steps=5, warm_start=True, form=form)
        drawn = mine.draw(tf.constant(0, tf.int64), u.shape[1:], 3, u.dtype)
        state, z, gradients[form] = mine.init(drawn, u, u), v, []
        for t in range(3):
            with tf.GradientTape() as tape:
                tape.watch(z)
                state, value = mine.estimate(drawn, state, z, tf.constant(t))
            gradients[form].append(tape.gradient(value, z).numpy())
            z = z - 0.5 * gradients[form][-1]
    np.testing.assert_allclose(gradients["dual"], gradients["primal"], atol=1e-12)


@pytest.mark.parametrize(("count", "state"), [(5, DualState), (20, PrimalState)])
def test_auto_takes_the_cheaper_form(count, state):
    u, _ = pairs(count=count)
    mine = MINE()
    drawn = mine.draw(tf.constant(0, tf.int64), u.shape[1:], 1, u.dtype)
    assert isinstance(mine.init(drawn, u, u), state)


def test_the_estimate_reaches_the_mutual_information_of_gaussians():
    rho, count = 0.9, 4000
    rng = np.random.default_rng(0)
    u = rng.normal(size=(1, 1, count))
    v = rho * u + math.sqrt(1 - rho**2) * rng.normal(size=u.shape)
    mine = MINE(features=Pixels(), hidden_units=16, steps=100, learning_rate=0.3, warm_start=True)
    values, _ = run(mine, tf.constant(u), tf.constant(v), iterations=12)
    truth = -math.log(1 - rho**2) / 2  # 0.83 nats
    assert 0.85 * truth < values[-3:].mean() < 1.05 * truth


def test_more_dependent_pairs_rank_above_less_dependent_ones():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(1, 2, 1000))
    noise = rng.normal(size=u.shape)
    values = []
    for rho in (0.0, 0.5, 0.8, 0.95):
        v = rho * u + math.sqrt(1 - rho**2) * noise
        estimates, _ = run(MINE(steps=200, learning_rate=0.3), tf.constant(u), tf.constant(v))
        values.append(estimates[-1, 0])
    assert values == sorted(values)
    assert abs(values[0]) < 0.05


def test_an_untrained_network_knows_nothing():
    u, v = pairs()
    values, _ = run(MINE(learning_rate=0.0), u, v)
    np.testing.assert_array_equal(values, 0)


@pytest.mark.parametrize("form", ["dual", "primal"])
def test_units_of_the_features_do_not_matter(form):
    u, v = pairs()
    mine = MINE(form=form)
    np.testing.assert_allclose(run(mine, u, v)[0], run(mine, 1e3 * u, 1e3 * v)[0], rtol=1e-9)


@pytest.mark.parametrize("form", ["dual", "primal"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_samples_do_not_see_each_other(form, warm_start):
    u, v = pairs(batch=4)
    mine = MINE(form=form, warm_start=warm_start)
    together, _ = run(mine, u, v, iterations=3)
    alone = np.stack(
        [run(mine, u[i : i + 1], v[i : i + 1], iterations=3)[0][:, 0] for i in range(4)]
    )
    np.testing.assert_allclose(together.T, alone, atol=1e-12)
    poisoned = tf.concat([v[:1] * np.nan, v[1:]], axis=0)
    values, _ = run(mine, u, poisoned, iterations=3)
    assert np.isnan(values[:, 0]).all()
    np.testing.assert_array_equal(values[:, 1:], together[:, 1:])


@pytest.mark.parametrize("form", ["dual", "primal"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_features_of_x_that_all_samples_share_need_not_be_repeated(form, warm_start):
    u, v = pairs(batch=4)
    mine = MINE(form=form, warm_start=warm_start, steps=4)
    shared, repeated = u[:1], tf.repeat(u[:1], 4, axis=0)
    drawn = mine.draw(tf.constant(0, tf.int64), u.shape[1:], 2, u.dtype)
    got, expected = (mine.init(drawn, u, each) for each in (shared, repeated))
    for t in range(2):
        results = []
        for state in (got, expected):
            with tf.GradientTape() as tape:
                tape.watch(v)
                state, value = mine.estimate(drawn, state, v, tf.constant(t))
            results.append((state, value, tape.gradient(value, v)))
        (got, *ours), (expected, *theirs) = results
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(
    ("batch", "a_sample", "cores", "parts"),
    [
        (256, 1000, 2, [128] * 2),  # one a core
        (64, 2**18 - 64, 2, [8] * 8),  # eight samples are as much as a core's cache holds
        (6, 2**20 - 64, 2, [2] * 3),
        (9, 1000, 2, [3] * 3),  # equal parts are compiled once
        (43, 1000, 2, [22, 21]),  # but not one a sample
        (1, 2**30, 8, [1]),
        (4, 2**30, 2, [1] * 4),
    ],
)
def test_parts_occupy_all_cores_and_fit_their_caches(batch, a_sample, cores, parts, monkeypatch):
    monkeypatch.setattr(ascent.os, "cpu_count", lambda: cores)
    rows = tf.TensorSpec((batch, a_sample // 4), tf.float32)
    shared = tf.TensorSpec((1, 10), tf.float32)
    assert ascent._part_sizes((rows, shared)) == parts


def test_a_batch_of_unknown_size_is_one_part():
    assert ascent._part_sizes((tf.TensorSpec((None, 3), tf.float32),)) == []


def test_features_that_are_all_zero_carry_no_information():
    u, v = pairs()
    for form in ("dual", "primal"):
        values, _ = run(MINE(form=form), tf.zeros_like(u), tf.zeros_like(v))
        np.testing.assert_allclose(values, 0, atol=1e-12)


def test_draws_depend_on_the_seed_alone():
    mine, shape = MINE(steps=3), tf.TensorShape([4, 5])
    first = mine.draw(tf.constant(1, tf.int64), shape, 2, tf.float64)
    again = mine.draw(tf.constant(1, tf.int64), shape, 2, tf.float64)
    other = mine.draw(tf.constant(2, tf.int64), shape, 2, tf.float64)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a.numpy() != c.numpy()).any()
    *_, training, report = first
    assert training.shape == (2, 3, 5)
    for order in [*training.numpy().reshape(-1, 5), report.numpy()]:
        assert sorted(order) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"hidden_units": 0}, "Received: hidden_units=0"),
        ({"steps": -1}, "Received: steps=-1"),
        ({"learning_rate": -0.1}, "Received: learning_rate=-0.1"),
        ({"form": "duel"}, "Did you mean 'dual'"),
    ],
)
def test_bad_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        MINE(**setting)
