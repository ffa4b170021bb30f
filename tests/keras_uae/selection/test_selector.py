import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import SkipTest

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import keras_uae as uae
from keras_uae.selection import ConcreteFeatureSelector
from keras_uae.selection.linear import greedy_linear_selection
from keras_uae.selection.training import assign_columns
from tests.marks import slow

unsettled = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def quick(n_features_to_select=None, **settings):
    """A selector that takes a moment."""
    quickest = {"epochs": 1, "batch_size": 500, "decoder": "cae_paper", "random_state": 0}
    return ConcreteFeatureSelector(n_features_to_select, **{**quickest, **settings})


@pytest.fixture
def eager():
    """Without tracing, which takes longer than the few steps of a quick fit."""
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():
        # it does not apply to the functions of tf.data, which is all right
        warnings.filterwarnings("ignore", "Even though the `tf.config")
        yield
    tf.config.run_functions_eagerly(False)


# of a supervised selector only what y has to do with: the whole takes half a minute each
ABOUT_Y = (
    "check_fit_score_takes_y",
    "check_requires_y_none",
    "check_supervised_y_no_nan",
)
CONTRACT = [
    *estimator_checks_generator(quick()),
    *(
        (selector, check)
        for target in ("classification", "regression")
        for selector, check in estimator_checks_generator(quick(target=target))
        if check.func.__name__ in ABOUT_Y
    ),
]


@pytest.mark.usefixtures("eager")
@unsettled
@pytest.mark.parametrize(
    ("selector", "check"),
    CONTRACT,
    ids=[f"{selector.target}-{check.func.__name__}" for selector, check in CONTRACT],
)
def test_scikit_learn_contract(selector, check):
    try:
        check(selector)
    except SkipTest as reason:  # for want of another library
        pytest.skip(str(reason))


def informative(count=400, seed=0):
    """Columns 2, 5, 11 and 13 are independent; the other 12 are noise or follow from them."""
    rng = np.random.default_rng(seed)
    sources = rng.random((count, 4))
    x = 0.5 + 0.02 * rng.normal(size=(count, 16))
    x[:, [2, 5, 11, 13]] = sources
    return x.astype(np.float32), sources


@pytest.fixture(scope="module")
def selected():
    x, _ = informative()
    selector = ConcreteFeatureSelector(
        4,
        epochs=60,
        learning_rate=0.02,
        decoder="cae_paper",
        # two units that settle on one feature, as those of one seed in eight do, are told apart
        duplicates="resolve",
        decoder_epochs=20,
        random_state=0,
    )
    return selector.fit(x), x


def test_it_finds_the_informative_features(selected):
    selector, _ = selected
    assert selector.converged_
    assert selector.mean_max_probability_ >= 0.998
    assert selector.get_support(indices=True).tolist() == [2, 5, 11, 13]
    assert selector.n_unique_ == 4
    assert sorted(selector.indices_) == [2, 5, 11, 13]
    assert selector.get_feature_names_out().tolist() == ["x2", "x5", "x11", "x13"]


def test_the_same_seed_selects_the_same(selected):
    selector, x = selected
    again = clone(selector)
    assert not hasattr(again, "indices_")
    again.fit(x)
    np.testing.assert_array_equal(selector.indices_, again.indices_)
    np.testing.assert_array_equal(selector.model_(x), again.model_(x))


@unsettled
def test_a_training_step_is_traced_once(traced):
    quick(2).fit(informative(40)[0])
    assert traced == ["select"]


def test_transform_takes_columns_and_the_decoder_restores_the_rest(selected):
    selector, _ = selected
    x, _ = informative(seed=1)
    columns = selector.transform(x)
    np.testing.assert_array_equal(columns, x[:, [2, 5, 11, 13]])
    restored = selector.inverse_transform(columns)
    assert restored.shape == x.shape
    np.testing.assert_allclose(restored, selector.model_(x), rtol=1e-6, atol=1e-6)
    error = np.mean((restored - x) ** 2)
    assert error < 0.3 * x.var(axis=0).mean()
    assert selector.score(x) == pytest.approx(-error, rel=1e-4)


