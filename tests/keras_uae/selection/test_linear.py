"""Greedy linear selection against brute force, and on data where the answer is known."""

import numpy as np
import pytest

from keras_uae.evaluation import linear_reconstruction_error
from keras_uae.selection.linear import greedy_linear_selection


def brute_force(x: np.ndarray, features: int) -> list[int]:
    """The same search, with a least-squares problem for each candidate."""
    chosen: list[int] = []
    for _ in range(features):
        errors = {
            j: linear_reconstruction_error(x, x, features=[*chosen, j])
            for j in range(x.shape[1])
            if j not in chosen
        }
        chosen.append(min(errors, key=errors.__getitem__))
    return chosen


@pytest.mark.parametrize("seed", range(4))
def test_every_step_is_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 9)) @ rng.normal(size=(9, 9)) + 5 * rng.normal(size=9)
    assert greedy_linear_selection(x, 7).tolist() == brute_force(x, 7)


def test_digits_in_parts_and_as_images(digits, monkeypatch):
    x = digits.x_train[:200]
    chosen = greedy_linear_selection(x, 8)
    assert chosen.tolist() == brute_force(x.reshape(-1, 64), 8)
    monkeypatch.setattr("keras_uae.selection.linear._ROWS", 64)
    assert greedy_linear_selection(x, 8).tolist() == chosen.tolist()


def test_offsets_do_not_matter(digits):
    x = digits.x_train.reshape(-1, 64).astype(np.float64)
    shifted = x + 1000 * np.arange(64)
    assert (greedy_linear_selection(x, 10) == greedy_linear_selection(shifted, 10)).all()


def test_features_that_determine_the_others_come_first():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(50, 3))
    x = np.concatenate([base @ rng.normal(size=(3, 4)), base @ rng.normal(size=(3, 4))], axis=1)
    chosen = greedy_linear_selection(x, 8)
    assert linear_reconstruction_error(x, x, features=chosen[:3]) < 1e-20
    rest = chosen[3:]
    assert (np.diff(x[:, rest].var(axis=0)) <= 0).all()
    assert sorted(chosen) == list(range(8))


def test_of_copies_the_first_is_taken_and_constants_come_last():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40))
    constant = np.full(40, 0.1)
    x = np.stack([constant, b, 3 * a, b, 3 * a, constant], axis=1)
    assert greedy_linear_selection(x, 6).tolist() == [2, 1, 4, 3, 0, 5]
    assert greedy_linear_selection(np.ones((5, 4)), 3).tolist() == [0, 1, 2]
    assert greedy_linear_selection(x[:1], 2).tolist() == [0, 1]


def test_ties_that_rounding_would_break_go_to_the_first():
    a = np.random.default_rng(2).normal(size=(1000, 1)) / 3
    x = np.concatenate([a * (1 + 1e-14), a, a * (1 + 1e-13)], axis=1)
    assert greedy_linear_selection(x, 1).tolist() == [0]
    assert greedy_linear_selection(x[:, ::-1], 1).tolist() == [0]


@pytest.mark.parametrize(
    ("x", "features", "message"),
    [
        (np.ones((4, 3)), 0, r"`features` of greedy_linear_selection must be an integer in \[1, 3"),
        (np.ones((4, 3)), 4, r"in \[1, 3\]. Received: features=4"),
        (np.ones((4, 3)), 1.5, "Received: features=1.5"),
        (np.full((4, 3), np.nan), 1, "must be finite"),
        (np.ones(4), 1, r"of shape \(samples, ...\)"),
    ],
)
def test_wrong_input_is_refused(x, features, message):
    with pytest.raises(ValueError, match=message):
        greedy_linear_selection(x, features)
