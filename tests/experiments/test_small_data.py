"""The small-data experiment: noise of a given size, training by steps, intervals; end to end."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from experiments import small_data, small_data_rows
from experiments.small_data import Config, main, round_steps
from experiments.small_data_rows import Row, summarize, verdicts
from keras_uae.comparison.noise import KINDS
from keras_uae.comparison.training import Trainer
from models import get_recipe
from tests.experiments.runs import check_refused, contents, metrics, run_undisturbed

SMALL = ["--train-size=40", "--steps=4", "--retraining-steps=9", "--batch-size=16"]
SMALL += ["--settings", "examples_3", "rounds_6"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "small_data"
    with pytest.MonkeyPatch.context() as patch:
        one_kind(patch)
        two_rounds = replace(small_data_rows.SETTINGS["rounds_6"], rounds=2)  # as good as six
        patch.setitem(small_data_rows.SETTINGS, "rounds_6", two_rounds)
        run_undisturbed(main, [*SMALL, "--seeds", "0", "2", "--output", str(output)])
    return output


def one_kind(patch: pytest.MonkeyPatch) -> None:
    """There is one kind of noise, which is like the others to all but `noise_like`."""
    for module in (small_data, small_data_rows):
        patch.setattr(module, "KINDS", {"shuffled": KINDS["shuffled"]})


def test_rounds_share_the_steps_of_the_duplicates():
    config = Config(retraining_steps=100)
    for setting, rounds in (("default", 1), ("rounds_6", 6)):
        parts = round_steps(config, Row(setting, "self", "uae"))
        assert len(parts) == rounds
        assert sum(parts) == 100


def test_run_has_every_training_and_compares_set_by_set(finished):
    content = metrics(finished)
    names = {row["name"] for row in content["records"]}
    assert len(names) == 2 + 2 * 2 * 2
    assert {row["seed"] for row in content["records"]} == {0, 2}
    row = content["summary"]["examples_3-self-uae"]
    assert row["versus"].keys() == {"duplicate", "shuffled"}
    averaged = "averaged_error"
    by_name = {(row["seed"], row["name"]): row for row in content["records"]}
    gains = [
        1 - by_name[s, "rounds_6-self-uae"][averaged] / by_name[s, "duplicate"][averaged]
        for s in (0, 2)
    ]
    versus = content["summary"]["rounds_6-self-uae"]["versus"]
    assert versus["duplicate"]["error"]["mean"] == pytest.approx(np.mean(gains))
    report = (finished / "report.md").read_text()
    assert "(gains.png)" in report
    assert "| 6 rounds |" in report
    assert (finished / "gains.png").read_bytes().startswith(b"\x89PNG")


def test_sets_are_disjoint_and_examples_of_an_image_differ(finished):
    config = Config(train_size=40, seeds=(0, 2), output=finished)
    data = config.load()
    part = config.set_of(data, 2).x_train
    np.testing.assert_array_equal(part, data.x_train[80:120])
    files = [finished / "seed-2" / f"examples_3-original-{k}_uae.npz" for k in range(3)]
    found = [uae.UAEs.load(file) for file in files]
    assert not np.array_equal(found[0].x, found[1].x)
    for each in found:
        assert np.abs(each.x - part).max() > 0
        np.testing.assert_array_equal(each.x[~each.success], part[~each.success])


def test_every_round_attacks_the_model_as_it_then_is(finished):
    files = [
        finished / "seed-0" / f"rounds_6-{model}-0_uae.npz" for model in ("original", "self-1")
    ]
    first, second = (uae.UAEs.load(file) for file in files)
    assert not np.array_equal(first.criterion, second.criterion)


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    one_kind(monkeypatch)
    monkeypatch.setattr(Trainer, "train", lambda *_, **__: pytest.fail("trained again"))
    before = contents(finished)
    assert main([*SMALL, "--seeds", "0", "2", "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    assert "6 rounds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--settings defualt", "Did you mean 'default'?"),
        ("--settings far far", "`settings` of Config must be one or more different names"),
        ("--targets cleen", "Did you mean 'clean'?"),
        ("--model unet", "`model` of Config"),
        ("--similarity gausian", "Did you mean 'gaussian'?"),
        ("--train-size 500", "`train_size` of Config must be at most 479"),
        ("--retraining-steps 0", "`retraining_steps` of Config"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)


def made_up(values, seeds):
    return [
        {"stage": "training", "seed": seed, "name": name, "accuracy": 0.5, "seconds": 1.0}
        | {"test_error": value + 0.001 * seed, "train_error": 1.0}
        for seed in seeds
        for name, value in values.items()
    ]


@pytest.mark.parametrize(
    ("noise", "beats"), [((1.2, 1.3, 1.1, 1.2), True), ((1.2, 1.1, 1.3, 0.9), False)]
)
def test_words_say_whether_every_noise_is_beaten(noise, beats):
    config = Config(settings=("far",), targets=("self",), seeds=(0, 1, 2))
    values = {"duplicate": 1.4, "far-self-uae": 1.0}
    values |= {f"far-self-{kind}": error for kind, error in zip(KINDS, noise, strict=True)}
    line = verdicts(config, summarize(made_up(values, config.seeds)))[0]
    assert ("every noise of its size as well do δ₀ ±0.02, T = 200" in line) == beats
    assert "1 of 1 settings beat the duplicate control" in line


def test_two_sets_decide_nothing():
    config = Config(settings=("far",), targets=("self",), seeds=(4, 5))
    values = {"duplicate": 1.4, "far-self-uae": 1.0}
    values |= {f"far-self-{kind}": 1.2 for kind in KINDS}
    line = verdicts(config, summarize(made_up(values, config.seeds)))[0]
    assert "no verdict, which takes 3 sets" in line


def test_averaged_weights_decide_where_all_have_them():
    values = {"duplicate": 1.0, "far-self-uae": 1.2}
    records = [
        {**each, "averaged_error": 2 - each["test_error"], "averaged_accuracy": 0.5}
        for each in made_up(values, (0, 1, 2))
    ]
    assert summarize(records)["far-self-uae"]["versus"]["duplicate"]["error"]["mean"] > 0
    del records[0]["averaged_error"]
    assert summarize(records)["far-self-uae"]["versus"]["duplicate"]["error"]["mean"] < 0


def test_code_of_every_model_is_there():
    for model in ("dense", "sparse", "conv"):
        layer = get_recipe(model).build((8, 8, 1)).get_layer("code")
        assert isinstance(layer, keras.Layer)
