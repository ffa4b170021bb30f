"""`keras-uae compare` and `keras-uae report`, on a saved model and saved samples."""

import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import keras_uae as uae
from keras_uae.cli.app import app

FILES = (".keras", ".npy", ".run")
X = np.random.default_rng(0).uniform(size=(60, 8)).astype("float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    parts = [keras.Input((8,)), keras.layers.Dense(3), keras.layers.Dense(8)]
    model = keras.Sequential(parts, name="saved")
    model.save(folder / "untrained.keras")
    model.compile("adam", "mse")
    model.save(folder / "model.keras")
    classifier = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    classifier.save(folder / "classifier.keras")
    np.save(folder / "train.npy", X[:36])
    np.save(folder / "test.npy", X[36:])
    np.save(folder / "labels.npy", np.arange(36) % 2)
    np.save(folder / "test_labels.npy", np.arange(24) % 2)
    np.save(folder / "wide.npy", X.reshape(-1, 2, 4))
    np.save(folder / "outliers.npy", 1 - X[:10])
    return folder


def run(folder, *arguments):
    paths = [str(folder / each) if str(each).endswith(FILES) else str(each) for each in arguments]
    result = CliRunner().invoke(app, paths)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


COMPARE = ["compare", "model.keras", "train.npy", "--epochs", 2, "--batch-size", 12]


@pytest.fixture(scope="module")
def compared(folder):
    out = folder / "out.run"
    arguments = ["--test", "test.npy", "--epsilon", 1, "--seeds", 1, "--out", "out.run", "--json"]
    return run(folder, *COMPARE, *arguments), out


def test_compare_leaves_a_page_a_picture_and_the_figures(compared):
    result, out = compared
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert set(summary["rows"]) >= {"original", "duplicates", "UAE, ε = 1"}
    files = {"comparison.html", "comparison.json", "comparison.png", "summary.json"}
    assert {path.name for path in out.iterdir()} == files
    assert "no verdict: 1 seed, and it takes 3" in (out / "comparison.html").read_text()
    assert uae.Comparison.load(out).seeds == [0]


def test_it_goes_on_with_more_seeds_and_refuses_another_comparison(folder, compared):
    arguments = ["--test", "test.npy", "--epsilon", 1, "--out", "out.run"]
    more = run(folder, *COMPARE, *arguments, "--seeds", 2)
    assert more.exit_code == 0, more.output
    assert "5 trainings of 'saved" in more.stdout
    other = run(folder, *COMPARE, *arguments, "--budget", 3)
    assert other.exit_code == 4
    assert "holds another comparison (budget None there, 3 here)" in other.stderr


def test_labels_and_outliers_add_metrics(folder):
    labels = ["--labels", "labels.npy", "--test-labels", "test_labels.npy"]
    arguments = ["--test", "test.npy", "--out", "labelled.run", "--outliers", "outliers.npy"]
    arguments += ["--epsilon", "1", "--seeds", "1", "--budget", "2", "--json"]
    result = run(folder, *COMPARE, *labels, *arguments)
    assert result.exit_code == 0, result.output
    headings = json.loads(result.stdout)["headings"]
    assert list(headings) == ["reconstruction error", "linear probe", "outlier AUROC"]


def test_a_classifier_is_compared_by_its_loss_with_examples_that_leave_their_class(folder):
    arguments = ["compare", "classifier.keras", "train.npy", "--epochs", 2, "--labels"]
    arguments += ["labels.npy", "--epsilon", 1, "--seeds", 1, "--budget", 2]
    result = run(folder, *arguments, "--out", "classes.run", "--json")
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["headings"]) == ["loss"]
    adversarial = uae.Comparison.load(folder / "classes.run").settings["rows"]["UAE, ε = 1"]
    assert "misclassification" in str(adversarial)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classifier.keras", "train.npy"], "`--labels` must be given"),
        (["model.keras", "train.npy", "--test-labels", "labels.npy"], "`--test-labels` must be"),
        (["model.keras", "train.npy", "--test", "train.npy"], "`--test` must hold other samples"),
        (["model.keras", "train.npy", "--epsilon", "-1"], "`epsilon` of MinMaxAttack"),
        (["model.keras", "train.npy", "--bounds-of", "feature"], "Did you mean 'features'"),
        (["model.keras", "train.npy", "--epsilon", 1, "--epsilon", 1], "`--epsilon` must be given"),
        (["model.keras", "train.npy", "--bounds", 0, 1, "--bounds-of", "data"], "`--bounds` must"),
    ],
)
def test_a_wrong_option_is_usage_and_leaves_nothing(folder, arguments, message):
    result = run(folder, "compare", *arguments, "--epochs", 1, "--out", "none.run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (folder / "none.run").exists()


def test_report_refuses_a_wrong_option_before_the_work(folder):
    kept = (folder / "labels.npy").read_bytes()
    both = ["--bounds", 0, 1, "--bounds-of", "data"]
    new = ["--out", "no.run"]
    for more in (["--out", "labels.npy"], [*new, "--epsilon", "-1"], [*new, *both]):
        assert run(folder, "report", "model.keras", "test.npy", *more).exit_code == 2
    assert (folder / "labels.npy").read_bytes() == kept
    wide = run(folder, "report", "model.keras", "wide.npy", "--out", "no.run")
    assert "must have the shape that the model takes, (None, 8). Give x.reshape" in wide.stderr


@pytest.mark.filterwarnings("default:The outputs of the model")
def test_a_warning_is_a_line_and_values_outside_the_bounds_come_before_it(folder):
    np.save(folder / "large.npy", (X * 255).astype("uint8"))
    unit = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, activation="sigmoid")])
    unit.compile("adam", "mse")
    unit.save(folder / "unit.keras")
    arguments = ["compare", "unit.keras", "large.npy", "--epochs", 1, "--out", "large.run"]
    refused = run(folder, *arguments)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("keras-uae: `x` of compare must lie inside bounds")
    more = ["--bounds", 0, 255, "--epsilon", 1, "--seeds", 1, "--quiet"]
    warned = run(folder, *arguments, *more)
    assert warned.exit_code == 0, warned.output
    assert warned.stderr.startswith("keras-uae: warning: The outputs of the model")
    assert "UserWarning" not in warned.stderr


