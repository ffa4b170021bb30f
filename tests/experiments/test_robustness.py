"""The robustness experiment: end to end on few digits, stopped once; and what it says."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from experiments.engine import training
from experiments.engine.classifiers import classes
from experiments.report.lines import robustness
from experiments.report.runs import FoundRun
from experiments.robustness import Config, main
from experiments.robustness_curves import sentences, summarize, tables
from keras_uae.attacks.base import Attack
from models import TRADES, AdversarialTraining
from tests.experiments.runs import contents, metrics, records, watch_bars

SIZES = {"train-size": 200, "epochs": 2, "attack-size": 12, "steps": 2, "pgd-steps": 8}
SIZES |= {"minmax-steps": 4, "autoencoder-epochs": 1, "robust-epochs": 1, "robust-steps": 2}
SMALL = [f"--{name}={value}" for name, value in SIZES.items()]
SMALL += ["--seeds", "0", "--epsilons", "0.3", "--parts", "standard", "trades"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The directory of a run that was stopped before its second training, and then went on."""
    output = tmp_path_factory.mktemp("runs") / "robustness"
    train = training.train

    def no_duplicates(job, *args, **settings):
        if "duplicates" in job.label:
            raise KeyboardInterrupt
        return train(job, *args, **settings)

    with pytest.MonkeyPatch.context() as patch:
        with patch.context() as inner:
            inner.setattr(training, "train", no_duplicates)
            assert main([*SMALL, "--output", str(output)]) == 130
        assert records(output, "training", 0).keys() == {"autoencoder", "standard"}
        bars = watch_bars(patch)
        assert main([*SMALL, "--output", str(output)]) == 0
    assert [bar.fraction for bar in bars] == [1]
    return output


def test_additions_are_as_many_in_as_many_steps(finished, digits):
    rows = records(finished, "training", 0)
    assert {name: rows[name]["samples"] for name in rows} == {
        "autoencoder": 200,
        "standard": 200,
        "standard-duplicate": 400,
        "standard-noise": 400,
        "standard-uae": 400,
        "trades": 200,
    }
    assert rows["standard-duplicate"]["steps"] == rows["standard-uae"]["steps"]
    for name in ("standard-uae", "trades"):
        model = keras.models.load_model(finished / "seed-0" / f"{name}.keras")
        right = classes(model, digits.x_test) == digits.y_test
        assert rows[name]["accuracy"] == right.mean()
        found = uae.UAEs.load(finished / "seed-0" / name / "pgd-0.3_uae.npz")
        x = digits.x_test[np.flatnonzero(right)[:12]]
        assert found.success.any()
        np.testing.assert_array_equal(found.x[~found.success], x[~found.success])
        assert np.abs(found.x - x).max() <= 0.3 + 1e-6
        assert records(finished, "attack", 0)[f"{name}/pgd-0.3"]["asr"] == found.success_rate


