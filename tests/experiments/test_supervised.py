"""The supervised experiment: end to end on few digits, stopped once; and its parts."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_uae as uae
from experiments import supervised
from experiments.engine import information, plots, training
from experiments.engine.classifiers import classes
from experiments.engine.information import mutual_information, pairs
from experiments.supervised import Config, main
from experiments.supervised_rows import best_so_far, comparison, sentences, summarize
from keras_uae.attacks.base import Attack
from keras_uae.similarity import MINE, BivariateSampling, Convolution
from models import small_classifier
from tests.experiments.runs import contents, metrics, records, watch_bars

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

SIZES = {"train-size": 400, "epochs": 4, "attack-size": 20, "steps": 18, "sampling-steps": 2}
SIZES |= {"grid-size": 3, "grid-steps": 3, "pgd-steps": 8}
SMALL = [f"--{name}={value}" for name, value in SIZES.items()]
SMALL += ["--projections", "4", "6", "--epsilons", "0.03", "--step-size", "0.2"]
ROWS = ["minmax", "penalty", "clean", "conv", "random-4", "random-6"]
GRIDS = {"grid/minmax-1", "grid/minmax-0.03", "grid/pgd-0.03"}
GRIDS |= {"grid/random-1", "grid/random-0.03"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The directory of a run that was stopped within the penalty method, and then went on."""
    output = tmp_path_factory.mktemp("runs") / "supervised"
    search, searched = uae.PenaltyAttack.search, []

    def interrupted_second_time(self, x, *args, **settings):
        searched.append(len(x))
        if len(searched) == 2:
            raise KeyboardInterrupt
        return search(self, x, *args, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "auto_batch_size", lambda *_: 16)
        once = functools.partial(mutual_information, draws=1)  # new estimate, not ten
        for module in (information, supervised):
            patch.setattr(module, "mutual_information", once)
        with patch.context() as inner:
            inner.setattr(uae.PenaltyAttack, "search", interrupted_second_time)
            assert main([*SMALL, "--output", str(output)]) == 130
        assert len(uae.UAEs.load(output / "seed-0" / "penalty_uae.npz")) == 16
        assert not (output / "report.md").exists()
        bars = watch_bars(patch)
        assert main([*SMALL, "--output", str(output)]) == 0
    assert [bar.fraction for bar in bars] == [1]
    return output


@pytest.fixture(scope="module")
def classifier(finished) -> keras.Model:
    return keras.models.load_model(finished / "seed-0" / "classifier.keras")


def test_everything_is_written(finished):
    names = {str(path.relative_to(finished)) for path in contents(finished)}
    found = {*GRIDS, *ROWS} - {"clean"}
    pictures = {"iterations.png", "grid.png", "samplings.png"}
    assert names == {
        *("config.json", "metrics.json", "report.md", "seed-0/classifier.keras"),
        *(f"seed-0/{name}_uae.npz" for name in found),
        *pictures,
    }
    report = (finished / "report.md").read_text()
    assert all(f"({name})" in report for name in pictures)
    assert "log 32 = 3.47" in report
    summary = metrics(finished)["summary"]
    assert list(summary["rows"]) == ROWS
    assert summary["grids"].keys() == GRIDS


def test_images_that_the_classifier_gets_right_are_attacked(finished, classifier, digits):
    right = np.flatnonzero(classes(classifier, digits.x_test) == digits.y_test)[:20]
    x, y = digits.x_test[right], digits.y_test[right]
    rows, config = records(finished, "attack", 0), Config(steps=18)
    for name in ("minmax", "penalty"):
        found = uae.UAEs.load(finished / "seed-0" / f"{name}_uae.npz")
        # δ₀ and 18 steps; the penalty method starts anew with every weight
        starts = 1 if name == "minmax" else config.search_steps
        assert found.trace["similarity"].shape == (20, 18 + starts)
        assert rows[name]["asr"] == found.success_rate > 0
        np.testing.assert_array_equal(found.x[~found.success], x[~found.success])
        given = classes(classifier, found.x[found.success])
        assert np.mean(given != y[found.success]) > 0.9  # f may be 0 up to rounding
        expected = found.similarity[found.success].mean()
        assert rows[name]["mi"] == pytest.approx(expected)
        assert rows[name]["pairs"] == 32