@pytest.fixture
def busy(monkeypatch):
    """Blind spots that somebody interrupts."""

    def work(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(uae.comparison, "blind_spots", work)


def test_a_report_that_is_interrupted_does_not_promise_to_go_on(folder, busy):
    result = run(folder, "report", "model.keras", "test.npy", "--out", "broken.run")
    assert result.exit_code == 130
    assert result.stderr == "keras-uae: interrupted. Nothing is kept.\n"


def test_where_a_report_cannot_be_left_is_told_before_the_work(folder, busy):
    below = folder / "train.npy" / "report"
    result = run(folder, "report", "model.keras", "test.npy", "--out", below)
    assert result.exit_code == 1
    assert "Not a directory" in result.stderr


def test_a_directory_in_place_of_a_model_is_named(folder):
    (folder / "saved.run").mkdir(exist_ok=True)
    result = run(folder, "compare", "saved.run", *COMPARE[2:], "--out", "no.run")
    assert result.exit_code == 1
    assert "is a directory, not a file" in result.stderr


def test_a_saved_model_is_told_how_it_is_attacked(folder):
    path, x = folder / "exported.run", X[36:]
    keras.models.load_model(folder / "untrained.keras").export(path, verbose=False)
    for command in (["compare", *COMPARE[3:]], ["generate"]):
        files = ("exported.run", "test.npy")
        result = run(folder, command[0], *files, *command[1:], "--out", "no.run")
        assert result.exit_code == 1
        assert "exported.run' is a SavedModel" in result.stderr
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    found = uae.MinMaxAttack(layer, steps=3).generate(x, verbose=0)
    before, after = (np.linalg.norm(layer(each) - x, axis=1) for each in (x, found.x))
    assert np.all((after <= before + 1e-6)[found.success])
    assert found.success.any()


@keras.saving.register_keras_serializable(package="tests.cli")
class Subclassed(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.dense = keras.layers.Dense(8)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)


def test_a_subclass_which_has_no_output_shape_is_compared(folder):
    model = Subclassed()
    model.build((None, 8))
    model.compile("adam", "mse")
    model.save(folder / "subclassed.keras")
    settings = ["--seeds", 1, "--epsilon", 1, "--out", "subclassed.run", "--json"]
    result = run(
        folder, "compare", "subclassed.keras", *COMPARE[2:], "--test", "test.npy", *settings
    )
    assert result.exit_code == 0, result.output
    assert "reconstruction error" in result.stdout


def test_a_model_that_was_not_compiled_is_refused(folder):
    result = run(folder, "compare", "untrained.keras", *COMPARE[2:], "--out", "no.run")
    assert result.exit_code == 1
    assert "saved without being compiled" in result.stderr
    assert not (folder / "no.run").exists()


def test_report_leaves_a_page_and_does_not_replace_one(folder):
    arguments = ["report", "model.keras", "test.npy", "--out", "report.run", "--samples", 6]
    result = run(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["samples"] == 6
    assert {path.name for path in (folder / "report.run").iterdir()} == {
        "report.html",
        "report.json",
    }
    again = run(folder, *arguments)
    assert again.exit_code == 2
    assert "--overwrite replaces it" in again.stderr
    replaced = run(folder, *arguments, "--overwrite", "--epsilon", 0.2, "--threshold", 5)
    assert replaced.exit_code == 0
    assert "its own error is at most 5" in replaced.stdout
