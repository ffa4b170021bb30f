"""The small-data experiment: noise of a given size, training by steps, intervals; end to end."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from experiments import small_data, small_data_rows, small_data_tables
from experiments.engine.steps import Trainer
from experiments.small_data import Config, main, round_steps
from experiments.small_data_rows import KINDS, Row, noise_like, shuffled
from experiments.small_data_tables import interval, summarize, verdict, verdicts
from models import get_recipe
from tests.experiments.runs import check_refused, contents, metrics, run_undisturbed

SMALL = ["--train-size=40", "--steps=4", "--retraining-steps=9", "--batch-size=16"]
SMALL += ["--settings", "examples_3", "rounds_6"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "small_data"
    with pytest.MonkeyPatch.context() as patch:
        one_kind(patch)
        run_undisturbed(main, [*SMALL, "--seeds", "0", "2", "--output", str(output)])
    return output


def one_kind(patch: pytest.MonkeyPatch) -> None:
    """There is one kind of noise, which is like the others to all but `noise_like`."""
    for module in (small_data, small_data_rows, small_data_tables):
        patch.setattr(module, "KINDS", {"shuffled": KINDS["shuffled"]})


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Images with pixels at the bounds, and perturbed ones, the first of them as it was."""
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(0.5, 0.5, (5, 6, 6, 1)), 0, 1).astype(np.float32)
    z = np.clip(x + rng.uniform(-0.3, 0.3, x.shape), 0, 1).astype(np.float32)
    z[0] = x[0]
    return x, z


@pytest.mark.parametrize("kind", list(KINDS))
def test_noise_has_the_norm_of_the_perturbation_after_clipping(kind, pairs):
    x, z = pairs
    noisy = noise_like(x, z, kind, seed=1)
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert noisy.dtype == np.float32
    np.testing.assert_allclose(_norms(noisy - x), _norms(z - x), atol=1e-5)
    np.testing.assert_array_equal(noisy[0], x[0])
    np.testing.assert_array_equal(noisy, noise_like(x, z, kind, seed=1))
    assert not np.allclose(noisy[1:], noise_like(x, z, kind, seed=2)[1:])


def test_shuffled_values_stay_among_pixels_of_their_kind(pairs):
    x, z = (each.reshape(5, -1).astype(float) for each in pairs)
    delta = z - x
    moved = shuffled(np.random.default_rng(0), x, delta)
    for kind in (x <= 0, x >= 1, (x > 0) & (x < 1)):
        for row in range(5):
            ours, theirs = (np.sort(each[row][kind[row]]) for each in (moved, delta))
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(moved[1:], delta[1:])


def test_norm_beyond_reach_is_approached_as_far_as_the_bounds_allow():
    x, z = (np.full((1, 8, 8, 1), value, np.float32) for value in (0.5, 1.0))
    noisy = noise_like(x, z, "gaussian", seed=0)  # of norm 4: every pixel at a bound
    np.testing.assert_allclose(np.abs(noisy - x), 0.5, atol=0.05)


@pytest.mark.parametrize("model", ["dense", "sparse"])
def test_steps_are_those_of_fit(model):
    x = np.random.default_rng(0).random((16, 4, 4, 1)).astype(np.float32)
    recipe = get_recipe(model)
    fitted = recipe.compile(recipe.build(x.shape[1:], seed=3))
    fitted.fit(x, x, batch_size=16, epochs=3, shuffle=False, verbose=0)
    trainer = Trainer(recipe, x.shape[1:], batch_size=16, seed=3)
    trainer.run(x, x, steps=2)
    trainer.run(x, x, steps=1)  # goes on
    for ours, theirs in zip(trainer.model.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_every_image_is_seen_once_before_any_is_seen_again():
    trainer = Trainer(get_recipe("dense"), (4, 4, 1), batch_size=4, seed=0)
    batches = trainer.batches(10, steps=5)
    np.testing.assert_array_equal(np.sort(batches.ravel()[:10]), np.arange(10))
    np.testing.assert_array_equal(np.sort(batches.ravel()[10:]), np.arange(10))


def test_interval_is_that_of_student():
    found = interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / 3**0.5  # t of 2 degrees of freedom at 0.975
    expected = {"mean": 2, "low": 2 - half, "high": 2 + half, "count": 3}
    assert found == pytest.approx(expected)
    assert interval([0.5]) == {"mean": 0.5, "low": None, "high": None, "count": 1}
    assert interval([]) is None


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(0.1, 0.3), (0.2, 0.4)], "better"),
        ([(-0.1, 0.3), (0.2, 0.4)], "open"),
        ([(-0.3, -0.1), (-0.4, -0.2)], "worse"),
        ([(None, None), (0.2, 0.4)], "open"),
    ],
)
def test_better_is_better_than_every_control(ends, expected):
    versus = {
        name: {"error": {"low": low, "high": high}}
        for name, (low, high) in zip(("gaussian", "uniform"), ends, strict=True)
    }
    assert verdict(versus, "error", ("gaussian", "uniform")) == expected


