"""Rows beside those of Table 4: conventional augmentation, a second round, other models."""

from dataclasses import replace

import numpy as np
import pytest

import keras_uae as uae
from experiments import paper
from experiments.engine import training
from experiments.reconstruction import EXPERIMENT, VARIANTS, Config, followed, main, pieces
from experiments.reconstruction_rows import (
    ATTACKS,
    GROUPS,
    LAYERS,
    ROWS,
    augmented,
    chain,
    labels,
    sentences,
    short_labels,
    summarize,
    tables,
)
from keras_uae.similarity import MINE, Gaussian
from models import RECIPES
from tests.experiments.runs import check_refused, metrics, records, run_undisturbed

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

SIZES = {"train-size": 30, "attack-size": 20, "epochs": 1, "retraining-epochs": 1, "steps": 2}
SMALL = [f"--{name}={value}" for name, value in SIZES.items()]
# the quickest to attack
SMALL += ["--batch-size=32", "--seeds=0", "--model=dense", "--similarity=gaussian"]
CHOSEN = ("conventional", "rounds")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory of a run of the groups of rows that are not the usual ones."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    run_undisturbed(main, [*SMALL, "--rows", *CHOSEN, "--output", str(output)])
    return output


def config(*groups: str, **settings) -> Config:
    return Config.for_preset(**{"dataset": "svhn_cropped", "rows": groups, **settings})


def test_bases_and_controls_come_before_and_have_equal_budgets():
    order = list(ROWS)
    for name, row in ROWS.items():
        if name == "original":
            continue
        assert order.index(row.base) < order.index(name)
        if row.adds != "duplicate":
            assert order.index(row.control) < order.index(name)
            assert ROWS[row.control].adds == "duplicate"
            assert len(chain(row.control)) == len(chain(name))
    assert chain("mine_2") == ["mine", "mine_2"]
    assert chain("gaussian+mine") == ["gaussian", "gaussian+mine"]
    for names in GROUPS.values():  # a group is complete
        for name in names:
            assert ROWS[name].base in names
            assert name == "original" or ROWS[name].control in names
    assert set().union(*GROUPS.values()) == set(ROWS)


def test_rows_of_a_run_are_those_of_its_groups():
    assert config("uae").row_names == GROUPS["uae"]
    assert config("rounds", "uae").row_names == (*GROUPS["uae"], "duplicate_2", "mine_2")
    assert EXPERIMENT.located(config("uae")).output.name == "svhn_cropped-conv-quick"
    assert EXPERIMENT.located(config("rounds")).output.name == "svhn_cropped-conv-rounds-quick"


def test_work_counts_every_addition_and_attack():
    run = config("uae", "conventional", "rounds", seeds=(0,), train_size=40, attack_size=24)
    retraining, attack = run.retraining_epochs, 24 * 40
    work = {(piece.stage, piece.name): piece.work for piece in pieces(run)}
    assert work["training", "flip_rotation"] == retraining * 64
    for name in ("flip_rotation+duplicate", "duplicate_2", "flip_rotation+mine", "mine_2"):
        assert work["training", name] == retraining * 88
    assert work["attack", "flip_rotation+mine"] == work["attack", "mine_2"] == attack
    assert work["figures", "mine"] == attack


def test_the_published_attack_is_a_row_whatever_the_settings_of_the_run(digits):
    run = config("published", "published_exact", dataset="digits", model="dense", seeds=(0,))
    made = {piece.name: piece for piece in pieces(replace(run, train_size=8, attack_size=4))}
    assert list(made) == ["original", "duplicate", "published", "published_exact"]
    model = run.untrained(digits.x_train.shape[1:])
    for name, similarity in (("published", Gaussian), ("published_exact", MINE)):
        attack = run.attack(model, **ATTACKS[name])
        assert (attack.step_rule, attack.initial_radius) == ("raw", "glorot")
        assert isinstance(attack.similarity, similarity)
    assert followed(run) == "published"
    assert paper.reconstruction("mnist", "dense", "gaussian").keys() & set(ATTACKS) == {
        "l2",
        "published_exact",
    }


