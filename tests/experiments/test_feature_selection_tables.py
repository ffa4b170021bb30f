"""Flags, baselines, tables, sentences and figures of the feature selection, on made-up data."""

import io

import numpy as np
import pytest
import tyro
from rich.console import Console
from sklearn.decomposition import PCA

from experiments import paper
from experiments.data import Split
from experiments.feature_selection import figures
from experiments.feature_selection.baselines import (
    greatest_loadings,
    greatest_variance,
    random_features,
)
from experiments.feature_selection.config import Config
from experiments.feature_selection.protocol import main, pieces, total_work, work
from experiments.feature_selection.selection import selector
from experiments.feature_selection.summary import LABELS, labels, summarize
from experiments.feature_selection.tables import LEGEND, sheets
from experiments.feature_selection.words import points, sentences
from experiments.summary import spread
from experiments.tables import show
from tests.experiments.runs import check_refused

ERRORS = {"original": (0.012, 0.014), "duplicate": (0.010, 0.012), "mine": (0.011, 0.0115)}
ACCURACIES = {"original": 0.90, "duplicate": 0.91, "mine": 0.92, "random": 0.80, "lassonet": 0.82}
FIXED = {"variance": 0.85, "pca": 0.88, "greedy": 0.95}


def records(errors=ERRORS, accuracies=ACCURACIES, fixed=FIXED, converged=True) -> list[dict]:
    rows = []
    for name, values in errors.items():
        for seed, error in enumerate(values):
            row = {"stage": "training", "seed": seed, "name": name, "test_error": error}
            row |= {"train_error": error, "samples": 10, "epochs": 3, "seconds": 1.0}
            rows.append({**row, "converged": converged, "mean_max_probability": 0.75})
    for seed in (0, 1):
        row = {"stage": "attack", "seed": seed, "name": "mine", "asr": 0.75, "l2": 1.25}
        rows.append({**row, "seconds": 2.0})
    judged = [(name, seed, v + seed / 50) for name, v in accuracies.items() for seed in (0, 1)]
    judged += [(name, None, value) for name, value in fixed.items()]
    for name, seed, accuracy in judged:
        row = {"stage": "features", "seed": seed, "name": name, "accuracy": accuracy}
        row |= {"neighbor_accuracy": accuracy - 0.1, "linear_error": 1 - accuracy, "n_unique": 3}
        rows.append({**row, "features": [0, 5, 11], "seconds": 1.0})
    return rows


def config(**settings) -> Config:
    settings = {"dataset": "isolet", "preset": "paper", "attack_size": 6238, **settings}
    settings = {"train_size": 6238, "similarity": "bivariate", **settings}
    return Config(**settings).resolve()


def columns(made=None, **settings) -> dict[str, dict[str, str]]:
    """All columns of the tables, by heading and label of the row."""
    shown = sheets(config(**settings), summarize(made or records()))
    return {
        heading: dict(zip(sheet.columns[""], cells, strict=True))
        for sheet in shown
        for heading, cells in sheet.columns.items()
    }


def text(made=None, **settings) -> str:
    return "\n".join(sentences(config(**settings), summarize(made or records())))


def parse(*flags: str) -> Config:
    return tyro.cli(Config, args=flags).resolve()


def test_presets_fill_in_what_flags_leave_open():
    quick = parse()
    assert (quick.dataset, quick.features, quick.selector) == ("digits", 16, "default")
    assert str(quick.output) == "out/feature_selection/digits-quick"
    assert parse("--dataset", "mice_protein").features == 10
    assert parse("--dataset", "mnist").train_size == 10_000
    assert parse("--dataset", "isolet").train_size is None
    published = parse("--dataset", "mnist", "--preset", "paper")
    assert (published.selector, published.epochs, published.train_size) == ("published", 800, None)
    assert (published.features, published.projections) == (50, 500)
    fast = parse("--preset", "paper", "--selector", "default", "--features", "7")
    assert (fast.epochs, fast.features) == (100, 7)


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--dataset mnits", "Did you mean 'mnist'?"),
        ("--preset quik", "Did you mean 'quick'?"),
        ("--selector publised", "Did you mean 'published'?"),
        ("--protocol claen", "`protocol` of Config must be one of 'clean', 'published'"),
        ("--similarity gausian", "Did you mean 'gaussian'?"),
        ("--similarity conv", "asks for a convolution"),
        ("--features 65", "`features` of Config must be an integer in [1, 64]"),
        ("--features 0", "`features` of Config"),
        ("--projections 0", "`projections` of Config"),
        ("--epochs 0", "`epochs` of Config"),
        ("--split-seed -1", "`split_seed` of Config"),
        ("--attack-size 301 --preset smoke", "[1, 300]"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)
    assert not (tmp_path / "run").exists()


