"""Flags, baselines, tables, sentences and figures of the feature selection, on made-up data."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from sklearn.decomposition import PCA

from experiments import paper
from experiments.data import Split
from experiments.engine import plots
from experiments.engine.config import parse as parsed
from experiments.engine.summary import spread
from experiments.engine.tables import show
from experiments.engine.verdicts import departures
from experiments.feature_selection import EXPERIMENT, Config, main, pieces, published, selector
from experiments.feature_selection_rows import (
    ROWS,
    draw_features,
    draw_scores,
    greatest_loadings,
    greatest_variance,
    labels,
    random_features,
    sentences,
    summarize,
    tables,
)
from tests.experiments.runs import check_refused

ERRORS = {
    "original": (0.012, 0.014),
    "duplicate": (0.010, 0.012),
    "mine": (0.011, 0.0115),
    "published": (0.0105, 0.012),
}
ACCURACIES = {"original": 0.90, "duplicate": 0.91, "mine": 0.92, "published": 0.915}
ACCURACIES |= {"random": 0.80, "lassonet": 0.82}
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
    return Config.for_preset(**settings)


def columns(made=None, **settings) -> dict[str, dict[str, str]]:
    """All columns of the tables, by heading and label of the row."""
    shown = tables(config(**settings), summarize(made or records()))
    return {
        heading: dict(zip(sheet.columns[""], cells, strict=True))
        for sheet in shown
        for heading, cells in sheet.columns.items()
    }


def text(made=None, **settings) -> str:
    made, chosen = summarize(made or records()), config(**settings)
    return "\n".join([*sentences(chosen, made), *departures(chosen, published(chosen))])


def parse(*flags: str) -> Config:
    return parsed(Config, flags, "program")


def test_presets_fill_in_what_flags_leave_open():
    quick = parse()
    assert (quick.dataset, quick.features, quick.selector) == ("digits", 16, "default")
    assert str(EXPERIMENT.located(quick).output) == "out/feature_selection/digits-quick"
    assert quick == Config()
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
    made = Config.for_preset(preset, features=2, projections=9).complete(zeros(samples))
    assert made.similarity == similarity
    attack = made.attack(made.untrained((4,)))
    if similarity != "gaussian":
        assert attack.similarity.features.samples == 9


def test_selectors_of_a_seed_have_one_budget_whatever_they_see():
    chosen = selector(config(epochs=7), seed=3).get_params()
    settings = {"n_features_to_select": 50, "epochs": 7, "dropout": 0.1, "random_state": 3}
    assert settings.items() <= chosen.items()
    assert chosen["tryouts"] == 1
    assert not chosen["early_stopping"]


def test_work_counts_trainings_the_attack_and_judgements():
    made = Config(seeds=(0, 1), train_size=40, attack_size=24, similarity="l2")
    work = {(piece.stage, piece.seed, piece.name): piece.work for piece in pieces(made)}
    retraining = 64 * made.epochs
    assert work["training", 1, "original"] == 40 * made.epochs
    assert work["training", 1, "duplicate"] == work["training", 1, "mine"] == retraining
    assert work["attack", 1, "mine"] == 24 * 40
    assert len(work) == len(list(pieces(made)))
    judged = {piece.work for piece in pieces(made) if piece.stage == "features"}
    assert judged == {40 * 10}


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
    versus = summary["mine"]["vs_control"]
    assert versus["mean"] == pytest.approx((-0.1 + 0.5 / 12) / 2)
    assert (versus["count"], summary["mine"]["settled"]) == (2, 2)
    assert summary["greedy"]["accuracy"] == {"mean": 0.95, "std": 0, "count": 1}
    assert "test_error" not in summary["greedy"]
    assert list(summary) == list(ROWS)


def test_tables_show_our_figures_and_the_papers():
    cells = columns()
    assert cells["test error"]["MINE-UAE"] == "0.01125 ± 0.00025"
    assert cells["vs duplicate"]["MINE-UAE"] == "−2.9% ± 90.0%"
    assert cells["vs duplicate"]["Duplicate control"] == "–"
    assert cells["paper's error"]["MINE-UAE"] == "0.01159"
    assert cells["paper, vs original"]["MINE-UAE"] == "+3.4%"
    assert cells["ExtraTrees accuracy"]["MINE-UAE"] == "93.00% ± 1.00%"
    assert cells["ExtraTrees accuracy"]["Greedy linear"] == "95.00%"
    assert cells["paper's accuracy"]["Original"] == "81.98%"
    assert cells["paper's accuracy"]["Greedy linear"] == "–"
    assert cells["ASR"]["MINE-UAE"] == "75.0%"
    assert cells["paper's ASR"]["MINE-UAE"] == "100.0%"
    assert cells["training"]["Original"] == cells["training"]["MINE-UAE"] == "1.0 s"
    assert (cells["attack"]["Original"], cells["attack"]["MINE-UAE"]) == ("–", "2.0 s")
    assert cells["settled"]["Original"] == "2 of 2"
    assert columns(records(converged=False))["settled"]["Original"] == "0 of 2"


def test_tables_leave_out_what_the_paper_does_not_have():
    assert not any("paper" in heading for heading in columns(dataset="digits"))
    cells = columns(similarity="gaussian")
    assert cells["paper's error"]["UAE (gaussian)"] == "–"
    assert cells["paper's error"]["Original"] == "0.01200"
    assert cells["paper's error"]["UAE (gaussian), published code"] == "–"
    called = labels(config())
    assert called.keys() == ROWS.keys()
    assert (called["mine"], called["published"]) == ("MINE-UAE", "MINE-UAE, published code")


def test_final_tables_fit_into_80_columns():
    console = Console(record=True, width=80, file=io.StringIO())
    made = config(similarity="gaussian")
    show(console, tables(made, summarize(records())), EXPERIMENT.legend)
    printed = console.export_text()
    assert "0.01125 ± 0.00025" in printed
    assert "93.00% ± 1.00%" in printed
    assert "…" not in printed


def test_all_data_sets_of_the_paper_are_found():
    for dataset in ("mnist", "fashion_mnist", "isolet", "coil20", "mice_protein", "activity"):
        assert paper.feature_selection(dataset).keys() == {"original", "mine", "published"}
        assert paper.printed("feature_selection", dataset)["samples"][0] > 800
    assert paper.feature_selection("coil20")["mine"]["gain_original"] == pytest.approx(-0.983, 0.01)
    assert paper.feature_selection("digits") == paper.printed("feature_selection", "digits") == {}


def test_sentences_compare_with_the_controls_and_the_paper():
    said = text()
    assert "**MINE-UAE**: error 13.1% lower than the original; against the duplicate" in said
    assert "it takes 3; the paper's: 3.4% lower than" in said
    assert "No UAE was found for 25.0% of the samples" in said
    assert "settled" not in said
    unsettled = text(records(converged=False))
    assert "Not all units settled in 2 of 2 seeds" in unsettled
    assert "**Original**: error 0.01300. Not all" in unsettled


def test_the_best_features_with_and_without_a_network_are_named():
    said = text()
    ours = "with a concrete autoencoder: MINE-UAE, 93.00% ± 1.00%; without one: "
    assert f"Best ExtraTrees accuracy {ours}Greedy linear, 95.00%." in said
    alike = text(records(fixed={name: 0.925 for name in FIXED}))
    ours = "with a concrete autoencoder: MINE-UAE, 0.07000 ± 0.01000; without one: "
    assert f"Best linear error {ours}Variance, 0.07500." in alike  # of equal ones the first


def test_departures_from_the_paper_are_named():
    flags = {"features": 20, "similarity": "gaussian", "epochs": 60, "steps": 10}
    other = text(train_size=1248, attack_size=1000, selector="default", **flags)
    assert "Other than in the paper: features 20, not 50; train size 1248, not 6238" in other
    assert "attack size 1000, not 6238" in other
    assert "protocol clean, not published" in other
    assert "selector default, not published; epochs 60, not 800" in other
    assert "steps 10, not 40" in other
    assert "similarity gaussian, not random" in other
    assert "projections" not in other
    assert "projections 96, not 500" in text(projections=96)
    assert "Other than in the paper" not in text(protocol="published")
    assert "where the paper has up to five" in EXPERIMENT.introduction(config())
    assert "protocol" not in text(dataset="mnist")
    digits = text(dataset="digits")
    assert "The paper has no figures for digits." in digits
    assert "Other than in the paper" not in digits


def made_job(x: np.ndarray, made=None, **settings) -> SimpleNamespace:
    chosen, run = config(**settings), SimpleNamespace(records=made or records())
    data = Split(x, x[:, 0], x, x[:, 0])
    return SimpleNamespace(config=chosen, data=data, run=run, labels=labels(chosen))


def test_figures_are_drawn(tmp_path):
    images = np.random.default_rng(0).random((5, 2, 2, 3))
    for name, x in (("pixels", images), ("frequencies", images.reshape(5, 12))):
        for figure in (draw_scores, draw_features):
            figure(made_job(x), tmp_path / "figure.png")
            assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG"), name
            (tmp_path / "figure.png").unlink()


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures, which are not written."""
    kept = []
    monkeypatch.setattr(plots, "save", lambda figure, path: kept.append(figure))
    return kept