def test_penalty_goes_on_to_the_same_examples(finished, classifier, digits):
    right = np.flatnonzero(classes(classifier, digits.x_test) == digits.y_test)[:20]
    config = Config(steps=18, step_size=0.2)
    x, y = digits.x_test[right], digits.y_test[right]
    whole = config.penalty(classifier).generate(x, y, verbose=0, batch_size=16)
    found = uae.UAEs.load(finished / "seed-0" / "penalty_uae.npz")
    np.testing.assert_allclose(found.x, whole.x, atol=1e-5)


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    def never(*_, **__):
        pytest.fail("a finished run was taken up again")

    monkeypatch.setattr(training, "train", never)
    monkeypatch.setattr(Attack, "batches", never)
    before = contents(finished)
    assert main([*SMALL, "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    printed = capsys.readouterr()
    assert "Random sampling, K = 6" in printed.out
    assert printed.err == ""


def test_searches_of_unequal_length_are_refused(tmp_path, capsys):
    assert main(["--steps", "20", "--output", str(tmp_path / "run")]) == 2
    assert "multiple of search_steps=9" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_new_estimates_rank_pairs_by_how_alike_they_are(digits):
    x = digits.x_test[:60]
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, x.shape).astype(np.float32)
    model, mine = small_classifier(), MINE(features=BivariateSampling(samples=64, dimension=8))
    near = mutual_information(model, mine, x, np.clip(x + noise, 0, 1))
    far = mutual_information(model, mine, x, x[::-1])
    assert near.shape == (60,)
    assert np.mean(near > far) > 0.95
    assert pairs(model, mine, x) == 64
    assert pairs(model, MINE(features=Convolution()), x) == 32


def made_up(similarity: list, criterion: list) -> uae.UAEs:
    """Examples of which only the trace and the best counts."""
    value, f = np.array(similarity, float), np.array(criterion, float)
    best = np.where(f <= 0, value, -np.inf).max(axis=1)
    success = np.isfinite(best)
    rows = {"criterion": np.zeros(len(f)), "multiplier": np.zeros(len(f))}
    rows |= {"iteration": np.ones(len(f), int), "frozen": np.zeros(len(f), bool)}
    best = np.where(success, best, np.nan)
    trace = {"similarity": value, "criterion": f}
    found = {"x": value, "success": success, "similarity": best, "trace": trace}
    return uae.UAEs(**found, **rows, measure="mutual information")


def test_comparison_is_image_by_image():
    nan = np.nan

    def history(values, criterion):  # after δ₀
        return made_up([[0, *row] for row in values], [[1, *row] for row in criterion])

    minmax = history([[9, 1, 3, 2], [1, 2, 3, 4], [5, 5, 5, 5]], [[1, 0, 0, 0], [0] * 4, [1] * 4])
    penalty = history([[0, 0, 0, 2], [8, 0, 0, 0], [1, 1, 1, 1]], [[1, 1, 1, 0], [0] * 4, [0] * 4])
    expected = [[nan, 1, 3, 3], [1, 2, 3, 4], [nan] * 4]
    np.testing.assert_array_equal(best_so_far(minmax), expected)
    start = made_up([[99, 1]], [[-1, -1]])  # δ₀ is no example, however good it is
    np.testing.assert_array_equal(best_so_far(start), [[1]])
    figures = comparison(minmax, penalty, np.array([1.0, 2.0, 9.0]), np.array([2.0, 1.0, 0.0]))
    assert figures["both"] == pytest.approx(2 / 3)
    assert figures["ratio"] == pytest.approx((3 + 4) / (2 + 8))
    assert (figures["higher"], figures["ratio_again"]) == (0.5, 1.0)
    assert (figures["best_early"], figures["best"]) == (1.0, 3.5)
    assert figures["curves"]["minmax"] == [1.0, 1.5, 3.0, 3.5]
    failed = history([[1.0]], [[1.0]])
    none = comparison(failed, failed, np.ones(1), np.ones(1))
    assert none["ratio"] is none["higher_again"] is none["best"] is None
    json.dumps(none, allow_nan=False)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ((1.5, 1.2), "information reproduces."),
        ((1.5, 0.9), "by the attacks' own estimates, and not by new ones."),
        ((0.9, 1.2), "does not reproduce."),
    ],
)
def test_words_say_whether_the_claim_reproduces(ratios, verdict):
    rows = []
    for name, value in (("minmax", 2.0), ("penalty", 1.0)):
        row = {"stage": "attack", "seed": 0, "name": name, "asr": 1.0, "mi": value}
        rows.append({**row, "mi_again": value / 4, "mi_self": 1.5, "pairs": 32, "seconds": 1.0})
    pair = {"both": 1.0, "higher": 0.8, "higher_again": 0.3, "best_early": 1.0, "best": 2.0}
    pair |= {"ratio": ratios[0], "ratio_again": ratios[1], "curves": {}}
    rows.append({"stage": "comparison", "seed": 0, "name": "minmax", **pair})
    config = Config.for_preset(dataset="mnist")
    text = "\n".join(sentences(config, summarize(rows)))
    assert verdict in text
    assert f"{ratios[0]:.2f} times" in text
    assert "the paper: 1.81 times" in text
    assert "28.28 and 51.29 nats" in text
    assert "estimates that MinMax reports, 2.000 nats" in text
    assert "the penalty method reports" not in text  # 1.0 < 1.5


def test_a_preset_without_flags_is_the_default():
    assert Config.for_preset() == Config()
    for preset in ("smoke", "paper"):
        Config.for_preset(preset).check()
    assert Config.for_preset("paper").projections[-1] == 800


def test_failures_are_crossed_out(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, path: drawn.append(figure))
    images = [np.zeros((2, 4, 4, 1)), np.ones((2, 4, 4, 1))]
    panel = plots.Panel("t", ["a", "b"], images, [["0", "1"], ["2", "3"]], [[0, 0], [0, 1]])
    plots.image_grids(tmp_path / "grid.png", [panel, panel])
    assert [len(axes.lines) for axes in drawn[0].axes] == [0, 0, 0, 2] * 2
    assert [axes.get_xlabel() for axes in drawn[0].axes] == ["0", "1", "2", "3"] * 2
