"""Fréchet and kernel distances of features, against closed forms and slow oracles."""

import math

import keras
import numpy as np
import pytest
from scipy.linalg import sqrtm

from keras_uae.evaluation import (
    extract_features,
    feature_distances,
    frechet_distance,
    inception_v3,
    kernel_distance,
    penultimate,
)
from models import dense_autoencoder

DISTANCES = [frechet_distance, kernel_distance]


def with_moments(count, mean, covariance, seed=0):
    """Samples whose mean and covariance are these exactly, not just on average."""
    draws = np.random.default_rng(seed).normal(size=(count, len(mean)))
    draws -= draws.mean(axis=0)
    whitened = np.linalg.qr(draws)[0] * np.sqrt(count - 1)
    return whitened @ np.linalg.cholesky(covariance).T + mean


def frechet_by_matrix_root(a, b):
    means, (s, t) = (a.mean(0), b.mean(0)), (np.cov(a, rowvar=False), np.cov(b, rowvar=False))
    return np.sum((means[0] - means[1]) ** 2) + np.trace(s + t - 2 * sqrtm(s @ t)).real


def discrepancy_by_pairs(a, b):
    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def mean(x, y):
        return np.mean([kernel(u, v) for i, u in enumerate(x) for j, v in enumerate(y) if i != j])

    return mean(a, a) + mean(b, b) - 2 * np.mean([kernel(u, v) for u in a for v in b])


def test_frechet_distance_of_gaussians_on_common_axes():
    a = with_moments(50, [0.0, 1.0, 2.0], np.diag([1.0, 4.0, 9.0]))
    b = with_moments(80, [1.0, 1.0, 0.0], np.diag([4.0, 1.0, 9.0]), seed=1)
    assert frechet_distance(a, b) == pytest.approx(1 + 0 + 4 + (1 - 2) ** 2 + (2 - 1) ** 2 + 0)


def test_frechet_distance_of_gaussians_on_different_axes():
    s, t = np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([[1.0, -0.6], [-0.6, 3.0]])
    a, b = with_moments(30, [0.0, 0.0], s), with_moments(40, [3.0, 4.0], t, seed=1)
    # the eigenvalues p, q of ST: √p + √q = √(p + q + 2√(pq))
    root = np.sqrt(np.trace(s @ t) + 2 * np.sqrt(np.linalg.det(s @ t)))
    assert frechet_distance(a, b) == pytest.approx(25 + np.trace(s + t) - 2 * root)


@pytest.mark.parametrize("count", [60, 9000], ids=["one chunk", "two chunks"])
def test_frechet_distance_is_that_of_the_matrix_root(count):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(count, 6)) @ rng.normal(size=(6, 6))
    b = rng.normal(size=(50, 6)) + 0.3
    assert frechet_distance(a, b) == pytest.approx(frechet_by_matrix_root(a, b), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-12)


def test_fewer_samples_than_features_do_no_harm():
    # lines, along e₀ and along (e₀ + e₁)/√2: tr (ST)^½ = |cos 45°|, the singular value of one pair
    a, b = np.zeros((2, 50), np.float32), np.zeros((2, 50), np.float32)
    a[:, 0] = np.sqrt(0.5), -np.sqrt(0.5)
    b[:, :2] = [[0.5, 0.5], [-0.5, -0.5]]
    assert frechet_distance(a, b) == pytest.approx(2 - 2 * np.sqrt(0.5), rel=1e-6)


@pytest.mark.parametrize("count", [5, 100])
def test_a_set_is_at_no_distance_from_itself(count):
    features = np.random.default_rng(0).normal(100, 30, size=(count, 40)).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    shuffled = features[::-1] + 2
    assert frechet_distance(features, shuffled) == pytest.approx(40 * 2**2, rel=1e-4)


def test_kernel_distance_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 7)), rng.normal(0.5, 2, size=(12, 7))
    distance = kernel_distance(a, b, subsets=3)  # all twelve, whatever the order
    assert distance.mean == pytest.approx(discrepancy_by_pairs(a, b), rel=1e-12)


