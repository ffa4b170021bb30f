"""gaussian_noise: its law, its bounds, its seed."""

import numpy as np
import pytest

from keras_uae import gaussian_noise
from tests import tiny_models


def test_the_law():
    x = np.full((4000, 5), 0.5, np.float32)
    noise = gaussian_noise(x, 0.05) - 0.5
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 4 * 0.05 / noise.size**0.5
    assert noise.std() == pytest.approx(0.05, rel=4 / (2 * noise.size) ** 0.5)
    beyond = np.mean(np.abs(noise) > 1.959964 * 0.05)
    assert beyond == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / noise.size) ** 0.5)
    correlation = np.asarray(np.corrcoef(noise.T))[np.triu_indices(5, 1)]
    assert np.abs(correlation).max() < 5 / 4000**0.5


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 2), (0, 255)])
def test_noise_is_clipped_to_the_data_space(bounds):
    low, high = bounds
    x = low + (high - low) * tiny_models.images(50)
    noisy = gaussian_noise(x, 1, bounds=bounds)
    assert (noisy.min(), noisy.max()) == (low, high)
    inside = (noisy > low) & (noisy < high)
    assert 0.2 < inside.mean() < 0.8
    # where nothing was clipped sigma is a plain factor
    weak = gaussian_noise(x, 0.001, bounds=bounds)
    np.testing.assert_allclose(((weak - x) * 1000)[inside], (noisy - x)[inside], atol=0.1 * high)


def test_sigma_is_a_fraction_of_the_range_unless_it_is_to_be_in_the_units_of_the_data():
    x = np.random.default_rng(0).uniform(size=(500, 3)) * [1, 10, 100]
    noise = gaussian_noise(x, 0.001, bounds="features") - x
    np.testing.assert_allclose(noise.std(axis=0), 0.001 * np.ptp(x, axis=0), rtol=0.15)
    same = gaussian_noise(x, 0.1, bounds="data", units="data")
    np.testing.assert_array_equal(
        same, gaussian_noise(x, 0.1 / np.ptp(x), bounds=(x.min(), x.max()))
    )


def test_no_noise_is_the_identity():
    x = tiny_models.images(5)
    same = gaussian_noise(x, 0)
    np.testing.assert_array_equal(same, x)
    assert same is not x


def test_the_seed_and_the_place_decide():
    x = tiny_models.images(20)
    noisy = gaussian_noise(x, 0.1, seed=3)
    np.testing.assert_array_equal(gaussian_noise(x, 0.1, seed=3), noisy)
    np.testing.assert_array_equal(gaussian_noise(x[:7], 0.1, seed=3), noisy[:7])
    assert (gaussian_noise(x, 0.1, seed=4) != noisy).any(axis=(1, 2, 3)).all()
    centre = np.full_like(x, 0.5)  # the noise does not depend on the data
    np.testing.assert_allclose(
        gaussian_noise(centre, 0.01, seed=3) - centre,
        gaussian_noise(centre * 0.5, 0.01, seed=3) - centre * 0.5,
        atol=1e-6,
    )


def test_the_global_state_of_numpy_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    gaussian_noise(tiny_models.images(2), 0.1)
    after = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_other_dtypes_give_float32(dtype):
    x = (tiny_models.images(3) * 255).astype(dtype)
    before = x.copy()
    noisy = gaussian_noise(x, 2.0, bounds=(0, 255))
    assert noisy.dtype == np.float32
    expected = gaussian_noise(x.astype("float32"), 2.0, bounds=(0, 255))
    np.testing.assert_allclose(noisy, expected, atol=1e-4)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": -0.1}, r"`sigma` of gaussian_noise.*Received: sigma=-0.1"),
        ({"sigma": float("nan")}, "Received: sigma=nan"),
        ({"sigma": "0.1"}, "Received: sigma='0.1'"),
        ({"seed": -1}, r"`seed` of gaussian_noise.*Received: seed=-1"),
        ({"seed": 0.5}, "Received: seed=0.5"),
        ({"bounds": (1, 0)}, r"`bounds` of gaussian_noise.*Received: bounds=\(1, 0\)"),
        ({"x": np.array([[2.0]])}, r"`x` of gaussian_noise must lie inside bounds=\(0.0, 1.0\)"),
        ({"x": np.array([[np.nan]])}, "`x` of gaussian_noise must be finite"),
        ({"x": np.array([[1]])}, "holds integers"),
        ({"x": np.zeros((0, 3))}, "non-empty"),
        ({"x": np.array([["a"]])}, "must hold real numbers"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_noise(**{"x": np.array([[0.5]]), "sigma": 0.1, **arguments})
