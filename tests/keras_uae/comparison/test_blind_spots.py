"""What the report says, evaluated again from outside; its page and JSON."""

import json

import keras
import numpy as np
import pytest

import keras_uae as uae
from tests import tiny_models

X = tiny_models.images(24)


@pytest.fixture(scope="module")
def report():
    return uae.blind_spots(tiny_models.convolutional(), X, samples=10, steps=8, verbose=0)


@pytest.fixture(scope="module")
def model():
    return tiny_models.convolutional()


def scores(model, z, x=None):
    """Norms of the difference to x, or to z itself."""
    difference = model(z).numpy() - (z if x is None else x)
    return np.linalg.norm(difference.reshape(len(z), -1), axis=1)


def test_shares_and_sizes_hold_from_outside(model):
    report = uae.blind_spots(model, X, samples=10, steps=8, verbose=0)
    assert len(report.rows) == len(set(report.rows)) == 10
    np.testing.assert_array_equal(report.x, X[report.rows])
    restored, passes = report.findings["restored"], report.findings["passes"]
    for finding in (restored, passes):
        won, z = finding.found.success, finding.found.x
        own = scores(model, report.x[won])
        reached = scores(model, z[won], report.x[won] if finding is restored else None)
        assert (reached <= own + 1e-5).all()
        delta = (z - report.x)[won].reshape(won.sum(), -1)
        np.testing.assert_allclose(finding.l2, np.linalg.norm(delta, axis=1), rtol=1e-5)
        np.testing.assert_allclose(finding.features.ravel(), np.abs(delta).mean(0), rtol=1e-5)
        assert finding.scores["originals"] == pytest.approx(own.mean(), rel=1e-4)


def test_a_report_leaves_a_model_with_noise_as_it_was():
    """Its generators had moved on, so that the next attack by the same seed was another one."""

    class Sampling(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(0)

        def call(self, x):
            return 0.5 * x + 0.01 * keras.random.normal(keras.ops.shape(x), seed=self.generator)

    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, Sampling()(inputs))
    before = [each.numpy() for each in model.variables]
    uae.blind_spots(model, X, samples=4, steps=2, verbose=0)
    np.testing.assert_equal([each.numpy() for each in model.variables], before)


def test_norms_are_in_units_of_the_range(report):
    from keras import layers

    inputs = keras.Input(tiny_models.SHAPE)
    inner = tiny_models.convolutional()
    outputs = layers.Rescaling(255.0)(inner(layers.Rescaling(1 / 255)(inputs)))
    keras.utils.set_random_seed(0)
    wide = uae.blind_spots(
        keras.Model(inputs, outputs), 255 * X, samples=10, steps=8, bounds=(0, 255), verbose=0
    )
    narrow = uae.blind_spots(inner, X, samples=10, steps=8, verbose=0)
    for name in ("restored", "passes"):
        a, b = (each.findings[name].l2.mean() for each in (wide, narrow))
        assert a == pytest.approx(b, rel=0.1)


def test_a_threshold_that_all_pass_and_one_that_none_does(model):
    easy = uae.blind_spots(model, X, samples=6, steps=5, threshold=100, verbose=0)
    finding = easy.findings["passes"]
    assert finding.found.success_rate == finding.noise_success == 1
    hard = uae.blind_spots(model, X, samples=6, steps=5, threshold=0, verbose=0)
    assert hard.findings["passes"].found.success_rate == 0
    assert "–" in str(hard)  # nothing to measure
    json.dumps(hard.summary(), allow_nan=False)


def test_page_json_and_text(report, tmp_path):
    page = report.save_page(tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6  # a map and two rows of pictures for each
    assert "http" not in page
    summary = json.loads(report.save_json(tmp_path / "report.json").read_text())
    restored = summary["criteria"]["restored"]
    assert len(restored["farthest"]) == min(10, round(10 * restored["success"]))
    assert set(restored["nearest"]) <= set(report.rows.tolist())
    assert "not how good it is" in str(report)
    with pytest.raises(FileExistsError, match=r"overwrite=True"):
        report.save_page(tmp_path / "report.html")


def test_samples_that_are_no_images(tmp_path):

    table = keras.Sequential([keras.Input((7,)), keras.layers.Dense(7)])
    x = np.random.default_rng(0).normal(size=(12, 7)).astype("float32")
    report = uae.blind_spots(table, x, steps=5, bounds="features", verbose=0)
    page = report.save_page(tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2


def test_what_cannot_be_is_refused(model):
    with pytest.raises(ValueError, match=r"`criterion` of blind_spots.*threshold"):
        uae.blind_spots(model, X, criterion="reconstruction")
    with pytest.raises(ValueError, match=r"`samples` of blind_spots.*samples=0"):
        uae.blind_spots(model, X, samples=0)
    with pytest.raises(ValueError, match=r"`threshold` of blind_spots.*threshold=-1"):
        uae.blind_spots(model, X, threshold=-1)
