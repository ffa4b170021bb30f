"""The main job from end to end, on few images: what it writes, and that it can stop and go on."""

import json
from pathlib import Path

import numpy as np
import pytest

import keras_uae as uae
from experiments.engine import training
from experiments.reconstruction import Config, main
from experiments.reconstruction_rows import labels
from keras_uae.attacks.base import Attack
from tests.experiments.runs import contents, metrics, records, run_undisturbed

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

# the quickest to train and to attack
LABELS = labels(Config(similarity="gaussian"))
SIZES = {"train-size": 40, "attack-size": 24, "epochs": 1, "retraining-epochs": 1}
SIZES |= {"batch-size": 32, "steps": 3, "model": "dense", "similarity": "gaussian"}
SMALL = [f"--{name}={value}" for name, value in SIZES.items()]


@pytest.fixture(scope="module", autouse=True)
def _two_batches():
    """Attack in batches of 16, so that there is something between the first and the last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "auto_batch_size", lambda *_: 16)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The directory of a run over two seeds that nothing has disturbed."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    run_undisturbed(main, [*SMALL, "--seeds", "0", "1", "--output", str(output)])
    return output


def test_everything_is_written(finished):
    names = {str(path.relative_to(finished)) for path in contents(finished)}
    seed = ("original.keras", "mine_uae.npz", "small_uae.npz", "l2_uae.npz")
    assert names == {
        "config.json",
        "metrics.json",
        "report.md",
        "examples.png",
        "trace.png",
        "errors.png",
        *(f"seed-{number}/{name}" for number in (0, 1) for name in seed),
        "seed-0/trace.npz",
    }
    config = json.loads((finished / "config.json").read_text())
    settings = {"dataset": "digits", "model": "dense", "preset": "quick", "seeds": [0, 1]}
    settings |= {"train_size": 40, "attack_size": 24, "steps": 3, "epsilon": 1.0}
    assert settings.items() <= config["config"].items()
    assert {"keras_uae", "tensorflow", "keras", "numpy"} <= config["versions"].keys()
    report = (finished / "report.md").read_text()
    assert "python -m experiments.reconstruction --train-size=40" in report
    assert all(f"({name}.png)" in report for name in ("examples", "trace", "errors"))
    assert all(label in report for label in LABELS.values())


def test_all_augmentations_see_as_many_samples_and_steps(finished):
    for seed in (0, 1):
        rows = records(finished, "training", seed)
        assert rows.keys() == LABELS.keys()
        original = rows.pop("original")
        assert (original["samples"], original["steps"]) == (40, 2)
        assert {(row["samples"], row["steps"]) for row in rows.values()} == {(64, 2)}


def test_summary_is_the_mean_and_std_of_the_records(finished):
    summary = metrics(finished)["summary"]
    by_seed = [records(finished, "training", seed) for seed in (0, 1)]
    for name in LABELS:
        errors = np.array([rows[name]["test_error"] for rows in by_seed])
        assert summary[name]["test_error"]["mean"] == pytest.approx(np.mean(errors), rel=1e-12)
        assert summary[name]["test_error"]["std"] == pytest.approx(np.std(errors), rel=1e-12)
        if name in ("original", "duplicate"):
            continue
        for reference, figure, compared in (
            ("original", "test_error", "gain_original"),
            ("duplicate", "averaged_error", "vs_control"),
        ):
            gains = [1 - rows[name][figure] / rows[reference][figure] for rows in by_seed]
            mean = summary[name][compared]["mean"]
            assert mean == pytest.approx(np.mean(gains), rel=1e-9)


def test_attack_figures_are_those_of_the_saved_uaes(finished, digits):
    for seed in (0, 1):
        rows = records(finished, "attack", seed)
        assert rows.keys() == {"mine", "small", "l2", "ga_0.01", "ga_0.001"}
        for name in ("mine", "small", "l2"):
            found = uae.UAEs.load(finished / f"seed-{seed}" / f"{name}_uae.npz")
            assert len(found) == 24
            assert rows[name]["asr"] == found.success_rate
            norms = np.linalg.norm((found.x - digits.x_train[:24]).reshape(24, -1), axis=1)
            expected = norms[found.success].mean() if found.success.any() else None
            assert rows[name]["l2"] == pytest.approx(expected)
            assert found.success[norms == 0].sum() == 0


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    def never(*_, **__):
        pytest.fail("a finished run was taken up again")

    monkeypatch.setattr(training, "train", never)
    monkeypatch.setattr(Attack, "batches", never)
    before = contents(finished)
    flags = ["--seeds", "0", "1", "--output", str(finished), "--quiet"]
    assert main([*SMALL, *flags]) == 0
    assert contents(finished) == before
    printed = capsys.readouterr().out
    assert all(label in printed for label in LABELS.values())


def test_other_settings_are_refused_and_nothing_is_touched(finished, capsys):
    before = contents(finished)
    flags = ["--seeds", "0", "1", "--epsilon", "0.5", "--output", str(finished)]
    assert main([*SMALL, *flags]) == 2
    assert contents(finished) == before
    assert "epsilon 1.0 there, 0.5 here" in capsys.readouterr().err


@pytest.mark.slow
def test_interrupted_run_goes_on_to_the_same_numbers(finished, tmp_path, monkeypatch, capsys):
    output = tmp_path / "interrupted"
    args = [*SMALL, "--seeds", "0", "--output", str(output)]
    search, train = uae.MinMaxAttack.search, training.train
    calls: list[int] = []

    def search_once(self, x, *args, **settings):
        calls.append(len(x))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return search(self, x, *args, **settings)

    def no_noise(job, *args, **settings):
        if "GA" in job.label:
            raise KeyboardInterrupt
        return train(job, *args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(uae.MinMaxAttack, "search", search_once)
        assert main(args) == 130
    assert "goes on from there" in capsys.readouterr().err
    assert records(output, "training", 0).keys() == {"original", "duplicate"}
    assert len(uae.UAEs.load(output / "seed-0" / "mine_uae.npz")) == 16

    taken = []

    def watched(self, x, y=None, **settings):
        taken.append(len(x))
        return batches(self, x, y, **settings)

    batches = Attack.batches
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", no_noise)
        patch.setattr(Attack, "batches", watched)
        assert main(args) == 130
    assert taken == [8, 24, 24]  # the rest of the UAEs, then the small ones and L2-UAE
    assert not (output / "report.md").exists()

    run_undisturbed(main, args)
    for stage in ("training", "attack"):
        assert records(output, stage, 0) == records(finished, stage, 0)
    assert (output / "report.md").exists()
