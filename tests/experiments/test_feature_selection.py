"""The feature selection experiment from end to end, on few digits: what it writes, and resuming."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from experiments import feature_selection
from experiments.feature_selection import Config, flat, main
from experiments.feature_selection_rows import FIXED, NETWORKS, SEEDED, labels
from keras_uae import evaluation
from keras_uae.attacks.base import Attack
from keras_uae.selection import ConcreteFeatureSelector
from keras_uae.selection.linear import greedy_linear_selection
from tests.experiments.runs import contents, metrics, records, run_undisturbed

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

LABELS, BASELINES = labels(Config()), (*SEEDED, *FIXED)
SIZES = {"train-size": 40, "attack-size": 24, "epochs": 1, "steps": 3, "features": 5}
SMALL = [f"--{name}={value}" for name, value in {**SIZES, "projections": 8, "seeds": 0}.items()]


@pytest.fixture(scope="module", autouse=True)
def _smaller():
    """Attack in batches of 16, so that there is something between the first and the last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "auto_batch_size", lambda *_: 16)
        patch.setattr(feature_selection, "FORESTS", (7,))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The directory of a run that nothing has disturbed."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    run_undisturbed(main, [*SMALL, "--output", str(output)])
    return output


def test_everything_is_written(finished):
    names = {str(path.relative_to(finished)) for path in contents(finished)}
    files = {"config.json", "metrics.json", "report.md", "scores.png", "features.png"}
    assert names == files | {
        f"seed-0/{name}" for name in ("original.keras", "mine_uae.npz", "published_uae.npz")
    }
    config = json.loads((finished / "config.json").read_text())["config"]
    settings = {"experiment": "feature_selection", "similarity": "bivariate", "features": 5}
    settings |= {"train_size": 40, "attack_size": 24}
    assert settings.items() <= config.items()
    report = (finished / "report.md").read_text()
    assert "python -m experiments.feature_selection --train-size=40" in report
    assert all(f"({name}.png)" in report for name in ("scores", "features"))
    assert all(LABELS[name] in report for name in (*NETWORKS, *BASELINES))


def test_every_row_is_judged_and_networks_have_equal_budgets(finished):
    trained = records(finished, "training", 0)
    samples = {name: row["samples"] for name, row in trained.items()}
    assert samples == {"original": 40, "duplicate": 64, "mine": 64, "published": 64}
    assert all(row["averaged_error"] > 0 for row in trained.values())
    assert {row["epochs"] for row in trained.values()} == {1}
    selected = records(finished, "features", 0)
    assert selected.keys() == {*NETWORKS, *SEEDED}
    for name in NETWORKS:
        assert selected[name]["features"] == sorted(set(trained[name]["features"]))
        assert selected[name]["n_unique"] == len(selected[name]["features"])
    assert records(finished, "features", None).keys() == {"variance", "pca", "greedy"}
    assert metrics(finished)["summary"].keys() == {*NETWORKS, *BASELINES}


def test_figures_are_those_of_the_saved_network_and_uaes(finished, digits):
    row = records(finished, "training", 0)["original"]
    network = keras.models.load_model(finished / "seed-0" / "original.keras")
    assert row["test_error"] == uae.reconstruction_error(network, flat(digits.x_test))
    assert row["features"] == network.get_layer("select").indices().numpy().tolist()
    found = uae.UAEs.load(finished / "seed-0" / "mine_uae.npz")
    assert found.x.shape == (24, 64)
    assert records(finished, "attack", 0)["mine"]["asr"] == found.success_rate


def test_features_are_judged_by_the_original_samples(finished, digits):
    row = records(finished, "features", None)["greedy"]
    x, y = digits.x_train[:40], digits.y_train[:40]
    chosen = greedy_linear_selection(x, 5)
    assert row["features"] == sorted(chosen)
    test = digits.x_test, digits.y_test
    expected = evaluation.extra_trees_accuracy(x, y, *test, features=chosen, seeds=(7,))
    assert row["accuracy"] == expected.mean


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    def never(*_, **__):
        pytest.fail("a finished run was taken up again")

    for owner, name in (
        (ConcreteFeatureSelector, "fit"),
        (Attack, "batches"),
        (evaluation, "extra_trees_accuracy"),
    ):
        monkeypatch.setattr(owner, name, never)
    before = contents(finished)
    flags = ["--output", str(finished), "--quiet"]
    assert main([*SMALL, *flags]) == 0
    assert contents(finished) == before
    printed = capsys.readouterr()
    assert all(LABELS[name] in printed.out for name in (*NETWORKS, *BASELINES))
    assert printed.err == ""


def test_other_settings_are_refused_and_nothing_is_touched(finished, capsys):
    before = contents(finished)
    flags = ["--split-seed", "3", "--output", str(finished)]
    assert main([*SMALL, *flags]) == 2
    assert contents(finished) == before
    assert "split_seed 0 there, 3 here" in capsys.readouterr().err


def test_interrupted_run_goes_on_to_the_same_numbers(
    finished, tmp_path, monkeypatch, capsys, digits
):
    output = tmp_path / "interrupted"
    args = [*SMALL, "--output", str(output)]
    search, fit = uae.MinMaxAttack.search, ConcreteFeatureSelector.fit
    fitted: list[np.ndarray] = []
    searched: list[np.ndarray] = []

    def interrupted_second_time(self, x, *args, **settings):
        searched.append(x)
        if len(searched) == 2:
            raise KeyboardInterrupt
        return search(self, x, *args, **settings)

    def watched(self, x, *args, **settings):
        fitted.append(x)
        return fit(self, x, *args, **settings)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ConcreteFeatureSelector, "fit", watched)
    with monkeypatch.context() as patch:
        patch.setattr(uae.MinMaxAttack, "search", interrupted_second_time)
        assert main(args) == 130
    assert "goes on from there" in capsys.readouterr().err
    assert len(uae.UAEs.load(output / "seed-0" / "mine_uae.npz")) == 16

    with monkeypatch.context() as patch:
        patch.setattr(ConcreteFeatureSelector, "fit", interrupted)
        assert main(args) == 130
    assert records(output, "training", 0).keys() == {"original", "duplicate"}
    assert not (output / "report.md").exists()

    run_undisturbed(main, args)
    for stage, seed in (("training", 0), ("attack", 0), ("features", 0), ("features", None)):
        assert records(output, stage, seed) == records(finished, stage, seed)

    x = flat(digits.x_train[:40])
    added = [uae.UAEs.load(output / "seed-0" / f"{n}_uae.npz").x for n in ("mine", "published")]
    expected = [x, *(np.concatenate([x, each]) for each in (x[:24], *added))]
    assert all(map(np.array_equal, fitted, expected))
    assert len(fitted) == len(expected)
