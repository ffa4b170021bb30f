"""Pages and commands on models of several kinds of samples."""

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import CliRunner

import keras_uae as uae
from keras_uae.cli.app import app
from keras_uae.comparison import page
from tests.marks import slow

RNG = np.random.default_rng(0)


def autoencoder(shape):
    size = int(np.prod(shape))
    stack = [layers.Flatten(), layers.Dense(3), layers.Dense(size), layers.Reshape(shape)]
    model = keras.Sequential([keras.Input(shape), *stack])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    "shape", [(6,), (6, 1), slow((1, 6)), slow((6, 5)), slow((6, 5, 1)), (6, 5, 3), (2, 3, 2)]
)
def test_blind_spots_of_samples_of_any_shape_have_a_page(shape, tmp_path):
    x = RNG.uniform(size=(8, *shape)).astype("float32")
    report = uae.blind_spots(autoencoder(shape), x, steps=3, verbose=0)
    text = report.save_page(tmp_path / "page.html").read_text()
    assert text.count("<img") >= text.count("<h2") - 1  # of how it was made


def test_figures_on_a_page_are_written_short():
    shown = page.settings_table({"model": {"rate": float(np.float32(0.001))}})
    assert "<td>rate 0.001</td>" in shown
    assert 'class="wide settings"' in shown


def test_bounds_are_those_of_all_samples_whichever_are_drawn():
    x = RNG.uniform(-2, 3, size=(50, 6)).astype("float32")
    model = autoencoder((6,))
    report = uae.blind_spots(model, x, samples=2, bounds="data", steps=2, verbose=0)
    assert (report.space.low, report.space.high) == pytest.approx((x.min(), x.max()))


def test_options_that_the_model_has_no_use_for_are_refused(tmp_path):
    x = RNG.uniform(size=(40, 6)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    autoencoder((6,)).save(tmp_path / "model.keras")
    classifier = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    classifier.compile("sgd", "mse")
    classifier.save(tmp_path / "classifier.keras")

    def refused(model, *options):
        files = [str(tmp_path / each) for each in (model, "x.npy")]
        command = ["compare", *files, "--epochs", "1", "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(app, [*command, *options])
        assert result.exit_code == 2
        return result.output

    labels = str(tmp_path / "y.npy")
    assert "--test-labels" in refused("model.keras", "--labels", labels)
    assert "--outliers" in refused("classifier.keras", "--outliers", str(tmp_path / "x.npy"))