@pytest.mark.parametrize("name", LAYERS)
def test_conventional_images_are_a_function_of_images_and_seed(name, digits):
    x = digits.x_train[:12]
    changed = augmented(x, name, 0)
    assert changed.shape == x.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    np.testing.assert_array_equal(changed, augmented(x, name, 0))
    assert (changed != augmented(x, name, 1)).any()
    assert (changed != x).reshape(12, -1).any(axis=1).all()


def test_flips_go_both_ways_and_rotations_are_small():
    # a bright corner says where the image went
    x = np.zeros((200, 33, 33, 1), np.float32)
    x[:, 4:9, 4:9] = 1
    changed = augmented(x, "flip_rotation", 0)[..., 0]
    rows, columns = (np.argmax(changed.sum(axis), axis=1) > 16 for axis in (2, 1))
    corners = np.bincount(2 * rows + columns, minlength=4) / 200
    np.testing.assert_allclose(corners, 0.25, atol=0.1)
    centre = np.zeros((50, 33, 33, 1), np.float32)
    centre[:, 16, :] = 1  # a line through the middle keeps within 10°
    tilted = augmented(centre, "flip_rotation", 0)[:, :, 30, 0]
    assert (np.abs(np.argmax(tilted, axis=1) - 16) <= 3).all()  # 14 · tan 10° = 2.5


def test_noise_is_that_of_table_5():
    x = np.full((20, 8, 8, 1), 0.5, np.float32)
    assert np.std(augmented(x, "gaussian", 0) - x) == pytest.approx(0.01, rel=0.1)


def test_every_row_has_the_budget_of_its_control(finished):
    trained = records(finished, "training", 0)
    assert list(trained) == list(config(*CHOSEN).row_names)
    for name in trained:
        row = ROWS[name]
        if name != "original":
            budget = [(trained[n]["samples"], trained[n]["steps"]) for n in (name, row.control)]
            assert budget[0] == budget[1] or row.adds == "duplicate"
            assert budget[0][0] == 30 + 20 * len(chain(name))


def test_summary_compares_rows_with_their_base_and_their_control(finished):
    trained, summary = records(finished, "training", 0), metrics(finished)["summary"]
    error = {name: row["test_error"] for name, row in trained.items()}
    averaged = {name: row["averaged_error"] for name, row in trained.items()}
    for name in trained:
        row = ROWS[name]
        gains = summary[name]["gain_original"], summary[name].get("vs_control")
        if name == "original":
            assert gains == (None, None)
            continue
        assert gains[0]["mean"] == pytest.approx(1 - error[name] / error[row.base])
        if row.adds == "duplicate":
            assert gains[1] is None
        else:
            expected = 1 - averaged[name] / averaged[row.control]
            assert gains[1]["mean"] == pytest.approx(expected)


def test_the_second_round_attacks_the_model_of_the_first(finished, digits):
    names = ("mine", "mine_2", "gaussian+mine")
    found = [uae.UAEs.load(finished / "seed-0" / f"{name}_uae.npz") for name in names]
    assert all(len(each) == 20 for each in found)
    assert len({each.criterion.tobytes() for each in found}) == 3
    # the images are the originals each time
    for each in found:
        assert np.abs(each.x - digits.x_train[:20]).max() < 0.5


def test_an_interrupted_run_goes_on_to_the_same_numbers(finished, tmp_path, monkeypatch):
    output = tmp_path / "interrupted"
    args = [*SMALL, "--rows", "rounds", "--output", str(output)]
    train = training.train

    def stopping(job, *args, **settings):
        if job.label.endswith("second round"):
            raise KeyboardInterrupt
        return train(job, *args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stopping)
        assert main(args) == 130
    run_undisturbed(main, args)
    for stage in ("training", "attack"):
        ours, all_rows = (records(each, stage, 0) for each in (output, finished))
        assert ours == {name: row for name, row in all_rows.items() if name in GROUPS["rounds"]}


