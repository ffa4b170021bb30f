"""Summary, tables, sentences and figures of a reconstruction run, from made-up records."""

import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

import keras_uae as uae
from experiments import paper
from experiments import reconstruction_figures as figures
from experiments.data import Split
from experiments.engine.summary import spread
from experiments.engine.tables import Sheet, print_sheet, show
from experiments.engine.verdicts import departures, difference
from experiments.reconstruction import EXPERIMENT, Config
from experiments.reconstruction_rows import labels, sentences, summarize, tables
from models import RECIPES

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

LABELS = labels(Config())
ERRORS = {
    "original": (0.0030, 0.0034),
    "duplicate": (0.0024, 0.0026),
    "mine": (0.0023, 0.0027),
    "l2": (0.0027, 0.0029),
    "ga_0.01": (0.0024, 0.0025),
    "ga_0.001": (0.0022, 0.0024),
}


def records(errors=ERRORS) -> list[dict]:
    rows = []
    for name, values in errors.items():
        for seed, error in enumerate(values):
            row = {"stage": "training", "seed": seed, "name": name, "test_error": error}
            rows.append({**row, "train_error": error, "samples": 10, "steps": 2, "seconds": 1.0})
            if name not in ("original", "duplicate"):
                row = {"stage": "attack", "seed": seed, "name": name, "asr": 0.75, "l2": 1.25}
                rows.append({**row, "seconds": 2.0})
    return rows


def config(**settings) -> Config:
    return Config.for_preset(**{"dataset": "mnist", "preset": "paper", **settings})


def columns(errors=ERRORS, **settings) -> dict[str, dict[str, str]]:
    """All columns of both tables, by heading and augmentation."""
    shown = tables(config(**settings), summarize(records(errors)))
    merged = {heading: cells for sheet in shown for heading, cells in sheet.columns.items()}
    return {heading: dict(zip(errors, cells, strict=True)) for heading, cells in merged.items()}


def test_summary_pairs_the_seeds():
    summary = summarize(records())
    assert summary["mine"]["test_error"] == spread([0.0023, 0.0027])
    versus = summary["mine"]["vs_control"]
    assert versus["mean"] == pytest.approx(0.5 / 24 - 0.5 / 26)
    assert (versus["agree"], versus["count"], versus["outcome"]) == (1, 2, "none")
    assert summary["l2"]["gain_original"]["mean"] == pytest.approx((1 - 27 / 30 + 1 - 29 / 34) / 2)
    assert summary["original"]["gain_original"] is None
    assert spread([None, 2.0, 4.0]) == {"mean": 3.0, "std": 1.0, "count": 2}
    assert spread([None]) is None


def test_tables_show_our_figures_and_the_papers_with_signs():
    cells = columns()
    assert cells["test error"]["mine"] == "0.00250 ± 0.00020"
    assert cells["vs duplicate"] == {
        "original": "–",
        "duplicate": "–",
        "mine": "+0.2% ± 50.9%",
        "l2": "−12.0% ± 6.1%",
        "ga_0.01": "+1.9% ± 24.4%",
        "ga_0.001": "+8.0% ± 4.1%",
    }
    assert cells["paper's error"]["mine"] == "0.00256"
    assert cells["paper's error"]["duplicate"] == "–"
    assert cells["paper, vs original"]["mine"] == "+12.9%"
    assert cells["paper, vs original"]["l2"] == "−23.8%"
    assert cells["paper's ASR"]["mine"] == "99.9%"
    assert cells["paper's training error"]["original"] == "0.00301"
    assert cells["ASR"]["mine"] == "75.0%"


def test_the_averaged_weights_decide_where_all_rows_have_them():
    rows = [
        {**row, "averaged_error": 2 * row["test_error"] + 0.001 * (row["name"] == "mine")}
        if row["stage"] == "training"
        else row
        for row in records({**{name: (*each, each[0]) for name, each in ERRORS.items()}})
    ]
    summary = summarize(rows)
    versus = summary["mine"]["vs_control"]
    gains = [1 - (2 * a + 0.001) / (2 * b) for a, b in ((23, 24), (27, 26), (23, 24))]
    gains = [1 - (a / 5e3 + 0.001) / (b / 5e3) for a, b in ((23, 24), (27, 26), (23, 24))]
    assert versus["mean"] == pytest.approx(np.mean(gains))
    assert summary["mine"]["averaged_error"]["mean"] > summary["mine"]["test_error"]["mean"]
    line = next(each for each in sentences(config(), summary) if each.startswith("**MINE-UAE**"))
    assert "than the duplicate control by" in line or "from the duplicate control (" in line


def test_tables_leave_out_what_the_paper_does_not_have():
    assert not any("paper" in heading for heading in columns(dataset="digits"))
    cells = columns(similarity="gaussian")
    assert cells["paper's error"]["mine"] == "–"
    assert cells["paper's error"]["l2"] == "0.00364"
    assert cells[""]["mine"] == "UAE (gaussian)"
    assert labels(config(similarity="random")) == LABELS


def test_final_table_is_printed_with_the_papers_numbers():
    console = Console(record=True, width=80, file=io.StringIO())
    show(console, tables(config(), summarize(records())), EXPERIMENT.legend)
    text = console.export_text()
    assert "0.00250 ± 0.00020" in text
    assert "0.00256" in text
    assert "+12.9%" in text
    assert "99.9%" in text
    assert "…" not in text