def test_rounds_share_the_steps_of_the_duplicates():
    config = Config(retraining_steps=100)
    for setting, rounds in (("default", 1), ("rounds_6", 6)):
        steps = round_steps(config, Row(setting, "self", "uae"))
        assert len(steps) == rounds
        assert sum(steps) == 100


def test_run_has_every_training_and_compares_set_by_set(finished):
    content = metrics(finished)
    names = {row["name"] for row in content["records"]}
    assert len(names) == 2 + 2 * 2 * 2
    assert {row["seed"] for row in content["records"]} == {0, 2}
    row = content["summary"]["examples_3-self-uae"]
    assert row["versus"].keys() == {"duplicate", "shuffled"}
    by_name = {(row["seed"], row["name"]): row for row in content["records"]}
    gains = [
        1 - by_name[s, "rounds_6-self-uae"]["test_error"] / by_name[s, "duplicate"]["test_error"]
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
    monkeypatch.setattr(Trainer, "run", lambda *_, **__: pytest.fail("trained again"))
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


@pytest.mark.parametrize(
    ("noise", "beats"), [((1.2, 1.3, 1.1, 1.2), True), ((1.2, 1.1, 1.3, 0.9), False)]
)
def test_words_say_whether_every_noise_is_beaten(noise, beats):
    config = Config(settings=("far",), targets=("self",), seeds=(0, 1))
    values = {"duplicate": 1.4, "far-self-uae": 1.0}
    values |= {f"far-self-{kind}": error for kind, error in zip(KINDS, noise, strict=True)}
    records = [
        {"stage": "training", "seed": seed, "name": name, "test_error": value + 0.001 * seed}
        | {"train_error": 1.0, "accuracy": 0.5, "seconds": 1.0}
        for seed in (0, 1)
        for name, value in values.items()
    ]
    line = verdicts(config, summarize(records))[0]
    assert ("every noise of its size as well do δ₀ ±0.02, T = 200" in line) == beats
    assert "1 of 1 settings beat the duplicate control" in line


def test_one_set_decides_nothing():
    config = Config(settings=("far", "default"), targets=("self",), seeds=(4,))
    values = {"duplicate": 1.4, "far-self-uae": 1.0, "default-self-uae": 1.3}
    values |= {f"{setting}-self-{kind}": 1.2 for setting in ("far", "default") for kind in KINDS}
    records = [
        {"stage": "training", "seed": 4, "name": name, "test_error": value, "train_error": 1.0}
        | {"accuracy": 0.5, "seconds": 1.0}
        for name, value in values.items()
    ]
    line = verdicts(config, summarize(records))[0]
    assert "2 of 2 settings are better than the duplicate control" in line
    assert "1 than every noise of their size as well: δ₀ ±0.02, T = 200." in line
    assert "decides nothing" in line


def _norms(delta: np.ndarray) -> np.ndarray:
    return np.linalg.norm(delta.reshape(len(delta), -1), axis=1)


def test_code_of_every_model_is_there():
    for model in ("dense", "sparse", "conv"):
        layer = get_recipe(model).build((8, 8, 1)).get_layer("code")
        assert isinstance(layer, keras.Layer)
