"""The ablation experiment: end to end on few digits; and what it says."""

import functools
from pathlib import Path

import numpy as np
import pytest

import keras_uae as uae
from experiments import paper
from experiments.ablation import Config, main
from experiments.ablation_rows import PARTS, summarize, tables, verdicts
from experiments.engine import information, training
from keras_uae.attacks.base import Attack
from models import get_recipe
from tests.experiments.runs import check_refused, contents, records, run_undisturbed

SMALL = "--train-size=150 --epochs=4 --attack-size=16 --steps=4 --samples=3 --rounds=1"
SMALL = [*SMALL.split(), "--retrain", "--retraining-epochs=1", "--seeds", "0"]
SMALL += ["--parts", "similarity", "penalty", "time"]


@pytest.fixture(scope="module", autouse=True)
def _less():
    """Of all rows that could be retrained, one, and the duplicates; one new estimate, not ten."""
    once = functools.partial(information.mutual_information, draws=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "retrained", ["cosine"])
        patch.setattr(information, "mutual_information", once)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "ablation"
    run_undisturbed(main, [*SMALL, "--output", str(output)])
    return output


def test_every_row_is_attacked_once_and_timed(finished, digits):
    attacks, timing = (records(finished, stage, 0) for stage in ("attack", "timing"))
    similarities = {"mine", "l2_features", "cosine", "feature_scattering", "gaussian"}
    assert attacks.keys() == {*similarities, "penalty_2x2", "penalty_4x1", "l2", "random_3"}
    assert timing.keys() == {*attacks, "ga", "flip_or_rotation"}
    assert timing["mine"]["ratio"] == {"median": 1, "low": 1, "high": 1}
    found = uae.UAEs.load(finished / "seed-0" / "cosine_uae.npz")
    size = np.linalg.norm((found.x - digits.x_train[:16]).reshape(16, -1), axis=1)
    assert attacks["cosine"]["asr"] == found.success_rate > 0
    assert attacks["cosine"]["l2"] == pytest.approx(size[found.success].mean())
    assert {"mi_again", "mi_self", "better"} <= attacks["cosine"].keys()
    assert attacks["cosine"]["better"] >= 0  # f ≤ 0


def test_retraining_has_a_control_of_equal_budget(finished):
    rows = records(finished, "training", 0)
    assert rows.keys() == {"original", "duplicate", "cosine"}
    assert rows["cosine"]["samples"] == rows["duplicate"]["samples"] == 166
    assert rows["cosine"]["steps"] == rows["duplicate"]["steps"]


def test_report_has_a_table_for_each_part(finished):
    report = (finished / "report.md").read_text()
    for part in ("similarity", "penalty", "time"):
        assert f"## {PARTS[part]}" in report
    assert "| Penalty, 2 × 2 |" in report
    assert "| Flip and rotation |" in report
    assert "(attacks.png)" in report


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(Attack, "batches", lambda *_, **__: pytest.fail("again"))
    before = contents(finished)
    assert main([*SMALL, "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    assert "Feature scattering" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--parts penality", "Did you mean 'penalty'?"),
        ("--steps 10", "must be a multiple of 4"),
        ("--samples 1", "`samples` of Config"),
        ("--rounds 0", "`rounds` of Config"),
        ("--epsilon -1", "`epsilon` of Config"),
        ("--attack-size 1438", "[1, 1437]"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)


def test_the_rows_are_those_of_the_paper():
    config = Config(dataset="mnist")
    assert tuple(config.chosen) == tuple(PARTS)
    parts = ("sensitivity", "similarity", "penalty")
    printed = {part: paper.printed(part, "mnist") for part in parts}
    for part, theirs in printed.items():
        assert theirs
        assert theirs.keys() <= config.chosen[part].keys()
    assert printed["sensitivity"]["alpha_0.05-beta_0.1"] == {"error": 0.00278}
    assert paper.times("mnist")["mine"] == {"ms": 59, "ratio": 1}
    assert paper.printed("similarity", "svhn_cropped")["cosine"] == {"error": 0.001, "asr": 0.9679}
    assert paper.printed("sensitivity", "digits") == paper.printed("penalty", "digits") == {}


def test_rows_differ_from_the_default_in_what_they_say():
    config = Config(steps=8)
    model = get_recipe("conv").build((8, 8, 1))
    attacks = {name: config.attack(each, model) for name, each in config.variants.items()}
    default = attacks["mine"]
    assert (default.step_size, default.multiplier_step_size) == (0.01, 0.1)
    assert (default.initial_radius, default.step_rule) == (0.2, "decaying")
    assert attacks["alpha_0.05-beta_0.5"].step_size == 0.05
    assert attacks["alpha_0.05-beta_0.5"].multiplier_step_size == 0.5
    assert attacks["start_0-raw"].initial_radius == 0
    assert attacks["start_glorot-sign"].step_rule == "sign"
    assert attacks["kappa_0.05"].criterion.kappa == 0.05
    assert attacks["l2"].objective == "maximize"
    penalty = attacks["penalty_4x2"]
    assert penalty.steps * penalty.search_steps == default.iterations == 8


def made_up(rows: dict[str, tuple[float, float]]) -> list[dict]:
    """Records of attacks: success rate and mutual information of each."""
    return [
        {
            **{"stage": "attack", "seed": 0, "name": name, "seconds": 1.0, "l2": 1.0},
            **{"asr": asr, "mi_again": mi, "mi_self": 1.0, "pairs": 16, "better": 0.01},
        }
        for name, (asr, mi) in rows.items()
    ]


@pytest.mark.parametrize(
    ("cosine", "verdict"),
    [
        (0.4, "yet leaves 0.500 nats, more than “Cosine on features”"),
        (0.4996, "leaves 0.500 nats, and none of the others less"),
        (0.6, "leaves 0.500 nats, and none of the others less"),
    ],
)
def test_what_is_minimised_is_judged_by_new_estimates(cosine, verdict):
    config = Config(dataset="mnist", parts=("similarity",))
    summary = summarize(made_up({"mine": (1.0, 0.5), "cosine": (0.9, cosine)}))
    text = "\n".join(verdicts(config, summary))
    assert verdict in text
    assert "90.0% (Cosine on features) to 100.0% (MINE-UAE)" in text
    (sheet,) = tables(config, summary)
    assert sheet.columns["paper's ASR"][:3] == ["99.9%", "96.5%", "92.0%"]
    assert sheet.columns["paper's error"][0] == "0.00256"


def test_penalty_is_compared_with_the_paper():
    config = Config(dataset="mnist", parts=("penalty",))
    rows = {"mine": (0.9, 0.5), "penalty_2x20": (0.2, 0.6), "penalty_4x10": (0.95, 0.6)}
    text = "\n".join(verdicts(config, summarize(made_up(rows))))
    assert "Penalty, 2 × 20 20.0% (the paper: 9.0%)" in text
    assert "is not the greatest, other than in the paper" in text
