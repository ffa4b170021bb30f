"""Algorithm 3 against a NumPy transcription, and its binary search by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
from keras_uae.attacks.multiplier import Bisection
from tests import tiny_models
from tests.keras_uae.attacks.test_minmax import DIMENSION, cosine_in_numpy, initial_deltas

STEPS, SEARCHES = 6, 5


def numpy_search(x, delta, matrix, value_and_gradient, attack):
    """The search for one sample; returns the best z, its iteration, and the c of each iteration."""
    sign = 1 if attack.objective == "minimize" else -1
    low, high = np.maximum(x - attack.epsilon, 0), np.minimum(x + attack.epsilon, 1)
    loss = np.linalg.norm(x - x @ matrix)
    best, best_value, best_t, used = None, np.inf, 0, []
    c, lower, upper, t = attack.initial_multiplier, 1e-3, 1e9, 0
    for _ in range(attack.search_steps):
        z, hit = np.clip(x + delta, low, high), False
        for step in range(attack.steps + 1):
            residual = x - z @ matrix
            f = np.linalg.norm(residual) - loss
            value, on_value = value_and_gradient(z, t)
            used.append(c)
            if step:  # δ₀ is no example
                t += 1
            if f <= 0 and step:
                hit = True
                if sign * value < best_value:
                    best, best_value, best_t = z, sign * value, t
            on_f = -(residual / np.linalg.norm(residual)) @ matrix.T if f > 0 else 0 * z
            gradient = c * on_f + sign * on_value
            z = np.clip(z - attack.step_size * gradient / np.abs(gradient).max(), low, high)
        if hit:
            upper = min(upper, c)
            c = (lower + upper) / 2
        else:
            lower = max(lower, c)
            c = (lower + upper) / 2 if upper < 1e9 else c * 10
    return best, best_t, used, c


@pytest.mark.parametrize("objective", ["minimize", "maximize"])
def test_the_search_of_the_paper(objective):
    x = np.random.default_rng(1).uniform(size=(12, DIMENSION))
    attack = uae.PenaltyAttack(
        tiny_models.linear(DIMENSION),
        similarity="cosine",
        objective=objective,
        steps=STEPS,
        search_steps=SEARCHES,
        step_size=0.05,
        initial_multiplier=0.02,
        dtype="float64",
    )
    found = attack.generate(x, seed=7, trace=True, verbose=0)
    deltas = initial_deltas(attack, len(x))
    matrix = attack.model.get_weights()[0]
    for i, sample in enumerate(x):
        value_and_gradient = cosine_in_numpy(attack, sample)
        best, t, used, c = numpy_search(sample, deltas[i], matrix, value_and_gradient, attack)
        np.testing.assert_allclose(found.trace["multiplier"][i], used, rtol=1e-9)
        assert found.multiplier[i] == pytest.approx(c)
        assert found.iteration[i] == t
        np.testing.assert_allclose(found.x[i], sample if best is None else best, atol=1e-9)
    # the samples have searches of their own
    assert len(np.unique(found.multiplier)) > 2
    assert found.success_rate > 0


def test_every_sample_bisects_on_its_own():
    rule = Bisection(steps=1, initial=1.0)
    state = rule.start(tf.constant([3]), tf.float64)
    # f⁺ at δ₀ and δ₁: the first never, the second always, the third from 100 on
    seen, starts = [], []
    for t in range(10):
        c = rule.value(state).numpy()
        violation = tf.constant([1.0, 0.0, float(c[2] < 100)], tf.float64)
        used, state, restart = rule.update(state, violation, tf.constant(t))
        seen.append(used.numpy())
        starts.append(bool(restart))
    assert starts == [False, True] * 5
    never, always, some = np.array(seen)[::2].T
    np.testing.assert_array_equal(seen[::2], seen[1::2])
    np.testing.assert_allclose(never, [1, 10, 100, 1e3, 1e4])
    halves = [1.0]
    for _ in range(4):
        halves.append((1e-3 + halves[-1]) / 2)
    np.testing.assert_allclose(always, halves)
    np.testing.assert_allclose(some, [1, 10, 100, 55, 77.5])


def test_one_example_in_a_search_is_enough_for_a_smaller_weight():
    rule = Bisection(steps=2, initial=1.0)
    state = rule.start(tf.constant([1]), tf.float32)
    for t, violation in enumerate([1.0, 0.0, 1.0]):
        _, state, _ = rule.update(state, tf.constant([violation]), tf.constant(t))
    assert rule.value(state).numpy() < 1
    assert not state.hit.numpy()


def test_batches_do_not_matter():
    x = tiny_models.images(7)
    attack = uae.PenaltyAttack(
        tiny_models.convolutional(), steps=4, search_steps=3, initial_multiplier=1.0
    )
    whole, parts = (attack.generate(x, batch_size=size, verbose=0) for size in (7, 3))
    np.testing.assert_array_equal(whole.success, parts.success)
    np.testing.assert_allclose(whole.multiplier, parts.multiplier, rtol=1e-5)
    np.testing.assert_allclose(whole.x, parts.x, atol=1e-4)


def test_it_is_saved_with_all_settings():
    attack = uae.PenaltyAttack(
        tiny_models.convolutional(),
        criterion=uae.Reconstruction(kappa=0.1),
        similarity="l2",
        steps=3,
        search_steps=2,
        initial_multiplier=4.0,
        step_rule="sign",
    )
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(attack))
    assert {name: getattr(copy, name) for name in attack.settings()} == {
        name: getattr(attack, name) for name in attack.settings()
    }
    copy.model.set_weights(attack.model.get_weights())
    x = tiny_models.images(3)
    np.testing.assert_array_equal(copy(x), attack(x))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search_steps": 0}, "`search_steps` of PenaltyAttack"),
        ({"steps": 0}, "`steps` of PenaltyAttack"),
        ({"initial_multiplier": 0}, "`initial_multiplier` of PenaltyAttack"),
        ({"initial_multiplier": 1e10}, "`initial_multiplier` of PenaltyAttack"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        uae.PenaltyAttack(tiny_models.dense(), **settings)