def test_a_pickle_is_the_same_selector(selected):
    selector, x = selected
    copy = pickle.loads(pickle.dumps(selector))
    np.testing.assert_array_equal(copy.indices_, selector.indices_)
    np.testing.assert_array_equal(copy.transform(x), selector.transform(x))
    columns = selector.transform(x)
    np.testing.assert_array_equal(
        copy.inverse_transform(columns), selector.inverse_transform(columns)
    )


def test_another_process_sees_the_same_features(selected, tmp_path):
    selector, x = selected
    (tmp_path / "selector.pickle").write_bytes(pickle.dumps(selector))
    selector.model_.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    program = """
import pickle, keras, numpy as np
import keras_uae
from tests.marks import slow
x = np.load("x.npy")
selector = pickle.load(open("selector.pickle", "rb"))
model = keras.models.load_model("model.keras")
np.savez(
    "out.npz", indices=selector.indices_, columns=selector.transform(x),
    saved=model.get_layer("select").indices(), outputs=model(x),
)
"""
    checkout = str(Path(uae.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": checkout}
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=120)
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(out["indices"], selector.indices_)
    np.testing.assert_array_equal(out["saved"], selector.indices_)
    np.testing.assert_array_equal(out["columns"], selector.transform(x))
    np.testing.assert_array_equal(out["outputs"], selector.model_(x))


def test_its_network_can_be_attacked(selected):
    selector, x = selected
    # it restores x nearly perfectly, so that few examples are found: PGD finds one for 0 to 8 %
    settings = {"similarity": "l2", "bounds": "features"}
    attack = uae.MinMaxAttack(selector.model_, **settings)
    before = [variable.numpy() for variable in selector.model_.variables]
    assert attack.generate(x[:64], verbose=0).success.mean() > 0.05
    for variable, value in zip(selector.model_.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("gradient_estimator", [slow("gumbel_softmax"), "straight_through"])
def test_digits_are_restored_better_than_from_random_pixels(digits, gradient_estimator):
    x, x_test = (part.reshape(len(part), 64) for part in (digits.x_train, digits.x_test))
    selector = ConcreteFeatureSelector(
        16,
        epochs=50,
        batch_size=64,
        learning_rate=0.01,
        decoder="cae_paper",
        gradient_estimator=gradient_estimator,
        duplicates="resolve",
        random_state=0,
        threshold=0.5,
    ).fit(x)
    assert selector.n_unique_ == 16

    def linear_error(columns):
        """Restored by least squares, so that only the choice of pixels counts."""
        train, test = (np.c_[part[:, columns], np.ones(len(part))] for part in (x, x_test))
        restored = test @ np.linalg.lstsq(train, x, rcond=None)[0]
        return np.mean((restored - x_test) ** 2)

    rng = np.random.default_rng(0)
    random = [linear_error(rng.choice(64, 16, replace=False)) for _ in range(10)]
    assert linear_error(selector.indices_) < min(random)
    assert -selector.score(x_test) < min(random)  # by the decoder itself


def test_classification_selects_what_tells_the_labels():
    x, _ = informative()
    labels = np.where(x[:, 5] > 0.5, "high", "low")
    # 20 seeds of 20 select it; at a rate of 0.02 the decoder follows too late for some
    selector = ConcreteFeatureSelector(
        1, target="classification", epochs=60, learning_rate=0.05, random_state=0
    ).fit(x, labels)
    assert selector.get_support(indices=True).tolist() == [5]
    assert selector.classes_.tolist() == ["high", "low"]
    assert selector.score(x, labels) > 0.9
    assert not hasattr(selector, "inverse_transform")


def test_regression_selects_what_tells_the_numbers():
    x, _ = informative()
    y = x[:, [2, 5, 11, 13]]
    settings = {"epochs": 60, "learning_rate": 0.02, "decoder": "cae_paper", "random_state": 0}
    settings |= {"duplicates": "resolve", "decoder_epochs": 20}
    selector = ConcreteFeatureSelector(4, target="regression", **settings).fit(x, y)
    assert selector.get_support(indices=True).tolist() == [2, 5, 11, 13]
    assert -selector.score(x, y) < 0.3 * y.var(axis=0).mean()
    with pytest.raises(ValueError, match="score must have 4 numbers a sample"):
        selector.score(x, y[:, 0])


@pytest.mark.usefixtures("eager")
def test_a_reconstruction_ignores_y():
    x, _ = informative(60)
    with pytest.warns(ConvergenceWarning):
        one = quick(3).fit(x)
    with pytest.warns(ConvergenceWarning):
        other = quick(3).fit(x, np.arange(60))
    np.testing.assert_array_equal(one.model_(x), other.model_(x))


@unsettled
def test_duplicates_are_allowed_or_resolved():
    rng = np.random.default_rng(0)
    # one feature is all there is to know: every unit wants it
    x = np.c_[rng.random(200), np.full((200, 5), 0.5)].astype(np.float32)
    settings = {"epochs": 40, "schedule": "constant", "decoder": "cae_paper", "random_state": 0}
    settings |= {"learning_rate": 0.05, "logits_learning_rate": 0.05}
    allowed = ConcreteFeatureSelector(3, **settings).fit(x)
    assert allowed.n_unique_ < 3
    assert allowed.transform(x).shape == (200, allowed.n_unique_)
    assert allowed.inverse_transform(allowed.transform(x)).shape == x.shape
    np.testing.assert_allclose(
        allowed.inverse_transform(allowed.transform(x)), allowed.model_(x), atol=1e-6
    )
    settings["duplicates"] = "resolve"
    resolved = ConcreteFeatureSelector(3, **settings).fit(x)
    assert resolved.n_unique_ == 3
    assert 0 in resolved.indices_
    assert set(allowed.indices_) <= set(resolved.indices_)
    # the network selects what the selector says
    np.testing.assert_array_equal(resolved.model_.get_layer("select").indices(), resolved.indices_)
    np.testing.assert_allclose(
        resolved.inverse_transform(resolved.transform(x)), resolved.model_(x), atol=1e-6
    )


@unsettled
def test_the_decoder_can_be_trained_on_what_was_selected():
    x, _ = informative()
    settings = {"duplicates": "resolve", "batch_size": 16}
    one = quick(8, **settings).fit(x)
    other = quick(8, **settings, decoder_epochs=20).fit(x)
    np.testing.assert_array_equal(one.indices_, other.indices_)
    assert -other.score(x) < -0.5 * one.score(x)
    np.testing.assert_allclose(
        other.inverse_transform(other.transform(x)), other.model_(x), atol=1e-6
    )


def test_the_assignment_moves_only_duplicates():
    logits = np.array([[5, 4, 0, 0], [6, 1, 2, 0], [0, 0, 0, 3]], np.float32)
    expected = [1, 0, 3]  # the first and the second unit want column 0, the second one more
    changed = assign_columns(logits)
    assert changed.argmax(axis=1).tolist() == expected
    np.testing.assert_array_equal(changed[1:], logits[1:])
    np.testing.assert_allclose(changed[0], [4, 5, 0, 0])
    ties = np.zeros((3, 3), np.float32)
    assert sorted(assign_columns(ties).argmax(axis=1)) == [0, 1, 2]


@pytest.mark.usefixtures("eager")
def test_the_plan_comes_first_and_the_tries_are_those_of_the_plan(capsys):
    x, _ = informative(64)
    selector = quick(3, epochs=1, batch_size=32, tryouts=3, verbose=1)
    with pytest.warns(ConvergenceWarning, match="mean max probability is 0"):
        selector.fit(x)
    lines = capsys.readouterr().out.splitlines()
    assert "3 of 16 features from 64 samples; 1 epochs of 2 steps (batch 32)" in lines[0]
    assert "temperature 10.0 to 0.1" in lines[0]
    assert "Up to 3 tries" in lines[1]
    assert "1, 2, 4 epochs, at most 7 epochs and 14 steps in all" in lines[1]
    assert [line[:6] for line in lines[2:]] == ["Try 1:", "Try 2:", "Try 3:"]
    assert [len(each["loss"]) for each in selector.history_] == [1, 2, 4]
    assert not selector.converged_


@pytest.mark.usefixtures("eager")
def test_silence_is_the_default_and_one_try_too(capsys):
    x, _ = informative(64)
    with pytest.warns(ConvergenceWarning):
        selector = quick(3).fit(x)
    assert len(selector.history_) == 1
    assert capsys.readouterr().out == ""


def test_a_try_ends_when_the_units_have_settled(selected):
    _, x = selected
    settings = {"epochs": 5, "threshold": 0.0, "tryouts": 3}
    stopped = quick(2, **settings, early_stopping=True).fit(x).history_
    assert [len(each["loss"]) for each in stopped] == [1]
    history = quick(2, **settings).fit(x).history_
    assert [len(each["loss"]) for each in history] == [5]


@pytest.mark.usefixtures("eager")
@unsettled
def test_a_greedy_start_favours_the_greedy_features():
    x, _ = informative(64)
    selector = quick(4, initialization="greedy").fit(x)
    greedy = greedy_linear_selection(x, 4)
    assert selector.indices_.tolist() == greedy.tolist()
    assert quick(4).fit(x).indices_.tolist() != greedy.tolist()


def test_presets_are_settings():
    selector = ConcreteFeatureSelector.from_preset("published", 3, epochs=7)
    assert (selector.n_features_to_select, selector.epochs) == (3, 7)
    assert selector.learning_rate == selector.logits_learning_rate == 1e-3
    assert (selector.schedule, selector.dropout, selector.tryouts) == ("constant", 0.1, 5)
    default = ConcreteFeatureSelector.from_preset("default", 3)
    assert default.get_params() == ConcreteFeatureSelector(3).get_params()
    with pytest.raises(ValueError, match="`preset` of ConcreteFeatureSelector"):
        ConcreteFeatureSelector.from_preset("fast")


@pytest.mark.usefixtures("eager")
@unsettled
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_learning_rate_follows_its_schedule_and_callbacks_are_called(schedule):
    rates = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    x, _ = informative(40)
    watch = Watch() if schedule == "cosine" else [Watch()]
    quick(2, epochs=4, learning_rate=0.01, schedule=schedule).fit(x, callbacks=watch)
    falling = 0.01 * (1 + np.cos(np.pi * np.arange(1, 5) / 4)) / 2
    expected = falling if schedule == "cosine" else np.full(4, 0.01)
    np.testing.assert_allclose(rates, expected, atol=1e-8)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("wanted", "count"), [(None, 8), (3, 3), (np.int64(3), 3), (0.25, 4)])
@unsettled
def test_the_number_of_features(wanted, count):
    x, _ = informative(40)
    assert len(quick(wanted).fit(x).indices_) == count


@pytest.mark.usefixtures("eager")
@unsettled
def test_it_works_in_a_pipeline_and_a_grid_search(digits):
    x, y = digits.x_train.reshape(-1, 64)[:100], digits.y_train[:100]
    pipeline = make_pipeline(MinMaxScaler(), quick(), LogisticRegression(max_iter=500))
    grid = {
        "concretefeatureselector__n_features_to_select": [1, 30],
        "concretefeatureselector__duplicates": ["resolve"],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(x, y)
    best = search.best_estimator_["concretefeatureselector"]
    assert best.n_features_to_select == 30
    assert best.get_support().sum() == 30
    assert search.best_score_ > 0.5
    # on its own it is judged by its reconstruction
    search = GridSearchCV(quick(2), {"decoder": ["cae_paper"]}, cv=2, refit=False).fit(x[:40])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_features_to_select": 17}, r"`n_features_to_select` .* \[1, 16\]"),
        ({"n_features_to_select": 0}, "`n_features_to_select` of ConcreteFeatureSelector"),
        ({"n_features_to_select": 1.5}, "`n_features_to_select` of ConcreteFeatureSelector"),
        ({"target": "reconstruct"}, "`target` .* Did you mean 'reconstruction'"),
        ({"epochs": 0}, "`epochs` of ConcreteFeatureSelector"),
        ({"batch_size": 0}, "`batch_size` of ConcreteFeatureSelector"),
        ({"learning_rate": -1}, "`learning_rate` of ConcreteFeatureSelector"),
        ({"decoder": "linear"}, "`decoder` of ConcreteFeatureSelector"),
        ({"gradient_estimator": "reinforce"}, "`gradient_estimator` of ConcreteFeatureSelector"),
        ({"start_temperature": 0}, "`start_temperature` of ConcreteFeatureSelector"),
        ({"duplicates": "drop"}, "`duplicates` of ConcreteFeatureSelector"),
        ({"decoder_epochs": -1}, "`decoder_epochs` of ConcreteFeatureSelector"),
        ({"threshold": 2}, "`threshold` of ConcreteFeatureSelector"),
        ({"early_stopping": 1}, "`early_stopping` of ConcreteFeatureSelector"),
        ({"tryouts": 0}, "`tryouts` of ConcreteFeatureSelector"),
        ({"logits_learning_rate": 0}, "`logits_learning_rate` of ConcreteFeatureSelector"),
        ({"schedule": "linear"}, "`schedule` of ConcreteFeatureSelector"),
        ({"dropout": 1}, "`dropout` of ConcreteFeatureSelector"),
        ({"initialization": "zeros"}, "`initialization` of ConcreteFeatureSelector"),
        (
            {"learning_rate": 1e30, "logits_learning_rate": 1e30, "batch_size": 8},
            "the training diverged. Received: learning",
        ),
    ],
)
def test_bad_settings_are_refused(settings, message):
    x, _ = informative(40)
    with pytest.raises(ValueError, match=message):
        quick(**settings).fit(x)


