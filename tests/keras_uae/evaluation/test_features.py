"""Trees, nearest neighbours and linear maps on selected features, against scikit-learn and hand."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from keras_uae.evaluation import (
    FeatureAccuracy,
    extra_trees_accuracy,
    linear_reconstruction_error,
    nearest_neighbor_accuracy,
)

PIXELS = np.array([20, 21, 28, 29, 36, 43, 44, 10])
ACCURACIES = [extra_trees_accuracy, nearest_neighbor_accuracy]


@pytest.fixture
def signal():
    """Feature 2 of five is the label, the others are noise."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.uniform(size=(60, 5))
    x[:, 2] = y
    return x[:40], y[:40], x[40:], y[40:]


def test_mean_and_standard_deviation_by_hand():
    accuracy = FeatureAccuracy(seeds=(0, 1), train=(1.0, 1.0), test=(0.5, 0.7))
    assert accuracy.mean == pytest.approx(0.6)
    assert accuracy.std == pytest.approx(0.1)


def test_a_feature_that_is_the_label_suffices(signal):
    accuracy = extra_trees_accuracy(*signal, features=[2])
    assert tuple(accuracy) == ((0, 1, 2), (1.0,) * 3, (1.0,) * 3)
    assert (accuracy.mean, accuracy.std) == (1, 0)
    assert nearest_neighbor_accuracy(*signal, features=[2]) == 1


def test_noise_says_little_about_the_label(signal):
    accuracy = extra_trees_accuracy(*signal, features=[0, 1, 3, 4])
    assert accuracy.train == (1.0,) * 3  # learned by heart
    assert accuracy.mean < 0.7
    assert nearest_neighbor_accuracy(*signal, features=[0, 1, 3, 4]) < 0.7


def test_trees_are_those_of_scikit_learn(digits):
    accuracy = extra_trees_accuracy(*digits, features=PIXELS, trees=7, seeds=(3, 5))
    x_train, x_test = (x.reshape(len(x), -1)[:, PIXELS] for x in (digits.x_train, digits.x_test))
    for index, seed in enumerate((3, 5)):
        forest = ExtraTreesClassifier(n_estimators=7, random_state=seed)
        forest.fit(x_train, digits.y_train)
        assert accuracy.seeds[index] == seed
        assert accuracy.train[index] == forest.score(x_train, digits.y_train)
        assert accuracy.test[index] == forest.score(x_test, digits.y_test)
    assert 0.5 < accuracy.mean < 1
    assert extra_trees_accuracy(*digits, features=PIXELS, trees=7, seeds=[5]).test == (
        accuracy.test[1],
    )


def test_nearest_neighbour_by_hand():
    x_train, y_train = np.array([[0.0, 9.0], [1.0, 0.0]]), np.array([4, 7])
    x_test, y_test = np.array([[0.2, 0.0], [0.9, 0.0]]), np.array([4, 7])
    assert nearest_neighbor_accuracy(x_train, y_train, x_test, y_test, features=[0]) == 1
    assert nearest_neighbor_accuracy(x_train, y_train, x_test, y_test) == 0.5


def test_nearest_neighbour_is_that_of_scikit_learn(digits):
    x_train, x_test = (x.reshape(len(x), -1)[:, PIXELS] for x in (digits.x_train, digits.x_test))
    # brute: equally near samples are many where pixels have 17 levels
    neighbor = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(x_train, digits.y_train)
    expected = neighbor.score(x_test, digits.y_test)
    assert nearest_neighbor_accuracy(*digits, features=PIXELS) == expected


def test_linear_data_is_reconstructed_without_error():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(30, 2))
    x = np.hstack([codes, codes @ rng.normal(size=(2, 4)) + 3])
    assert linear_reconstruction_error(x[:20], x[20:], features=[0, 1]) < 1e-24
    assert linear_reconstruction_error(x[:20], x[20:], features=[0]) > 0.1


def test_linear_reconstruction_by_hand():
    # x₁ = 2 x₀ + 1 to train on; to test on, it is 3 and 1 off, in one of two dimensions
    x_train = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])
    x_test = np.array([[3.0, 10.0], [4.0, 8.0]])
    error = linear_reconstruction_error(x_train, x_test, features=[0])
    assert error == pytest.approx((3**2 + 1**2) / 4)


def test_all_features_reconstruct_themselves():
    x = np.random.default_rng(0).normal(size=(30, 2, 2))
    assert linear_reconstruction_error(x[:20], x[20:]) < 1e-24