def test_pixels_are_those_of_the_seed_or_of_all_seeds(drawn, tmp_path):
    made = records()
    for row in made:
        if row["stage"] == "features":
            row["features"] = [0] if row["seed"] is None else [row["seed"]]
    job = made_job(np.zeros((5, 2, 2, 1)), made, seeds=(1, 0))
    draw_features(job, tmp_path)
    corners = {
        axes.get_title(): [patch.get_xy() for patch in axes.patches]
        for axes in drawn[0].axes
        if axes.get_title()
    }
    assert list(corners) == [f"{labels(config())[name]} (1)" for name in ROWS]
    assert corners["MINE-UAE (1)"] == [(0.5, -0.5)]
    assert corners["Greedy linear (1)"] == [(-0.5, -0.5)]


def test_frequencies_are_shares_of_the_seeds(drawn, tmp_path):
    made = records()
    next(row for row in made if row["name"] == "mine" and row["stage"] == "features")[
        "features"
    ] = [0]
    job = made_job(np.zeros((5, 12)), made)
    draw_features(job, tmp_path)
    heights = [bar.get_height() for bar in drawn[0].axes[list(ROWS).index("mine")].patches]
    assert [heights[place] for place in (0, 1, 5, 11)] == [1, 0, 0.5, 0.5]