def zeros(samples: int) -> Split:
    y = np.zeros(samples, np.int64)
    return Split(np.zeros((samples, 4), np.float32), y, np.zeros((1, 4), np.float32), y[:1])


@pytest.mark.parametrize(
    ("samples", "preset", "similarity"),
    [(2000, "quick", "bivariate"), (2001, "quick", "gaussian"), (2001, "paper", "bivariate")],
)
def test_auto_is_mine_unless_that_takes_long(samples, preset, similarity):
    made = Config(preset=preset, features=2, projections=9).resolve().complete(zeros(samples))
    assert made.similarity == similarity
    attack = made.attack(made.untrained((4,)))
    if similarity == "gaussian":
        assert attack.initial_multiplier == 10
    else:
        assert attack.initial_multiplier == 0
        assert attack.similarity.features.samples == 9


def test_selectors_of_a_seed_have_one_budget_whatever_they_see():
    chosen = selector(config(epochs=7), seed=3).get_params()
    settings = {"n_features_to_select": 50, "epochs": 7, "dropout": 0.1, "random_state": 3}
    assert settings.items() <= chosen.items()
    assert chosen["tryouts"] == 1
    assert not chosen["early_stopping"]


def test_work_counts_trainings_the_attack_and_judgements():
    made = Config(seeds=(0, 1), train_size=40, attack_size=24, similarity="l2").resolve()
    retraining = 64 * made.epochs
    assert work(made, "training", "original") == 40 * made.epochs
    assert work(made, "training", "duplicate") == retraining
    assert work(made, "training", "mine") == retraining + 24 * 40
    assert len(set(pieces(made))) == 3 + 2 * 7
    judged = work(made, "features", "greedy") * (3 + 2 * 4)
    assert total_work(made) == judged + 2 * (2 * retraining + 40 * made.epochs + 24 * 40)


def test_variance_and_random_features():
    x = np.array([[0, 1, 0, 3, 1], [0, -1, 0, -3, -1]], np.float32)
    assert greatest_variance(x, 4).tolist() == [3, 1, 4, 0]
    draws = [random_features(x, 3, seed).tolist() for seed in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) > 1
    assert all(len(set(draw)) == 3 for draw in draws)


def test_loadings_are_those_of_principal_components():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) + 3
    expected: list[int] = []
    for component in np.abs(PCA().fit(x).components_[:5]):
        ranking = np.argsort(-component)
        expected.append(next(feature for feature in ranking if feature not in expected))
    assert greatest_loadings(x, 5).tolist() == expected
    assert sorted(greatest_loadings(np.ones((3, 6)), 6)) == list(range(6))


def test_summary_pairs_the_seeds_and_keeps_rows_of_no_seed():
    summary = summarize(records())
    assert summary["mine"]["test_error"] == spread([0.011, 0.0115])
    assert summary["mine"]["gain_duplicate"]["mean"] == pytest.approx((-0.1 + 0.5 / 12) / 2)
    assert (summary["mine"]["wins"], summary["mine"]["settled"]) == (1, 2)
    assert summary["greedy"]["accuracy"] == {"mean": 0.95, "std": 0, "count": 1}
    assert "test_error" not in summary["greedy"]
    assert list(summary) == list(LABELS)


def test_tables_show_our_figures_and_the_papers():
    cells = columns()
    assert cells["test error"]["MINE-UAE"] == "0.01125 ± 0.00025"
    assert cells["vs duplicate"]["MINE-UAE"] == "−2.9%"
    assert cells["vs duplicate"]["Duplicate control"] == "–"
    assert cells["paper's error"]["MINE-UAE"] == "0.01159"
    assert cells["paper, vs original"]["MINE-UAE"] == "+3.4%"
    assert cells["ExtraTrees accuracy"]["MINE-UAE"] == "93.00% ± 1.00%"
    assert cells["ExtraTrees accuracy"]["Greedy linear"] == "95.00%"
    assert cells["paper's accuracy"]["Original"] == "81.98%"
    assert cells["paper's accuracy"]["Greedy linear"] == "–"
    assert cells["ASR"]["MINE-UAE"] == "75.0%"
    assert cells["paper's ASR"]["MINE-UAE"] == "100.0%"
    assert cells["settled"]["Original"] == "2 of 2"
    assert columns(records(converged=False))["settled"]["Original"] == "0 of 2"