def test_a_single_estimate_has_no_spread_to_tell():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)), rng.normal(size=(40, 4))
    assert math.isnan(kernel_distance(a, b[:30]).std)  # all subsets are the same
    assert math.isnan(kernel_distance(a, b, subsets=1, subset_size=10).std)
    assert kernel_distance(a, b, subsets=20).std > 0
    assert kernel_distance(a, b[:30], subsets=20, subset_size=15).std > 0


def test_kernel_distance_is_unbiased():
    # for d = 1, k(x, y) = Σ C(3, k) (xy)^k: the law counts by its first three moments alone
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, size=(40_000, 1)), rng.normal(0, 1, size=(40_000, 1))
    moments_a, moments_b = np.array([1, 2, 4]), np.array([0, 1, 0])  # of N(1, 1) and N(0, 1)
    expected = np.sum([3, 3, 1] * (moments_a - moments_b) ** 2)
    distance = kernel_distance(a, b, subsets=2000, subset_size=20)
    error = distance.std / np.sqrt(2000)
    assert distance.mean == pytest.approx(expected, abs=4 * error)
    assert error < 0.05 * expected
    # and with two halves of one law it is as often below 0 as above
    halves = kernel_distance(b[::2], b[1::2], subsets=2000, subset_size=20)
    assert halves.mean == pytest.approx(0, abs=4 * halves.std / np.sqrt(2000))
    # where one that counts pairs of a sample and itself would be at 2.4
    assert halves.std / np.sqrt(2000) < 0.1


def test_subsets_depend_on_the_seed_alone():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)), rng.normal(size=(40, 4))
    one, again, other = (
        kernel_distance(a, b, subsets=4, subset_size=10, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert one.std > 0


@pytest.mark.parametrize("function", DISTANCES)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("features_a", np.full((9, 4), np.nan), "finite. Received: NaN or infinity in 9 sample"),
        ("features_b", np.zeros((9, 2, 2)), r"Received: features_b of shape \(9, 2, 2\)"),
        ("features_a", np.zeros(9), r"Received: features_a of shape \(9,\)"),
        ("features_b", np.zeros((1, 4)), r"2 samples or more. Received: .*\(1, 4\)"),
        ("features_b", np.zeros((9, 5)), r"the 4 features of `features_a`. Received: .*\(9, 5\)"),
    ],
)
def test_bad_features_are_named(function, name, value, message):
    data = {"features_a": np.eye(9, 4), "features_b": np.eye(9, 4)}
    with pytest.raises(ValueError, match=rf"`{name}` of {function.__name__} .*{message}"):
        function(**(data | {name: value}))


@pytest.mark.parametrize(
    ("name", "value"), [("subsets", 0), ("subset_size", 1), ("subset_size", 10), ("seed", -1)]
)
def test_bad_subsets_are_named(name, value):
    message = rf"`{name}` of kernel_distance .*Received: {name}={value}"
    with pytest.raises(ValueError, match=message):
        kernel_distance(np.eye(9, 4), np.eye(12, 4), **{name: value})


def test_images_are_compared_by_their_features(digits):
    x, z = digits.x_train[:50], digits.x_test[:30]
    autoencoder = dense_autoencoder((8, 8, 1))
    extractor = penultimate(autoencoder)
    code = autoencoder.get_layer("code")
    kernel, bias = (weight.numpy() for weight in code.weights)
    a, b = (1 / (1 + np.exp(-images.reshape(-1, 64) @ kernel - bias)) for images in (x, z))
    # 50 = 3 batches of 16 and a rest
    np.testing.assert_allclose(extract_features(extractor, x, batch_size=16), a, rtol=1e-5)
    distances = feature_distances(x, z, extractor, subsets=5, subset_size=20, seed=3)
    assert distances.frechet == pytest.approx(frechet_by_matrix_root(a, b), rel=1e-3)
    expected = kernel_distance(a, b, subsets=5, subset_size=20, seed=3)
    assert distances.kernel == pytest.approx(expected, rel=1e-3)


