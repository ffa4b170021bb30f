"""Examples of a model with noise: what the search asks for, and what it makes of a margin."""

import numpy as np
import pytest
import tensorflow as tf

from keras_uae import MinMaxAttack, PGDAttack, UAEs
from keras_uae.attacks import judgement
from keras_uae.attacks.judgement import JUDGING_DRAWS, bound, searched
from tests import tiny_models


def test_the_bound_is_the_mean_and_two_standard_errors_of_the_judging_draws():
    draws = np.random.default_rng(0).normal(size=(8, 3))
    expected = draws.mean(axis=0) + 2 * draws.std(axis=0) / JUDGING_DRAWS**0.5
    np.testing.assert_allclose(bound(list(tf.constant(draws))), expected)


def test_the_bound_has_a_gradient_where_nothing_varies():
    z = tf.ones(2)
    with tf.GradientTape() as tape:
        tape.watch(z)
        f = bound([3 * z, 3 * z])
    np.testing.assert_allclose(tape.gradient(f, z), 3)


@pytest.mark.parametrize("kind", [MinMaxAttack, PGDAttack])
def test_without_the_margin_the_least_f_is_an_example_if_it_is_one_without(kind):
    attack = kind(tiny_models.convolutional(), steps=6)
    x = tf.constant(tiny_models.images(8))
    arguments = x, tf.range(8, dtype=tf.int64), tf.constant(0, tf.int64)
    margin = tf.fill(8, 1e3)
    found, history = attack.search(*arguments, margin=margin, trace=True)
    least = tf.reduce_min(history["criterion"][:, 1:], axis=1)  # δ₀ is no example
    success = least.numpy() <= 1e3
    assert success.sum() > 0
    np.testing.assert_array_equal(found["success"], success)
    np.testing.assert_allclose(found["criterion"].numpy()[success], least.numpy()[success])


class Rounds:
    """A search whose examples are its margins, and a judge for whom that is enough or not."""

    def __init__(self, *enough):
        self.enough, self.searched = np.array(enough), []

    def search(self, rows, margin):
        self.searched.append(dict(zip(rows.tolist(), margin.tolist(), strict=True)))
        lacking = np.maximum(self.enough[rows] - margin, 0)
        nothing = np.zeros(len(rows))
        fields = {name: nothing for name in ("similarity", "criterion", "multiplier", "iteration")}
        found = UAEs(margin, lacking == 0, **fields, frozen=nothing, measure="some")
        return found, np.minimum(lacking, 1.0)


def test_the_margin_of_what_fails_grows_and_what_holds_is_kept():
    rounds = Rounds(0.0, 3.0, 1e9)
    found = searched(rounds.search, np.arange(3), 3)
    assert rounds.searched == [{0: 0, 1: 0, 2: 0}, {1: 2, 2: 2}, {1: 6, 2: 6}, {2: 14}]
    assert found.success.tolist() == [True, True, False]
    assert found.x.tolist() == [0, 6, 14]
    assert found.measure == "some"
    assert len(rounds.searched) == judgement.ROUNDS


def test_what_fails_in_several_batches_is_searched_again_in_one():
    rounds = Rounds(9.0, 9.0, 0.0, 1.0, 0.0, 0.0, 2.0)
    found = searched(rounds.search, np.array([2, 3, 4, 5, 6]), 2)
    again = [{3: 2.0, 6: 2.0}]
    assert rounds.searched == [{2: 0, 3: 0}, {4: 0, 5: 0}, {6: 0}, *again]
    assert found.x.tolist() == [0, 2, 0, 0, 2]
    assert found.success.all()