def test_report_has_a_table_for_every_group(finished):
    report = (finished / "report.md").read_text()
    assert report.count("| Original |") == len(CHOSEN) + 1  # and the table of attacks
    assert "**Flip + rotation & UAE (gaussian)**: error " in report
    assert "“Flip + rotation & duplicates”" in report


def errors(value: float, *names: str) -> list[dict]:
    row = {"stage": "training", "seed": 0, "samples": 1, "steps": 1, "seconds": 1.0}
    return [
        {**row, "name": name, "test_error": value / (1 + place), "train_error": value}
        for place, name in enumerate(names)
    ]


def test_tables_5_and_10_and_the_second_round_stand_beside_ours():
    run = config("conventional", preset="paper")
    table, details = tables(run, summarize(errors(0.003, *GROUPS["conventional"])))
    cells = dict(zip(short_labels(run), table.columns["paper's error"], strict=True))
    assert cells["flip_rotation"] == "0.00285"
    assert cells["flip_rotation+mine"] == "0.00107"
    gains = dict(zip(short_labels(run), table.columns["paper, vs original"], strict=True))
    assert gains["flip_rotation+mine"] == "+62.5%"
    assert gains["gaussian+mine"] == "+11.2%"
    assert "0.00140" in details.columns["paper's training error"]
    run = config("rounds", model="sparse", preset="paper", similarity="bivariate")
    summary = summarize(errors(0.003, *GROUPS["rounds"]))
    (line,) = (line for line in sentences(run, summary) if line.startswith("**MINE-UAE, second"))
    assert "lower than “MINE-UAE”; " in line
    assert "; the paper's: 15.3% lower than “MINE-UAE”" in line


@pytest.mark.parametrize(
    ("dataset", "model", "name", "figures"),
    [
        ("mnist", "adversarial", "mine", {"error": 0.04581, "train_error": 0.04612}),
        ("mnist", "conv", "l2", {"error": 0.00364, "train_error": 0.00371}),
        ("svhn_cropped", "adversarial", "ga_0.001", {"error": 0.0013, "train_error": 0.0013}),
        ("svhn_cropped", "deep", "original", {"error": 0.00128, "train_error": 0.0014}),
        ("tiny_imagenet200", "conv", "mine", {"error": 0.00958, "asr": 0.9947}),
        ("cifar10", "conv", "l2", {"error": 0.00613, "asr": 0.8984}),
    ],
)
def test_paper_numbers_are_found(dataset, model, name, figures):
    assert figures.items() <= paper.reconstruction(dataset, model)[name].items()


def test_rows_of_mine_are_left_out_for_other_similarities():
    for model in ("conv", "sparse"):
        rows = paper.reconstruction("svhn_cropped", model, "gaussian")
        assert not any("mine" in name for name in rows)
        assert "l2" in rows


@pytest.mark.parametrize("dataset", VARIANTS)
def test_models_are_those_of_the_paper_for_the_data_set(dataset):
    assert config("uae", dataset=dataset).recipe is RECIPES["deep"]
    for name in VARIANTS[dataset].values():
        assert name in RECIPES
    quick, whole = (config("uae", dataset=dataset, preset=preset) for preset in ("quick", "paper"))
    assert (quick.epochs, quick.retraining_epochs) == (5, 8)
    assert (whole.epochs, whole.retraining_epochs, whole.batch_size) == (100, 100, 32)


@pytest.mark.parametrize("model", RECIPES)
def test_every_model_has_settings_for_the_digits(model):
    run = Config.for_preset(model=model)
    assert run.retraining_epochs >= run.epochs


def test_labels_name_what_a_row_builds_on():
    run = config("conventional", "rounds")
    assert labels(run)["gaussian+mine"] == "Gaussian noise & MINE-UAE"
    assert short_labels(run)["gaussian+mine"] == "& MINE-UAE"
    assert len(set(labels(run).values())) == len(run.row_names)


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--rows convetional", "Did you mean 'conventional'?"),
        ("--rows uae uae", "different names"),
        ("--rows conventional --target clean", "`target` of Config must be self"),
    ],
)
def test_rows_that_cannot_be_are_refused(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)