def test_an_extractor_of_layers_that_another_model_has_too():
    inputs, hidden, last = keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)
    keras.Model(inputs, last(hidden(inputs)))
    x = np.random.default_rng(0).random((5, 4)).astype("float32")
    doubled = [hidden, keras.layers.Rescaling(2.0), last]
    for model in (keras.Model(inputs, last(2 * hidden(inputs))), keras.Sequential(doubled)):
        model(x)
        features = extract_features(penultimate(model), x)
        np.testing.assert_allclose(features, 2 * hidden(x), rtol=1e-6)


def test_extractors_are_checked(digits):
    inputs = keras.Input((8, 8, 1))
    two = keras.Model(inputs, [inputs, inputs], name="twins")
    with pytest.raises(ValueError, match=r"one output. Received: extractor 'twins' with 2 outputs"):
        extract_features(two, digits.x_test[:4])
    with pytest.raises(ValueError, match=r"`z` of extract_features must be finite. Received"):
        feature_distances(
            digits.x_test[:4], digits.x_test[:4] * np.nan, keras.Model(inputs, inputs)
        )
    with pytest.raises(ValueError, match=r"`model` of penultimate must .*Received: model 'twins'"):
        penultimate(two)


@pytest.fixture
def inception(monkeypatch):
    """In place of Inception: the largest of each channel, after a note of what it was asked for."""
    asked = {}

    def build(**settings):
        asked.update(settings)
        inputs = keras.Input(settings["input_shape"])
        return keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(inputs))

    monkeypatch.setattr(keras.applications, "InceptionV3", build)
    return asked


def test_inception_sees_scaled_images_of_its_size(inception):
    colors = np.full((2, 8, 6, 3), [0.0, 51.0, 255.0], np.float32)
    extractor = inception_v3((8, 6, 3), bounds=(0, 255))
    np.testing.assert_allclose(extractor(colors), [[-1, -0.6, 1]] * 2, atol=1e-6)
    assert inception == {
        "include_top": False,
        "pooling": "avg",
        "weights": "imagenet",
        "input_shape": (299, 299, 3),
    }
    np.testing.assert_allclose(
        extract_features(extractor, colors.astype("uint8")), [[-1, -0.6, 1]] * 2, atol=1e-6
    )
    grey = np.full((2, 8, 8, 1), 0.75, np.float32)
    np.testing.assert_allclose(inception_v3((8, 8, 1))(grey), np.full((2, 3), 0.5), atol=1e-6)
    with pytest.raises(ValueError, match=r"1 or 3 channels. Received: input_shape=\(8, 8, 2\)"):
        inception_v3((8, 8, 2))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((2, 8, 8, 3), 200, np.uint8), r"holds integers, .* or set bounds=\(0, 255\)"),
        (np.full((2, 8, 8, 3), 200.0), r"must lie inside bounds=\(0\.0, 1\.0\).* from 200\.0"),
        (np.full((2, 8, 8, 3), -1.0), r"must lie inside bounds=\(0\.0, 1\.0\).* from -1\.0"),
    ],
)
def test_inception_takes_no_image_of_another_scale(inception, images, message):
    extractor = inception_v3((8, 8, 3))
    with pytest.raises(ValueError, match=f"`z` of extract_features {message}"):
        feature_distances(np.full((2, 8, 8, 3), 0.5), images, extractor)


def test_weights_that_cannot_be_had_are_said_to_be(monkeypatch):
    def fail(**settings):
        raise Exception("URL fetch failure on http://x/y.h5: None -- unreachable")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    message = (
        r"could not be loaded: URL fetch failure .* unreachable\. .*Received: weights='imagenet'"
    )
    with pytest.raises(OSError, match=message):
        inception_v3((32, 32, 3))


def test_a_missing_weights_file_is_named(tmp_path):
    path = tmp_path / "none.h5"
    with pytest.raises(OSError, match=r"could not be loaded: .*Received: weights=.*none\.h5"):
        inception_v3((32, 32, 3), weights=path)