def test_report_shows_curves_and_grid(finished):
    report = (finished / "report.md").read_text()
    assert "(curves.png)" in report
    assert "(grid.png)" in report
    assert "| Standard, duplicates: PGD |" in report
    assert "| TRADES: MinMax |" in report
    assert {"standard", "trades"} <= metrics(finished)["summary"]["curves"].keys()


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(Attack, "batches", lambda *_, **__: pytest.fail("again"))
    before = contents(finished)
    assert main([*SMALL, "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    assert "Standard, UAEs: PGD" in capsys.readouterr().out


def test_weights_that_are_missing_are_refused(tmp_path, capsys):
    flags = ["--weights", str(tmp_path / "none.npz"), "--output", str(tmp_path / "run")]
    assert main(flags) == 2
    assert "none.npz" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_robust_trainings_cross_the_ball_in_their_steps():
    config = Config(robust_steps=8, robust_epsilon=0.3)
    for row, kind in (("madry-uae", AdversarialTraining), ("trades", TRADES)):
        model = config.recipe_of(row).build((8, 8, 1), seed=3)
        assert isinstance(model, kind)
        assert (model.epsilon, model.steps) == (0.3, 8)
        assert model.step_size == pytest.approx(0.05)
        assert model.warm_up == config.robust_warm_up > 0
    model = config.recipe_of("standard-uae").build((8, 8, 1), seed=3)
    assert config.attack("standard-uae", "pgd", model, 0.3).step_size == 0.01
    assert config.attack("madry", "pgd", model, 0.3).step_size is None
    assert config.attack("trades", "minmax", model, 0.3).objective == "maximize"


def made_up(rates: dict[str, list[list[float]]]) -> list[dict]:
    """Records of PGD at ε = 0.1, 0.2 for the rows, a list of rates for each seed."""
    found = []
    for row, seeds in rates.items():
        for seed, values in enumerate(seeds):
            for epsilon, asr in zip((0.1, 0.2), values, strict=True):
                place = {"row": row, "method": "pgd", "epsilon": epsilon, "asr": asr}
                key = {"stage": "attack", "seed": seed, "name": f"{row}/{epsilon}"}
                found.append({**key, **place, "seconds": 1.0})
    return found


@pytest.mark.parametrize(
    ("duplicates", "verdict"),
    [
        ([[0.4, 0.6], [0.5, 0.7], [0.4, 0.7]], "the perturbation itself helps"),
        ([[0.2, 0.5], [0.3, 0.5], [0.2, 0.5]], "nothing, or no larger than what the seeds make"),
        ([[0.4, 0.6], [0.5, 0.7]], "No verdict: 2 seeds, and it takes 3."),
    ],
)
def test_duplicates_decide_whether_uaes_help(duplicates, verdict):
    rates = {
        "standard": [[0.5, 0.8], [0.5, 0.8], [0.5, 0.8]],
        "standard-duplicate": duplicates,
        "standard-uae": [[0.2, 0.5], [0.3, 0.5], [0.25, 0.5]],
    }
    config = Config(parts=("standard",))
    summary = summarize(made_up(rates))
    first = summary["differences"]["standard"]["standard"][0]
    assert first["difference"]["mean"] == pytest.approx(-0.25)
    assert first["lower"] == 3
    text = "\n".join(sentences(config, summary))
    assert verdict in text
    assert "27.5 points lower on average" in text
    assert "consistently lower than without for each ε: so it is here" in text
    (sheet,) = tables(config, summary)
    assert sheet.columns["ε = 0.1"] == ["50.0% ± 0.0%", sheet.columns["ε = 0.1"][1], "25.0% ± 4.1%"]


def test_a_classifier_that_gives_one_class_to_all_is_not_called_robust():
    rates = {"madry": [[0.1, 0.5], [0.2, 0.6]], "madry-duplicate": [[0.1, 0.5], [0.2, 0.6]]}
    rates["madry-uae"] = [[0.0, 0.0], [0.1, 0.4]]
    found = made_up(rates)
    for row in rates:
        for seed in (0, 1):
            key = {"stage": "training", "seed": seed, "name": row, "seconds": 1.0}
            one = (row, seed) == ("madry-uae", 0)
            found.append({**key, "accuracy": 0.1 if one else 0.9, "classes": 1 if one else 10})
    config, summary = Config(parts=("adversarial",)), summarize(found)
    points = summary["differences"]["madry"]["madry-duplicate"]
    assert [each["difference"]["mean"] for each in points] == pytest.approx([-0.1, -0.2])
    text = "\n".join(sentences(config, summary))
    assert "**Adversarial, UAEs**: with seed 0 the training has collapsed to one class" in text
    run = FoundRun("made-up", Path(), config.as_json(), {}, 1.0, None, found)
    lines = list(robustness(run, "madry"))
    assert [each.gains for each in lines] == [pytest.approx([0.1]), pytest.approx([0.2])]


def test_presets_follow_the_data_set_and_the_epochs():
    assert Config.for_preset() == Config()
    assert Config.for_preset(epochs=3).robust_epochs == 3
    assert Config.for_preset(epochs=3, robust_epochs=2).robust_epochs == 2
    assert Config.for_preset(dataset="cifar10").robust_epsilon == 8 / 255
    paper = Config.for_preset("paper", "mnist")
    assert (paper.robust_steps, paper.robust_warm_up) == (40, 0)
