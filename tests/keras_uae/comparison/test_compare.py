"""The whole comparison on small data: what it answers, that it resumes, what it refuses."""

import json
import os
import pickle
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from keras_uae import comparison
from keras_uae.comparison import arms as arms_module
from keras_uae.comparison.arms import default_arms, rows_of
from keras_uae.comparison.identity import sums_of
from keras_uae.comparison.progress import Progress
from tests.marks import slow

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(48, 8)).astype("float32")
X_TEST = RNG.uniform(size=(24, 8)).astype("float32")
ARM = uae.Adversarial(epsilon=0.1, steps=3)


def autoencoder(seed=None):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(8)])
    model.compile("adam", "mse")
    return model


def compare(model=autoencoder, x=X, x_test=X_TEST, **settings):
    defaults = {"epochs": 2, "batch_size": 8, "seeds": 2, "arms": [ARM], "verbose": 0}
    return uae.compare(model, x, x_test, **{**defaults, **settings})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A comparison and its directory."""
    out = tmp_path_factory.mktemp("comparison") / "run"
    return compare(out=out), out


def records(comparison):
    """What two comparisons must agree in, by seed and row."""
    return {
        (each["seed"], each["row"]): {k: v for k, v in each.items() if k != "seconds"}
        for each in comparison.records
    }


def test_all_rows_but_the_original_have_as_many_samples_and_steps(found):
    for each in found[0].records:
        original = each["row"] == "original"
        assert (each["samples"], each["steps"]) == ((48, 12) if original else (96, 24))


def test_rows_of_uaes_and_of_noise_as_large(found):
    rows = {each["row"]: each for each in found[0].records if each["seed"] == 0}
    name = "UAE, ε = 0.1, T = 3"
    assert list(rows) == [
        "original",
        "duplicates",
        name,
        f"{name} / gaussian",
        f"{name} / shuffled",
    ]
    assert 0 < rows[name]["success"] <= 1
    for kind in ("gaussian", "shuffled"):
        assert rows[f"{name} / {kind}"]["l2"] == pytest.approx(rows[name]["l2"], rel=1e-3)


def test_the_figures_are_those_of_the_trainings_done_by_hand(found):
    keras.utils.set_random_seed(1)
    model = autoencoder()
    data, taken, step = uae.UAEAugmentation(X, X, batch_size=8, seed=1), [], 0
    for epoch in range(2):
        data.epoch = epoch
        for index in range(len(data)):
            model.train_on_batch(*data[index])
            step += 1
            if step > 18:  # the last quarter
                taken.append(model.get_weights())
    record = records(found[0])[1, "duplicates"]
    error = uae.reconstruction_error(model, X_TEST)
    assert record["last"]["reconstruction error"] == pytest.approx(error, rel=1e-5)
    model.set_weights([np.mean(each, axis=0) for each in zip(*taken, strict=True)])
    error = uae.reconstruction_error(model, X_TEST)
    assert record["averaged"]["reconstruction error"] == pytest.approx(error, rel=1e-5)


def test_the_uaes_are_those_of_the_original_model(found):
    keras.utils.set_random_seed(0)
    model = autoencoder()
    model.steps_per_execution = 10
    keras.utils.set_random_seed(0)
    data = uae.UAEAugmentation(X, [], batch_size=8)
    model.fit(data, epochs=2, shuffle=False, verbose=0)
    attacked = uae.MinMaxAttack(model, epsilon=0.1, steps=3).generate(X, verbose=0)
    record = records(found[0])[0, ARM.name]
    assert record["success"] == attacked.success_rate
    norms = np.linalg.norm(attacked.x - X, axis=1)[attacked.success]
    assert record["l2"] == pytest.approx(norms.mean(), rel=1e-4)


def test_a_clone_and_a_function_that_builds_agree_in_what_they_do(found):
    other = compare(autoencoder())
    assert records(other).keys() == records(found[0]).keys()
    # of a clone of the same architecture the same weights are drawn
    for key, each in records(other).items():
        assert each["last"] == pytest.approx(records(found[0])[key]["last"], rel=1e-4)


@pytest.mark.parametrize("count", [slow(1), 3, slow(6)])
def test_resumed_is_uninterrupted(found, tmp_path, monkeypatch, count):
    done = []
    add = comparison.run.Run.add

    def stopping(self, *args, **figures):
        add(self, *args, **figures)
        done.append(args)
        if len(done) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(comparison.run.Run, "add", stopping)
    with pytest.raises(uae.ComparisonInterrupted, match="goes on") as interrupted:
        compare(out=tmp_path / "run")
    copy = pickle.loads(pickle.dumps(interrupted.value))
    assert str(copy) == str(interrupted.value)
    assert copy.comparison.records == interrupted.value.comparison.records
    assert len(copy.comparison.records) == count
    monkeypatch.undo()
    assert records(compare(out=tmp_path / "run")) == records(found[0])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["comparison.json"]


@pytest.mark.parametrize("damaged", [False, True])
def test_the_weights_that_are_attacked_may_be_gone(found, tmp_path, damaged):
    content = json.loads((found[1] / "comparison.json").read_text())
    content["records"] = content["records"][:2]
    (tmp_path / "comparison.json").write_text(json.dumps(content))
    if damaged:  # by a disk, and so are the examples of the first arm
        (tmp_path / "seed-0-original.npz").write_bytes(b"")
        (tmp_path / "seed-0-uae-2.npz").write_bytes(b"PK")
    assert records(compare(out=tmp_path)) == records(found[0])


def test_an_interruption_of_the_first_measurement_is_one_to_go_on_from(tmp_path):
    def interrupting(model, x, y):
        calls.append(x)
        if len(calls) == 2:  # the first is to see whether it works
            raise KeyboardInterrupt
        return float(np.mean((model(x) - x) ** 2))

    calls = []
    settings = {"metrics": {"mean": interrupting}, "arms": [ARM], "out": tmp_path / "run"}
    with pytest.raises(uae.ComparisonInterrupted):
        compare(seeds=1, epochs=1, **settings)
    assert compare(seeds=1, epochs=1, **settings).seeds == [0]


def test_more_seeds_go_on_and_a_finished_run_is_read(found, tmp_path):
    (tmp_path / "comparison.json").write_bytes((found[1] / "comparison.json").read_bytes())
    more = compare(out=tmp_path, seeds=3)
    assert more.seeds == [0, 1, 2]
    assert records(more).items() >= records(found[0]).items()
    loaded = uae.Comparison.load(tmp_path)
    assert loaded.summary() == more.summary()
    assert str(loaded) == str(more)


def test_two_at_once_keep_the_trainings_of_both(tmp_path):
    def fit(model, data, epochs, callbacks):
        model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
        if not started:  # another one, in the middle of the first training of this
            started.append(True)
            others.append(compare(**settings, seeds=[3]))

    started, others = [], []
    settings = {"fit": fit, "arms": [], "out": tmp_path / "run", "epochs": 1}
    both = compare(**settings, seeds=[2])
    assert others[0].seeds == [3]
    assert both.seeds == uae.Comparison.load(tmp_path / "run").seeds == [3, 2]


def test_another_comparison_that_begins_meanwhile_is_not_written_over(tmp_path):
    def fit(model, data, epochs, callbacks):
        model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
        if not (out / "comparison.json").exists():
            compare(arms=[], out=out, seeds=1)

    out = tmp_path / "run"
    with pytest.raises(ValueError, match=r"holds another comparison"):
        compare(fit=fit, arms=[], out=out, seeds=1)
    assert uae.Comparison.load(out).settings["fit"] is None


def test_a_directory_of_another_comparison_is_refused(found, tmp_path):
    with pytest.raises(ValueError, match=r"another comparison \(epochs 2 there, 3 here\)"):
        compare(out=found[1], epochs=3)
    with pytest.raises(ValueError, match=r"holds another comparison \(data"):
        compare(out=found[1], x=X[::-1])
    rows = r"rows only there: 'UAE, ε = 0.1, T = 3', '.*gaussian', '.*'; rows only here: 'copy'"
    with pytest.raises(ValueError, match=rf"holds another comparison \({rows}\)"):
        compare(out=found[1], arms=[uae.Augmented(np.copy, "copy")])
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds files, but no comparison.json"):
        compare(out=tmp_path)
    (tmp_path / "comparison.json").write_text("[]")
    with pytest.raises(ValueError, match=r"that is none of a comparison"):
        compare(out=tmp_path)


def test_a_directory_that_cannot_be_made_is_told_before_any_training(tmp_path):
    def fit(model, data):
        raise AssertionError("trained")

    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"file/run"):
        compare(fit=fit, arms=[], out=tmp_path / "file" / "run")


def built(kind=None, *args, kernel=None, loss="mse", loss_weights=None, **settings):
    """A function that builds a model: a frozen kernel, if there is one, and a layer of a kind."""

    def build():
        first = layers.Dense(8, trainable=kernel is None)
        model = keras.Sequential([keras.Input((8,)), first])
        if kind is not None:
            model.add(kind(*args, **settings))
        model.add(layers.Dense(8))
        if kernel is not None:
            first.set_weights([np.full((8, 8), kernel), np.zeros(8)])
        model.compile("adam", loss, loss_weights=loss_weights)
        return model

    return build


def metric(value):
    return {"metrics": {"error": lambda model, x, y: value}}


def arm(addition):
    return {"arms": [addition]}


class Doubling(layers.Layer):
    def call(self, x):
        return 2 * x


class Tripling(layers.Layer):
    def call(self, x):
        return 3 * x


Tripling.__qualname__ = Tripling.__name__ = "Doubling"
FACTOR = 2
LABELS = [np.arange(48) % 2, np.arange(48) % 3]
OTHERS = {
    "activation": [{"model": built(layers.Activation, name)} for name in ("relu", "tanh")],
    "rate": [{"model": built(layers.Dropout, rate)} for rate in (0.0, 0.5)],
    "penalty": [
        {"model": built(layers.Dense, 8, kernel_regularizer=keras.regularizers.L2(size))}
        for size in (0.0, 1.0)
    ],
    "layer": [{"model": built(kind)} for kind in (Doubling, Tripling)],
    "lambda": [
        {"model": built(layers.Lambda, function)} for function in (lambda x: x, lambda x: 2 * x)
    ],
    "cloned": [{"model": built(layers.Activation, name)()} for name in ("relu", "tanh")],
    "frozen": [{"model": built(kernel=value)} for value in (0.1, 0.2)],
    "loss": [{"model": built(loss=lambda y, z, n=n: n * (y - z) ** 2)} for n in (1.0, 2.0)],
    "loss weights": [{"model": built(loss_weights=[size])} for size in (1.0, 2.0)],
    "given": [arm(comparison.Given(x, "given")) for x in (X, 1 - X)],
    "noise": [arm(uae.Augmented(layers.GaussianNoise(size), "a")) for size in (0.01, 0.5)],
    "function": [arm(uae.Augmented(f, "a")) for f in (lambda x: x, lambda x: 1 - x)],
    "attack": [
        arm(uae.Adversarial(f, name="a"))
        for f in (lambda m: uae.MinMaxAttack(m, steps=1), lambda m: uae.MinMaxAttack(m, steps=2))
    ],
    "closure": [metric(value) for value in (1.0, 2.0)],
    "outliers": [{"metrics": comparison.outlier_auroc(x)} for x in (X, 1 - X)],
    "labels": [
        {"metrics": comparison.linear_probe(X, y), "y_test": LABELS[0][:24]} for y in LABELS
    ],
    "fit": [
        {"fit": lambda model, data: model.fit(data, epochs=1, verbose=0)},
        {"fit": lambda model, data: model.fit(data, epochs=2, verbose=0)},
    ],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_directory_of_other_models_additions_or_metrics_is_refused(kind, tmp_path):
    settings = {"arms": [], "seeds": 1, "epochs": 1, "out": tmp_path / "run"}
    one, other = ({**settings, **each} for each in OTHERS[kind])
    done = compare(**one)
    assert records(compare(**one)) == records(done)  # its own
    with pytest.raises(ValueError, match=r"holds another comparison \(another "):
        compare(**other)


@pytest.mark.parametrize("change", ["none", "of another Python"])
def test_a_directory_with_no_sums_or_those_of_another_python_goes_on(change, found, tmp_path):
    content = json.loads((found[1] / "comparison.json").read_text())
    sums = content["settings"].pop("sums")
    if change != "none":
        content["settings"]["sums"] = {**dict.fromkeys(sums, "0"), "made by": "Python 3"}
    (tmp_path / "comparison.json").write_text(json.dumps(content))
    assert records(compare(out=tmp_path)) == records(found[0])


def augmented(x):
    scale = {"a": 1, "b": 2, "c": 3}
    return x * FACTOR if "a" in {"a", "b", "c"} else x * scale["b"]


def identities():
    """Sums of a comparison whose parts are all made anew."""
    models = [built(layers.Lambda, lambda x: 2 * x, kernel=0.1)() for _ in range(2)]
    metrics = [comparison.outlier_auroc(X), comparison.linear_probe(X, LABELS[0])]
    stack = keras.Sequential([layers.RandomFlip(), layers.GaussianNoise(0.1)])
    rows = rows_of([uae.Augmented(augmented), uae.Augmented(stack, "stack"), ARM]).values()
    return sums_of(*models, X, rows, metrics, augmented)


def test_what_is_made_anew_in_another_process_is_the_same():
    ours = identities()
    assert identities() == ours  # though layers were counted on
    code = f"from {__name__} import identities; import json; print(json.dumps(identities()))"
    env = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert json.loads(ran.stdout) == ours


def halves(count, seed, both):
    """y is even in x; the training samples are of one half alone."""
    x = np.random.default_rng(seed).normal(size=(count, 2)).astype("float32")
    x[:, 0] = np.abs(x[:, 0]) if not both else x[:, 0]
    return x, np.abs(x[:, :1])


def regression():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


def test_an_augmentation_that_is_known_to_help_is_said_to_and_one_that_does_nothing_not():
    x, y = halves(64, 0, both=False)
    x_test, y_test = halves(64, 1, both=True)
    arms = [uae.Augmented(lambda x: x * [-1, 1], "mirror"), uae.Augmented(np.copy, "nothing")]
    found = compare(regression, x, x_test, y=y, y_test=y_test, arms=arms, epochs=8, seeds=3)
    assert found.verdicts["mirror"].startswith("better than duplicates by")
    assert found.verdicts["nothing"] == "not distinguishable from duplicates (equal in all 3 seeds)"
    assert found.metrics[0].name == "loss"
    assert found.decides == "averaged"


def test_a_budget_in_steps_holds_for_all_but_the_original():
    found = compare(budget=7, seeds=1)
    steps = {each["row"]: each["steps"] for each in found.records}
    assert steps.pop("original") == 12
    assert set(steps.values()) == {7}


def test_a_row_of_uaes_without_examples_is_told():
    told = "UAE: an example was found for 0% of the samples, and all others are added as they are"
    for epsilon, without in ((0.0, True), (1.0, False)):
        arm = uae.Adversarial(epsilon=epsilon, noise=(), name="UAE")
        assert (told in str(compare(arms=arm, seeds=1))) == without


def test_a_metric_without_a_figure_has_its_heading():
    found = compare(metrics={"none": lambda model, x, y: float("nan")}, arms=[], seeds=1)
    assert found.cells()[0] == ["", "none ↓, averaged weights"]


def test_a_fit_of_ones_own():
    calls = []

    def fit(model, data, callbacks):
        calls.append(len(data))
        model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)

    found = compare(fit=fit, epochs=None, seeds=1)
    assert calls == [6, 12, 12, 12, 12]
    assert found.decides == "averaged"

    def handing_on(model, data, **settings):
        model.fit(data, shuffle=False, verbose=0, **settings)

    found = compare(fit=handing_on, epochs=3, seeds=1, arms=[])
    assert found.decides == "averaged"
    assert {each["row"]: each["steps"] for each in found.records} == {
        "original": 18,
        "duplicates": 36,
    }

    def bare(model, data):
        for x, y in (data[index] for index in range(len(data))):
            model.train_on_batch(x, y)

    found = compare(fit=bare, epochs=None, seeds=1)
    assert found.decides == "last"
    assert "no averaged weights" in str(found)


def test_budgets_that_are_not_equal_are_told():
    def unequal(model, data):
        for index in range(len(data) - len(calls)):
            model.train_on_batch(*data[index])
        calls.append(1)

    calls = []
    assert "not trained for equally many steps" in str(compare(fit=unequal, epochs=None, seeds=1))


class Stop(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training |= epoch + 1 == self.epochs


def stopped(*epochs):
    """A comparison of the duplicates with others, whose trainings stop after so many epochs."""
    left = iter(epochs)

    def fit(model, data, epochs, callbacks):
        stop = [*callbacks, Stop(next(left))]
        model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=stop)

    return compare(fit=fit, arms=[uae.Augmented(np.copy, "other")], epochs=8)


def test_budgets_that_differ_in_any_seed_are_told():
    found = stopped(8, 8, 7, 8, 8, 8)
    assert found.decides == "averaged"
    assert found.notes[-1].endswith("equally many steps: duplicates 96, other 84 to 96.")
    assert "as many samples, not as many steps;" in found.legend
    equal = stopped(8, 7, 7, 8, 8, 8)  # pair by pair
    assert not any("equally many" in each for each in equal.notes)
    assert "as many samples and steps;" in equal.legend


def test_a_training_that_ends_before_its_weights_are_averaged_is_told():
    told = "of 6 trainings ended before their last quarter"
    found = stopped(8, 8, 8, 8, 8, 5)
    assert found.decides == "last"
    assert found.notes[-1].startswith(f"1 {told}")
    assert "(other of seed 1 was the first)" in found.notes[-1]
    assert f"6 {told}" in stopped(*[5] * 6).notes[-1]


def test_a_model_with_a_train_step_of_its_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(8)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return super().train_step(data)

    def build():
        model = Own()
        model.compile("sgd", "mse")
        return model

    found = compare(build, seeds=1)
    assert {each["steps"] for each in found.records} == {12, 24}


def test_data_sets_and_samples_that_are_held_out():
    pairs = tf.data.Dataset.from_tensor_slices((X, X)).batch(10)
    found = compare(x=pairs, x_test=None, seeds=1, arms=[])
    assert (found.settings["samples"], found.settings["test_samples"]) == (39, 9)
    assert "No verdict: 9 test samples, and it takes 20" in " ".join(found.notes)


def test_arms_of_every_kind():
    shards = [
        uae.Adversarial(uae.PGDAttack, epsilon=0.1, steps=2, noise=["signs"], name="PGD"),
        uae.Augmented(layers.GaussianNoise(0.1), "layer"),
        uae.Augmented(lambda x, seed: uae.gaussian_noise(x, 0.1, seed=seed), "noise"),
        comparison.Given(X[::-1], "given"),
    ]
    found = compare(arms=shards, seeds=1)
    assert list(found.settings["rows"])[2:] == ["PGD", "PGD / signs", "layer", "noise", "given"]
    assert len(found.records) == 7


def test_weights_that_no_seed_fixes_are_refused_where_another_session_would_need_them(tmp_path):
    rng = np.random.default_rng()

    def build():
        model = autoencoder()
        model.set_weights([rng.uniform(0, 0.1, each.shape) for each in model.get_weights()])
        return model

    assert len(compare(build, arms=[], seeds=1).records) == 2
    with pytest.raises(
        ValueError, match=r"same weights for a seed .* `out`.*each time in .*kernel"
    ):
        compare(build, arms=[], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_metric_does_to_the_model_is_undone():
    def probe(model, x, y):  # as in tutorials of transfer learning
        code = keras.Model(model.inputs, model.layers[0].output)
        code.trainable = False
        model.set_weights([0 * each for each in model.get_weights()])
        return 0.0

    alone = compare(metrics=[comparison.RECONSTRUCTION], arms=[], seeds=1)
    beside = compare(metrics=[probe, comparison.RECONSTRUCTION], arms=[], seeds=1)
    for one, two in zip(alone.records, beside.records, strict=True):
        for weights in ("last", "averaged"):
            assert two[weights] == {"probe": 0.0, **one[weights]}


def test_a_layer_draws_by_the_seed_and_not_by_what_it_has_drawn_before():
    noise = [layers.GaussianNoise(0.1), layers.GaussianNoise(0.1)]
    for layer in (noise[0], layers.GaussianNoise(0.1, seed=1), keras.Sequential(noise)):
        arm = uae.Augmented(layer)
        one, again, other = (arm.draw(X, seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert np.abs(one - other).max() > 0.1
    one, other = (each(X, training=True) for each in noise)  # not in step with each other
    assert np.abs(one - other).max() > 0.1


def classifier():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_the_default_addition_of_a_classifier_leaves_its_class(monkeypatch):
    monkeypatch.setattr(arms_module, "DEFAULT_EPSILONS", (1.0,))
    y, y_test = ((each[:, 0] > 0.5).astype("int64") for each in (X, X_TEST))
    found = compare(classifier, y=y, y_test=y_test, arms=None, seeds=1)
    row = found.settings["rows"]["UAE, ε = 1"]
    assert row["settings"]["criterion"] == "misclassification"
    rate = next(each for each in found.records if each["row"] == "UAE, ε = 1")["success"]
    assert rate > 0.5
    others = [arm for of in (None, X, y / 2) for arm in default_arms(of)]
    assert [getattr(arm, "settings", None) for arm in others] == [{"epsilon": 1.0}] * 3


CLASSES = np.arange(48) % 2
NO_CLASSES: dict[str, tuple[dict[str, Any], str]] = {
    "counted from 1": (
        {"y": CLASSES + 1},
        r"`y` of compare.*count from 0.*from 1 to 2.*\(None, 2\)",
    ),
    "of tests": ({"y_test": CLASSES[:24] - 1}, r"`y_test` of compare.*from -1 to 0"),
    "one-hot": ({"y": np.eye(2)[CLASSES]}, r"`y` of compare.*one-hot rows for .*\(48, 2\)"),
    "names": ({"y_test": CLASSES[:24].astype(str)}, r"`y_test` of compare.*of dtype <U"),
}


@pytest.mark.parametrize("kind", NO_CLASSES)
def test_labels_that_the_loss_does_not_take_are_refused(kind):
    settings, message = NO_CLASSES[kind]
    labels = {"y": CLASSES, "y_test": CLASSES[:24]} | settings
    with pytest.raises(ValueError, match=message):
        compare(classifier, arms=[], **labels)


@pytest.mark.parametrize("y", [np.eye(2)[CLASSES], CLASSES[:, None] / 2])
def test_a_model_that_the_default_attack_does_not_know_needs_arms(y):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(y.shape[1])])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"`arms` of compare must be given.*argmax.*float64"):
        compare(model, arms=None, y=y, y_test=y[:24])


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_labels_reach_a_supervised_attack_and_the_metrics(shape):
    y = (X[:, 0] > 0.5).astype("int64").reshape(shape)
    arm = uae.Adversarial(uae.PGDAttack, criterion=uae.Misclassification(), epsilon=0.3, steps=2)
    accuracy = uae.Metric(
        lambda model, x, y: np.mean(np.argmax(model(x), -1).reshape(shape) == y),
        "accuracy",
        "higher",
    )
    y_test = (X_TEST[:, 0] > 0.5).astype("int64").reshape(shape)
    metrics = [accuracy, comparison.LOSS]
    found = compare(classifier, arms=[arm], y=y, y_test=y_test, metrics=metrics, seeds=1)
    assert [each.name for each in found.metrics] == ["accuracy", "loss"]
    assert 0 <= found.records[0]["last"]["accuracy"] <= 1


def test_labels_of_one_column_keep_it_where_the_model_and_the_metrics_see_them():
    class Own(keras.Sequential):
        def train_step(self, data):
            seen.add(tuple(data[1].shape[1:]))
            return super().train_step(data)

    def build():
        model = Own([keras.Input((2,)), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    def mse(model, x, y):
        return np.mean((model(x) - y) ** 2)  # of (n, 1) and (n,) it would be that of all pairs

    seen = set()
    x, y = halves(64, 0, both=False)
    metrics = {"mse": mse, "loss": comparison.LOSS}
    found = compare(build, x, x, y=y, y_test=y, metrics=metrics, arms=[], seeds=1)
    assert found.records[0]["last"]["mse"] == pytest.approx(found.records[0]["last"]["loss"])
    assert seen == {(1,)}
    assert uae.UAEAugmentation(x, x, y)[0][1].shape == (32, 1)


def test_sample_weights_of_a_data_set_weigh_the_samples_and_their_additions():
    x, y = halves(64, 0, both=False)
    weights = np.repeat([0.0, 1.0], 32)
    arm = uae.Augmented(lambda x: x * [-1, 1], "mirror")
    figures = []
    for wrong in (7, -300):
        part = np.where(weights[:, None] == 0, wrong, y)
        triples = tf.data.Dataset.from_tensor_slices((x, part, weights)).batch(10)
        found = compare(regression, triples, x, y_test=y, arms=[arm], seeds=1)
        figures.append([each["last"] for each in found.records])
    assert figures[0] == figures[1]


def test_a_metric_of_ones_own_may_do_without_test_labels():
    size = {"size": lambda model, x, y: float(y is None)}
    found = compare(y=X[::-1], metrics=size, arms=[], seeds=1)
    assert found.records[0]["last"] == {"size": 1.0}


def test_where_a_figure_is_not_finite_there_is_no_verdict():
    values = iter([1.0, *[1.0] * 5, np.nan, *[1.0] * 100])
    found = compare(metrics={"odd": lambda *_: next(values)}, seeds=3)
    verdict = found.verdicts[ARM.name]
    assert verdict.startswith("no verdict: ")
    assert "no finite odd in seed 0" in verdict
    found.summary()
    json.dumps(found.summary(), allow_nan=False)


def test_each_metric_has_a_table_of_its_own():
    metrics = [comparison.RECONSTRUCTION, comparison.outlier_auroc(X_TEST[::-1])]
    found = compare(metrics=metrics, seeds=2)
    one, other = found.table().split("\n\n")
    assert "AUROC" in other
    assert "AUROC" not in one
    assert max(map(len, (one + "\n" + other).splitlines())) < 165
    assert (
        len(found.cells()[0]) == len(found.tables[0][0]) + 6
    )  # weights, original, controls of another


def test_two_seeds_give_no_verdict(found):
    assert found[0].verdicts == {ARM.name: "no verdict: 2 seeds, and it takes 3"}


def test_the_plan_comes_first_and_silence_is_silent(capsys):
    compare(seeds=1, arms=[])
    assert capsys.readouterr().out == ""
    compare(seeds=1, arms=[ARM], verbose=1)
    out = capsys.readouterr().out
    assert out.startswith("compare: 5 trainings of 'sequential")
    assert "1 attack on 48 samples; about " in out
    assert "reconstruction error, lower is better" in out


def test_off_a_terminal_progress_is_lines(capsys, monkeypatch):
    monkeypatch.setattr(Progress, "_INTERVAL", 0.0)
    compare(seeds=1, arms=[], verbose=1)
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "compare: 100%, about 1 s left."
    assert not set(out) & set("\b\r\x1b")


def test_labels_of_a_data_set_are_no_targets_of_images():
    images = X[:, :4].reshape(-1, 2, 2, 1)
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    pairs = tf.data.Dataset.from_tensor_slices((images, np.arange(48))).batch(8)
    columns = pairs.map(lambda x, y: (x, y[:, None]))
    for data, shape in ((pairs, r"\(48,\)"), (columns, r"\(48, 1\)")):
        message = rf"`y` of compare.*x.map.*{shape}.*\(None, 2, 2, 1\)"
        with pytest.raises(ValueError, match=message):
            compare(model, data, images)
    compare(model, pairs.map(lambda x, y: x), images, arms=[], seeds=1)


def test_a_single_arm_is_one_of_a_list():
    assert list(compare(arms=ARM, seeds=1).settings["rows"])[2] == ARM.name


def test_test_samples_that_are_the_training_samples_are_told(found):
    told = "The test samples are those that the models were trained on."
    assert told in compare(x_test=X, seeds=1, arms=[]).notes
    assert told not in found[0].notes


@pytest.mark.parametrize(
    ("rate", "epochs", "told"), [(1e-5, 1, True), (1e-5, 0, False), (1e-3, 1, False)]
)
def test_the_rate_that_a_training_has_left_is_told(rate, epochs, told):
    model = autoencoder()
    model.fit(X, X, epochs=epochs, verbose=0)
    model.optimizer.learning_rate = rate
    notes = " ".join(compare(model, arms=[], seeds=1).notes)
    assert ("at the learning rate 1e-05, with which the given one was left" in notes) == told


WEIGHTED = tf.data.Dataset.from_tensor_slices((X, X, X[:, 0])).batch(8)
NO_ATTACK: Any = lambda model: "none"  # noqa: E731
BAD = {
    "epochs": ({"epochs": None}, r"`epochs`.*Received: epochs=None and fit=None"),
    "seeds": ({"seeds": []}, r"`seeds`.*Received: seeds=\[\]"),
    "seeds that are none": ({"seeds": 1.5}, r"`seeds`.*Received: seeds=1.5"),
    "same seeds": ({"seeds": [1, 1]}, r"different seeds.*\[1, 1\]"),
    "fit": ({"fit": 3}, r"`fit`.*Received: fit=3"),
    "what fit takes": ({"fit": lambda model: None}, r"`fit` of compare must be.*data.*\(model\)"),
    "what a metric takes": (
        {"metrics": lambda model, x: 0.0},
        r"`function` of Metric must be.*y_test.*takes \(model, x\)",
    ),
    "budget": ({"fit": print, "budget": 3}, r"`budget`.*left out.*budget=3"),
    "target": ({"target": "x"}, r"`target`.*'self', 'clean'.*Received"),
    "arms": ({"arms": [3]}, r"`arms`.*Adversarial.*Received: 3"),
    "one name": ({"arms": [ARM, ARM]}, r"`arms`.*different names.*twice"),
    "an attack": ({"arms": [uae.Adversarial(NO_ATTACK)]}, r"must return an attack.*none"),
    "its shape": ({"arms": [uae.Augmented(lambda x: x[:1], "a")]}, r"same shape.*'a'"),
    "given": ({"arms": [comparison.Given(X[:3])]}, r"`found` of Given.*\(48, 8\).*\(3, 8\)"),
    "test": ({"x_test": X_TEST[:, :3]}, r"`x_test`.*\(8,\).*\(24, 3\)"),
    "labels": ({"y": X[:3]}, r"`y` of compare must have 48 rows"),
    "y_test": ({"x_test": None, "y_test": X}, r"`y_test`.*`x_test`"),
    "loss": ({"y": X[::-1]}, r"`y_test` of compare must be given .*loss.*y_test=None"),
    "weights held out": ({"x": WEIGHTED, "x_test": None}, r"`x_test`.*be given.*weights.*\(48,\)"),
    "weights of tests": ({"x_test": WEIGHTED}, r"`x_test`.*no sample weights.*x_test.map.*\(48,\)"),
    "bounds": ({"x": 3 * X}, r"`x` of compare.*inside bounds=\(0.0, 1.0\).*'features'.*to 2.9"),
    "one arm": ({"arms": 3}, r"`arms`.*Adversarial.*Received: 3"),
    "shape": ({"x": X[:, :3], "x_test": X[:, :3]}, r"`x`.*\(8,\). Received: samples .*\(3,\)"),
    "no targets": ({"y": np.arange(48)}, r"`y` of compare.*x.map.*\(48,\).*\(None, 8\)"),
    "several targets": ({"y": [X, X[:, 0]]}, r"`y` of compare.*one output.*list with 2 items"),
    "named targets": ({"y": {"a": X}}, r"`y` of compare.*one output.*dict with 1 items"),
    "NaN in y": ({"y": np.where(X > 0.9, np.nan, X)}, r"`y` of compare must be finite"),
    "NaN in y_test": ({"y": X, "y_test": X_TEST * np.inf}, r"`y_test` of compare must be finite"),
    "few": ({"x": X[:3], "x_test": None}, r"5 samples or more"),
    "probe": ({"metrics": comparison.linear_probe(X, X[:, 0] > 0.5)}, r"`y_test`.*linear_probe"),
    "outliers": ({"metrics": comparison.outlier_auroc(X[:, :2])}, r"`outliers`.*\(8,\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_before_any_training(kind, tmp_path):
    settings, message = BAD[kind]
    with pytest.raises(ValueError, match=message):
        compare(**settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_attack_in_place_of_a_function_is_refused():
    attack = uae.MinMaxAttack(autoencoder())
    with pytest.raises(ValueError, match=r"`make_attack`.*every seed has a model of its own"):
        uae.Adversarial(attack)


def of_two():
    inputs = [keras.Input((8,)), keras.Input((8,))]
    model = keras.Model(inputs, layers.Dense(8)(layers.Concatenate()(inputs)))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("model", [of_two, of_two()], ids=["function", "model"])
def test_a_model_of_several_inputs_is_refused(model):
    with pytest.raises(ValueError, match=r"`model` of compare must have one input; .*attacked=…"):
        compare(model, X, X_TEST)
    with pytest.raises(ValueError, match=r"`model` of blind_spots must have one input"):
        uae.blind_spots(of_two(), [X, X], verbose=0)


class Stepwise(keras.Model):
    """Has a `train_step`, as many programs have, and no `call`."""

    def __init__(self):
        super().__init__()
        self.part = autoencoder()

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.part(data[0]) - data[0]) ** 2)
        weights = self.part.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def stepwise():
    model = Stepwise()
    model.compile("adam")
    return model


def test_a_model_without_a_call_is_told_how_it_is_compared():
    with pytest.raises(ValueError, match=r"`metrics` of compare .* no `call`: .*MinMaxAttack"):
        compare(stepwise)
    # as the message has it
    arm = uae.Adversarial(
        lambda model, bounds: uae.MinMaxAttack(model.part, bounds=bounds, steps=3), name="part"
    )
    mse = {"mse": lambda model, x, y: uae.reconstruction_error(model.part, x)}
    done = compare(stepwise, arms=[arm], metrics=mse, seeds=1)
    assert len(done.records) > 3


def test_a_part_of_the_model_and_a_function_of_it_are_attacked_with_the_trained_weights():
    class Two(Stepwise):  # the other part has weights, too
        def __init__(self):
            super().__init__()
            self.beside = keras.Sequential([keras.Input((8,)), layers.Dense(8)])

    def build():
        model = Two()
        model.compile(keras.optimizers.Adam(0.1))
        return model

    def arm(name, of):
        def make(model, bounds):
            return uae.MinMaxAttack(of(model), bounds=bounds, steps=1, similarity="l2")

        return uae.Adversarial(make, noise=(), name=name)

    mse = {"mse": lambda model, x, y: uae.reconstruction_error(model.part, x)}
    arms = [arm("part", lambda model: model.part), arm("function", lambda m: lambda x: m.part(x))]
    part, function = compare(build, arms=arms, metrics=mse, seeds=1).records[2:]
    assert (part["success"], part["l2"]) == (function["success"], function["l2"])


def test_a_copy_of_the_model_is_attacked_with_the_trained_weights():
    pairs = []

    def make(model, bounds):
        pairs.append((model, keras.models.clone_model(model)))
        return uae.MinMaxAttack(pairs[0][1], bounds=bounds, steps=1, similarity="l2")

    compare(arms=uae.Adversarial(make, noise=(), name="copy"), seeds=1)
    for one, other in zip(*(each.get_weights() for each in pairs[0]), strict=True):
        np.testing.assert_array_equal(one, other)