def test_linear_reconstruction_is_that_of_scikit_learn(digits):
    x_train, x_test = (
        x.reshape(len(x), -1).astype(np.float64) for x in (digits.x_train, digits.x_test)
    )
    outputs = LinearRegression().fit(x_train[:, PIXELS], x_train).predict(x_test[:, PIXELS])
    error = linear_reconstruction_error(digits.x_train, digits.x_test, features=PIXELS)
    assert error == pytest.approx(np.mean((outputs - x_test) ** 2), rel=1e-9)


def test_a_mask_names_the_same_features_as_its_indices(digits):
    mask = np.isin(np.arange(64), PIXELS)
    indices = np.sort(PIXELS)
    forests = [
        extra_trees_accuracy(*digits, features=chosen, trees=3, seeds=(0,))
        for chosen in (mask, indices)
    ]
    assert forests[0] == forests[1]
    assert extra_trees_accuracy(*digits, trees=3, seeds=(0,)).mean > forests[0].mean
    errors = [
        linear_reconstruction_error(digits.x_train, digits.x_test, features=chosen)
        for chosen in (mask, indices)
    ]
    assert errors[0] == errors[1]


@pytest.mark.parametrize("function", [*ACCURACIES, linear_reconstruction_error])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([5], r"\[0, 4\], or a mask of length 5. Received: features=\[5\]"),
        ([-1], r"Received: features=\[-1\]"),
        ([0.5], r"Received: features=\[0.5\]"),
        ([], r"Received: features=\[\]"),
        ([[0, 1]], r"Received: features=\[\[0, 1\]\]"),
        ([True, False], r"Received: features=\[ True, False\]"),
        ([False] * 5, r"Received: features=\[False, False"),
        ([3, 1, 3], r"each feature once.*Received: features with \[3\] more than once"),
    ],
)
def test_bad_features_are_named(function, features, message, signal):
    data = signal if function in ACCURACIES else (signal[0], signal[2])
    with pytest.raises(ValueError, match=rf"`features` of {function.__name__} .*{message}"):
        function(*data, features=features)


@pytest.mark.parametrize("function", ACCURACIES)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("y_train", np.arange(39) % 3, r"shape \(40,\). Received: y_train of shape \(39,\)"),
        ("y_test", np.eye(20, 3, dtype=int), r"Received: y_test of shape \(20, 3\)"),
        ("y_test", np.arange(20) % 4, r"labels that `y_train` has.*Received: y_test with \[3\]"),
        ("y_train", np.full(40, np.nan), "Received: y_train of dtype float64, the least nan"),
        ("y_train", np.arange(40) - 1, "Received: y_train of dtype int64, the least -1"),
        ("y_train", np.full(40, "a"), "Received: y_train of dtype <U1"),
        ("x_test", np.zeros((20, 4)), r"the 5 features of `x_train`. Received: .*\(20, 4\)"),
        ("x_train", np.full((40, 5), np.nan), "must be finite. Received: NaN"),
        ("x_test", np.zeros((0, 5)), r"non-empty.*Received: x_test of shape \(0, 5\)"),
    ],
)
def test_bad_data_is_named(function, name, value, message, signal):
    data = dict(zip(("x_train", "y_train", "x_test", "y_test"), signal, strict=True))
    with pytest.raises(ValueError, match=rf"`{name}` of {function.__name__} .*{message}"):
        function(**(data | {name: value}))


def test_bad_settings_are_named(signal):
    for bad in ((), 3, None):
        with pytest.raises(ValueError, match=r"`seeds` of extra_trees_accuracy.*Received: seeds="):
            extra_trees_accuracy(*signal, seeds=bad)
    with pytest.raises(ValueError, match=r"`seeds` of .*Received: seeds=-1"):
        extra_trees_accuracy(*signal, seeds=(0, -1))
    with pytest.raises(ValueError, match=r"`trees` of .*Received: trees=0"):
        extra_trees_accuracy(*signal, trees=0)


def test_bad_data_of_the_linear_map_is_named(signal):
    x_train, _, x_test, _ = signal
    with pytest.raises(ValueError, match=r"`x_test` of linear_reconstruction_error.*5 features"):
        linear_reconstruction_error(x_train, x_test[:, :4])
    with pytest.raises(ValueError, match=r"`x_train` of linear_reconstruction_error.*finite"):
        linear_reconstruction_error(x_train * np.nan, x_test)