def test_a_table_that_is_wider_than_the_terminal_is_not_cut():
    columns = {"": ["a row with a long name"], **{f"column {i}": [f"0.12345{i}"] for i in range(9)}}
    console = Console(record=True, width=60, file=io.StringIO())
    print_sheet(console, Sheet("wide", columns))
    text = console.export_text()
    row = next(line for line in text.splitlines() if "long name" in line)
    assert row.split()[-9:] == [f"0.12345{i}" for i in range(9)]
    assert "…" not in text


@pytest.mark.parametrize(
    ("dataset", "model", "name", "error"),
    [
        ("mnist", "dense", "mine", 0.00228),
        ("svhn_cropped", "conv", "original", 0.00128),
        ("cifar10", "conv", "mine", 0.00562),
    ],
)
def test_paper_numbers_are_found(dataset, model, name, error):
    assert paper.reconstruction(dataset, model)[name]["error"] == error


def test_paper_has_no_numbers_for_other_data():
    assert paper.reconstruction("digits", "conv") == {}
    assert paper.reconstruction("cifar10", "dense") == {}
    assert "ga_0.01" not in paper.reconstruction("cifar10", "conv")


def test_sentences_compare_with_original_duplicate_and_paper():
    lines = sentences(config(train_size=10_000), summarize(records()))
    mine = next(line for line in lines if line.startswith("**MINE-UAE**"))
    assert "22.0% lower than the original" in mine
    assert "against the duplicate control no verdict: 2 seeds, and it takes 3" in mine
    assert "No UAE was found for 25.0% of the images" in mine
    assert "; the paper's: 12.9% lower than the original." in mine
    l2 = next(line for line in lines if line.startswith("**L2-UAE**"))
    assert "; the paper's: 23.8% higher than the original" in l2
    assert any("Lowest mean error: GA σ = 0.001, 0.00230" in line for line in lines)
    run = config(train_size=10_000, retraining_epochs=7)
    (line,) = departures(run, EXPERIMENT.published(run))
    assert (
        line == "Other than in the paper: train size 10000, not 60000; retraining epochs 7, not 30."
    )
    whole = config(train_size=60_000)
    assert departures(whole, EXPERIMENT.published(whole)) == []


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (0.123, "12.3% lower"),
        (-0.05, "5.0% higher"),
        (0.0001, "equal"),
        (-1.5, "2.5 times as high"),
    ],
)
def test_differences_in_words(gain, text):
    assert difference(gain) == text


def finished(errors=ERRORS, printed=()) -> SimpleNamespace:
    """What a figure reads of a job."""
    run, settings = SimpleNamespace(records=records(errors)), SimpleNamespace(printed=printed)
    return SimpleNamespace(run=run, labels=LABELS, config=settings)


def test_diverged_trainings_are_reported_and_not_averaged(tmp_path):
    errors = {**ERRORS, "mine": (None, 0.0027), "l2": (None, None)}
    cells = columns(errors)
    assert cells["test error"]["mine"] == "0.00270 (1 diverged)"
    assert cells["test error"]["l2"] == "diverged"
    assert cells["vs duplicate"]["l2"] == "–"
    text = "\n".join(sentences(config(), summarize(records(errors))))
    assert "1 of the trainings diverged and is left out of the mean" in text
    assert "**L2-UAE**: every training diverged" in text
    figures.errors(finished(errors), tmp_path / "errors.png")
    nothing = {name: (None, None) for name in ERRORS}
    figures.errors(finished(nothing), tmp_path / "nothing.png")
    assert sentences(config(), summarize(records(nothing)))


def some_uaes(x: np.ndarray, success: np.ndarray) -> uae.UAEs:
    rng = np.random.default_rng(0)
    rows = len(x)
    z = np.where(success[:, None, None, None], np.clip(x + 0.1, 0, 1), x)
    names = ("similarity", "criterion", "multiplier")
    values = {name: rng.random(rows) for name in names}
    trace = {name: rng.random((rows, 5)) for name in (*names, "gap")}
    frozen = np.zeros(rows, bool)
    return uae.UAEs(
        x=z, success=success, iteration=success.astype(int), frozen=frozen, trace=trace, **values
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("successes", [0, 3, 20])
def test_figures_of_the_attack_can_be_drawn(channels, successes, tmp_path):
    x = np.random.default_rng(0).random((20, 6, 6, channels), np.float32)
    found = some_uaes(x, np.arange(20) < successes)
    model = RECIPES["dense"].build((6, 6, channels))
    job = finished()
    job.config, job.data = Config(), Split(x, np.arange(20) % 10, x, np.arange(20) % 10)
    job.uaes, job.model, job.path = lambda *_: found, lambda *_: model, lambda *_: None
    job.run.read = lambda *_: found
    figures.examples(job, tmp_path / "examples.png")
    figures.trace(job, tmp_path / "trace.png")
    for name in ("examples", "trace"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_examples_show_successes_of_different_classes_first():
    classes = np.array([4, 4, 4, 1, 1, 0, 2])
    success = np.array([True, True, True, True, False, False, False])
    assert figures._choose(classes, success, 3).tolist() == [3, 0, 1]
    assert set(figures._choose(classes, success, 5)) == {0, 1, 2, 3, 4}


def test_paper_errors_are_drawn(tmp_path):
    printed = paper.reconstruction("mnist", "conv")
    figures.errors(finished(printed=printed), tmp_path / "errors.png")
    assert (tmp_path / "errors.png").stat().st_size > 10_000
    assert keras.utils.img_to_array(keras.utils.load_img(tmp_path / "errors.png")).std() > 1