def test_bad_data_are_refused(selected):
    selector, x = selected
    bad = x[:20].copy()
    bad[3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(bad)
    with pytest.raises(ValueError, match="NaN"):
        selector.transform(bad)
    with pytest.raises(ValueError, match="requires y"):
        quick(target="classification").fit(x)
    with pytest.raises(ValueError, match="Unknown label type"):
        quick(target="classification").fit(x, x[:, 0])
    with pytest.raises(ValueError, match="must have 4 features"):
        selector.inverse_transform(x)
    with pytest.raises(NotFittedError):
        quick().get_support()
    failed, stop = quick(), keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failed.fit(x, callbacks=stop)
    with pytest.raises(NotFittedError):
        failed.transform(x)


# labels in a column, weights, frames, half precision


@pytest.fixture(scope="module")
def classified():
    x, sources = informative()
    labels = (sources[:, 0] > 0.5).astype(int)
    selector = ConcreteFeatureSelector(
        4, target="classification", epochs=40, learning_rate=0.02, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return selector.fit(x, labels), x, labels


class Column:
    """A frame of one column, as pandas and polars have it."""

    def __init__(self, values):
        self.values, self.shape = values[:, None], (len(values), 1)

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("form", [lambda y: y[:, None], Column, lambda y: [[each] for each in y]])
def test_labels_in_one_column_are_labels(classified, form):
    selector, x, labels = classified
    right = selector.score(x, labels)
    assert right > 0.9
    assert selector.score(x, form(labels)) == right
    with pytest.warns(ConvergenceWarning):
        again = clone(selector).set_params(epochs=1, batch_size=500).fit(x, form(labels))
    np.testing.assert_array_equal(again.classes_, [0, 1])
    # a label that was not in the training is never right
    assert selector.score(x, np.full((len(x), 1), 7)) == 0


@pytest.mark.usefixtures("eager")
@unsettled
def test_a_grid_search_with_labels_in_one_column(classified):
    _, x, labels = classified
    search = GridSearchCV(
        quick(4, target="classification", learning_rate=0.02), {"epochs": [5]}, cv=2
    )
    expected = search.fit(x, labels).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(
        search.fit(x, labels[:, None]).cv_results_["mean_test_score"], expected
    )


def test_scores_are_weighted(classified, selected):
    selector, x, labels = classified
    weights = np.linspace(0, 3, len(x))
    right = selector.classes_[selector.model_(x).numpy().argmax(axis=1)] == labels
    expected = (weights * right).sum() / weights.sum()
    assert selector.score(x, labels, sample_weight=weights) == pytest.approx(expected, abs=1e-6)
    selector, x = selected
    errors = ((selector.model_(x).numpy() - x) ** 2).mean(axis=1)
    expected = -(weights * errors).sum() / weights.sum()
    assert selector.score(x, sample_weight=weights) == pytest.approx(expected, rel=1e-5)
    assert selector.score(x, sample_weight=3 * np.ones(len(x))) == pytest.approx(selector.score(x))


@unsettled
@pytest.mark.parametrize("initialization", ["random", "greedy"])
def test_samples_of_weight_0_have_no_influence(initialization):
    x, _ = informative()
    changed, weights = x.copy(), np.ones(len(x))
    changed[::2] = 1 - changed[::2] ** 3
    weights[::2] = 0
    settings = {"initialization": initialization, "batch_size": 50, "epochs": 2}
    first, second = (
        quick(4, **settings).fit(samples, sample_weight=scale * weights)
        for samples, scale in ((x, 1), (changed, 5))
    )
    np.testing.assert_allclose(
        first.model_.get_weights()[0], second.model_.get_weights()[0], atol=1e-5
    )
    third = quick(4, **settings).fit(changed)
    assert np.abs(first.model_.get_weights()[0] - third.model_.get_weights()[0]).max() > 1e-3


def test_greedy_selection_counts_by_weight():
    x, _ = informative()
    weights = np.arange(len(x)) % 3
    repeated = np.repeat(x, weights, axis=0)
    np.testing.assert_array_equal(
        greedy_linear_selection(x, 6, sample_weight=weights), greedy_linear_selection(repeated, 6)
    )
    for bad in (np.ones(3), -np.ones(len(x)), np.zeros(len(x)), np.full(len(x), np.nan)):
        with pytest.raises(ValueError, match=r"`sample_weight` of greedy_linear_selection must"):
            greedy_linear_selection(x, 6, sample_weight=bad)


@pytest.mark.parametrize("weights", [[-1.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
def test_weights_are_checked(weights):
    # scikit-learn itself refuses those that are all 0, in its newer versions
    message = (
        r"`sample_weight` of ConcreteFeatureSelector must be numbers ≥ 0|at least one non-zero"
    )
    with pytest.raises(ValueError, match=message):
        quick(1).fit(np.eye(3), sample_weight=weights)


@pytest.mark.usefixtures("eager")
@unsettled
def test_names_of_features_stay():
    pandas = pytest.importorskip("pandas")
    x, sources = informative()
    frame = pandas.DataFrame(x, columns=[f"pixel {i}" for i in range(16)])
    labels = pandas.DataFrame({"y": (sources[:, 0] > 0.5).astype(int)})
    selector = quick(4, target="classification").fit(frame, labels)
    assert selector.feature_names_in_.tolist() == list(frame.columns)
    assert selector.get_feature_names_out().tolist() == [
        f"pixel {i}" for i in selector.get_support(indices=True)
    ]
    assert selector.score(frame, labels) == selector.score(frame, labels["y"])


@pytest.mark.usefixtures("eager")
@unsettled
def test_features_are_restored_in_single_precision():
    x, _ = informative()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        selector = quick(4).fit(x)
        restored = selector.inverse_transform(selector.transform(x))
    finally:
        keras.config.set_dtype_policy(before)
    assert restored.dtype == np.float32
