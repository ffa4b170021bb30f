"""The row of LassoNet: what is asked of the package, and what is made of its answer."""

import sys
from types import SimpleNamespace

import numpy as np

from experiments import feature_selection_rows as rows


def test_the_features_dropped_last_are_selected(monkeypatch):
    asked = {}

    class LassoNetRegressor:
        def __init__(self, **settings):
            asked.update(settings)

        def path(self, x, y):
            asked["x"], asked["y"] = x, y
            self.feature_importances_ = np.array([3.0, 9.0, 1.0, np.inf, 5.0])

    package = SimpleNamespace(LassoNetRegressor=LassoNetRegressor)
    monkeypatch.setitem(sys.modules, "lassonet", package)
    monkeypatch.setattr(rows, "LASSONET_SAMPLES", 8)
    x = np.random.default_rng(0).random((20, 5))
    assert rows.lassonet_features(x, 3, seed=4).tolist() == [3, 1, 4]
    assert asked["hidden_dims"] == (3,)
    assert asked["random_state"] == asked["torch_seed"] == 4
    # eight different samples, and they themselves are what is to be restored
    assert asked["x"] is asked["y"]
    assert asked["x"].shape == (8, 5)
    assert len(np.unique(asked["x"], axis=0)) == 8
    assert set(asked["x"][:, 0]) <= set(x[:, 0].astype("float32"))
    other = rows.lassonet_features(x, 3, seed=5)
    assert other.tolist() == [3, 1, 4]
