"""Noise as large as UAEs: its norm, where it lies, and what is left of δ."""

import numpy as np
import pytest

from keras_uae.attacks.data_space import DataSpace
from keras_uae.comparison.noise import KINDS, noise_like, shuffled


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = np.clip(rng.uniform(-0.2, 1.2, (50, 6, 6, 1)), 0, 1).astype("float32")
    z = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1).astype("float32")
    return x, z


def norms(a, b):
    return np.linalg.norm((a - b).reshape(len(a), -1), axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_as_long_as_the_perturbation_and_inside_the_bounds(pair, kind):
    x, z = pair
    noisy = noise_like(x, z, kind, 3)
    np.testing.assert_allclose(norms(noisy, x), norms(z, x), rtol=1e-4)
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert noisy.dtype == np.float32
    assert not np.allclose(noisy, z, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_moved_there_is_no_noise(pair, kind):
    x, z = pair
    z[:5] = x[:5]
    noisy = noise_like(x, z, kind, 3)
    np.testing.assert_array_equal(noisy[:5], x[:5])


def test_shuffling_keeps_the_values_of_delta():
    x = np.full((8, 20), 0.5, "float32")
    delta = np.random.default_rng(1).uniform(-0.2, 0.2, x.shape).astype("float32")
    moved = noise_like(x, x + delta, "shuffled", 0) - x
    np.testing.assert_allclose(np.sort(moved), np.sort(delta), atol=1e-6)
    assert not np.allclose(moved, delta, atol=0.01)


def test_shuffled_values_stay_among_features_of_their_kind(pair):
    x, z = (each.reshape(50, -1).astype(float) for each in pair)
    delta = z - x
    moved = shuffled(np.random.default_rng(0), x, delta)
    for kind in (x <= 0, x >= 1, (x > 0) & (x < 1)):
        for row in range(50):
            ours, theirs = (np.sort(each[row][kind[row]]) for each in (moved, delta))
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(moved, delta)


def test_a_norm_beyond_reach_is_approached_as_far_as_the_bounds_allow():
    x, z = (np.full((1, 8, 8, 1), value, np.float32) for value in (0.5, 1.0))
    noisy = noise_like(x, z, "gaussian", seed=0)  # of norm 4: every pixel at a bound
    np.testing.assert_allclose(np.abs(noisy - x), 0.5, atol=0.05)


def test_the_same_seed_draws_the_same_noise(pair):
    a, b, c = (noise_like(*pair, "gaussian", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_features_of_different_ranges_are_measured_by_their_range():
    rng = np.random.default_rng(0)
    low, high = np.array([0.0, -100.0, 5.0, 3.0]), np.array([1.0, 100.0, 6.0, 3.0])
    x = (low + (high - low) * rng.uniform(0.3, 0.7, (400, 4))).astype("float32")
    z = (x + 0.1 * (high - low) * rng.choice([-1, 1], x.shape)).astype("float32")
    space = DataSpace(low, high, high - low)
    moved = noise_like(x, z, "gaussian", 0, space=space) - x
    unit = moved[:, :3] / (high - low)[:3]
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 0.1 * np.sqrt(3), rtol=1e-3)
    sizes = np.abs(unit).mean(axis=0)
    assert sizes.max() / sizes.min() < 1.3  # as large in each
    assert not moved[:, 3].any()  # has no range


def test_features_that_stay_have_no_noise():
    x = np.full((4, 6), 0.5, "float32")
    space = DataSpace(0.0, 1.0, 1.0, np.array([True] * 4 + [False] * 2))
    delta = np.array([0.1] * 4 + [0] * 2, "float32")
    moved = noise_like(x, x + delta, "uniform", 0, space=space) - x
    assert not moved[:, 4:].any()
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 0.2, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-1, 1e-3, 1e-5])
def test_noise_of_a_small_perturbation_is_as_long(size):
    """The scale was searched for in steps of a millionth, whatever its size."""
    rng = np.random.default_rng(0)
    x = 2.0**-10 * rng.random((40, 64))  # near 0, where float32 is finer than the perturbation
    z = np.clip(x + size * rng.normal(size=x.shape), 0, 1)
    for kind in KINDS:
        moved = noise_like(x, z, kind, 0) - x
        norms = np.linalg.norm(moved, axis=1) / np.linalg.norm(z - x, axis=1)
        np.testing.assert_allclose(norms, 1, rtol=2e-3)


def test_a_bound_that_float32_has_rounded_is_one():
    low, high = np.float32(0.1), np.float32(0.7)
    x, delta = np.full((50, 6), high), np.zeros((50, 6))
    x[:, :3] = 0.4
    delta[:, :3] = 0.1
    space = DataSpace(0.1, 0.7, 0.6)
    moved = noise_like(x, np.float32(x + delta), "shuffled", 0, space=space) - x
    assert np.all(moved[:, 3:] == 0)  # what lies between the bounds keeps its δ
    assert low < x.min()