def test_tables_leave_out_what_the_paper_does_not_have():
    assert not any("paper" in heading for heading in columns(dataset="digits"))
    cells = columns(similarity="gaussian")
    assert cells["paper's error"]["UAE (gaussian)"] == "–"
    assert cells["paper's error"]["Original"] == "0.01200"
    assert labels(config()) == LABELS


def test_final_tables_fit_into_80_columns():
    console = Console(record=True, width=80, file=io.StringIO())
    made = config(similarity="gaussian")
    show(console, sheets(made, summarize(records())), LEGEND)
    printed = console.export_text()
    assert "0.01125 ± 0.00025" in printed
    assert "93.00% ± 1.00%" in printed
    assert "…" not in printed


def test_all_data_sets_of_the_paper_are_found():
    for dataset in ("mnist", "fashion_mnist", "isolet", "coil20", "mice_protein", "activity"):
        assert paper.feature_selection(dataset).keys() == {"original", "mine"}
        assert paper.feature_selection_setting(dataset)["samples"][0] > 800
    assert paper.feature_selection("coil20")["mine"]["gain_original"] == pytest.approx(-0.983, 0.01)
    assert paper.feature_selection("digits") == paper.feature_selection_setting("digits") == {}


def test_sentences_compare_with_the_controls_and_the_paper():
    said = text()
    assert "**MINE-UAE**: error 13.1% lower than the original, and 2.9% higher than the" in said
    assert "The paper prints 0.01159, 3.4% lower than its original; ours is 2.9% lower." in said
    assert "ExtraTrees accuracy 93.00% (the paper: 82.93%)." in said
    assert "No UAE was found for 25.0% of the samples" in said
    assert "The seeds do not agree on whether UAEs help more than duplicates" in said
    assert "the ExtraTrees accuracy 1.0 point higher" in said
    random = "**Random**: ExtraTrees accuracy 81.00%, 10.0 points lower than the original; "
    assert random + "linear error 0.19000, 2.1 times as high as the original." in said
    assert "The best ExtraTrees accuracy needs no network: Greedy linear 95.00%" in said
    assert "settled" not in said


def test_verdicts_follow_the_numbers():
    better = text(records({**ERRORS, "mine": (0.009, 0.009)}))
    assert "UAEs lower the test error more than duplicates do: with UAEs the error is" in better
    worse = text(records({**ERRORS, "mine": (0.011, 0.012)}))
    assert "UAEs help no more than duplicates do" in worse
    assert "(lower in 0 of 2 seeds)" in worse
    network = text(records(fixed={name: 0.5 for name in FIXED}))
    assert "The best linear error comes with a network: MINE-UAE 0.07000" in network
    assert "no more apart" not in network
    close = text(records(fixed={name: 0.925 for name in FIXED}))
    assert "MINE-UAE 93.00%, the best one without Variance 92.50%, no more apart" in close
    unsettled = text(records(converged=False))
    assert "In 2 of 2 seeds not all units had settled" in unsettled
    assert points(0.0004) == "equal"
    assert points(-0.02) == "2.0 points lower"


def test_departures_from_the_paper_are_named():
    flags = {"features": 20, "similarity": "gaussian", "epochs": 60, "steps": 10}
    other = text(train_size=1248, attack_size=1000, **flags)
    assert "Other than in the paper: 20 features, not 50; 1248 training samples, not 6238" in other
    assert "1000 of them attacked" in other
    assert "by the training samples alone" in other
    assert "published settings of the selector for 60 epochs" in other
    assert "10 iterations of the attack, not 40" in other
    assert "an attack by gaussian, not by MINE" in other
    assert "MINE from 96 projections, not 500" in text(projections=96)
    alike = text(protocol="published")
    assert alike.endswith("Other than in the paper: one try of the selector, not up to five.")
    assert "The paper has no figures for digits." in text(dataset="digits")


def test_figures_are_drawn(tmp_path):
    colours = np.random.default_rng(0).random((2, 2, 3))
    printed = paper.feature_selection("isolet")
    figures.scores(tmp_path / "scores.png", records(), LABELS, printed)
    figures.pixels(tmp_path / "pixels.png", colours, records(), LABELS, seed=1)
    figures.frequencies(tmp_path / "frequencies.png", 12, records(), LABELS)
    for name in ("scores", "pixels", "frequencies"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_pixels_are_those_of_the_seed_or_of_all_seeds():
    made = records()
    for row in made:
        if row["stage"] == "features":
            row["features"] = [row["seed"], row["name"]]
    chosen = figures._chosen(made, LABELS, 1)
    assert list(chosen) == list(LABELS)
    assert chosen["mine"] == [1, "mine"]
    assert chosen["greedy"] == [None, "greedy"]
