"""Against closed forms, SciPy, examples worked by hand, and many simulated tables."""

import math

import numpy as np
import pytest
from scipy import stats

from keras_uae.comparison import Comparison, holm, paired, seeds_needed
from keras_uae.comparison.statistics import figures, judged, outcome
from keras_uae.comparison.verdicts import sentence

TABLES = 200


def test_a_paired_difference_is_students_t():
    values = [0.021, 0.034, -0.003, 0.017, 0.026]
    found = paired(values)
    known = stats.ttest_1samp(values, 0)
    low, high = known.confidence_interval(0.95)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(known.pvalue)
    assert (found.count, found.agree) == (5, 4)


def test_by_hand():
    # mean 2, standard deviation 1, error 1/√3; t of 2 degrees of freedom at 97.5 %: 4.30265
    found = paired([1.0, 2.0, 3.0])
    assert found.std == pytest.approx(1)
    assert found.high - found.mean == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_one_seed_has_no_interval_and_none_no_mean():
    assert math.isnan(paired([0.1]).low)
    assert paired([0.1]).mean == 0.1
    assert math.isnan(paired([]).mean)


@pytest.mark.parametrize("rounding", [0, 6e-8])  # of figures in single precision
def test_differences_without_a_spread_decide_nothing(rounding):
    assert paired([0.0, 0.0, 0.0]).p == 1
    found = paired([0.01, 0.01 + rounding, 0.01])
    assert (found.p, found.std, found.mean) == (1, 0, pytest.approx(0.01, rel=1e-5))
    assert math.isnan(found.low)
    said = judged({"row": found})["row"]
    assert (said["outcome"], said["seeds"]) == ("open", None)
    text = sentence({"duplicates": {**figures(found), **said, "ratio": False}})
    assert text.endswith("duplicates (+0.0100 in all 3 seeds: no spread to test it by)")


def test_coarse_figures_are_told_apart_by_chance_no_oftener_than_others():
    rng = np.random.default_rng(4)
    flips = rng.binomial(4, 0.5, (TABLES, 12, 2, 3))  # 4 of 20 samples are uncertain, 3 seeds
    differences = (flips[:, :, 0] - flips[:, :, 1]) / 20
    wrong = [
        any(each["outcome"] != "open" for each in judged(dict(enumerate(found))).values())
        for found in ([paired(row) for row in table] for table in differences)
    ]
    assert np.mean(wrong) < 0.05 + 2 * math.sqrt(0.05 * 0.95 / TABLES)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1; then no smaller than those before
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


def test_holm_leaves_out_tests_that_could_not_be_made():
    found = holm([0.01, math.nan, 0.04])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])


def test_intervals_cover():
    rng = np.random.default_rng(0)
    found = [paired(rng.normal(0.3, 1, 5)) for _ in range(4000)]
    covered = np.mean([each.low <= 0.3 <= each.high for each in found])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)


def test_seeds_needed_are_those_with_which_the_difference_is_told():
    difference = paired([0.9, -0.5, 1.6, 0.1, 0.4])
    needed = seeds_needed(difference)
    assert needed is not None
    rng = np.random.default_rng(1)

    def power(count):
        draws = rng.normal(difference.mean, difference.std, (4000, count))
        return np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05)

    assert power(needed) == pytest.approx(0.8, abs=0.04)
    assert power(needed // 2) < 0.6
    assert (seeds_needed(difference, 0.01) or 0) > needed  # a stricter test takes more


def test_no_number_of_seeds_tells_what_does_not_differ():
    assert seeds_needed(paired([1.0, -1.0, 1.0, -1.0, 1e-9])) is None


def test_too_few_seeds_have_no_outcome():
    assert outcome(paired([0.5, 0.5]), 0.0)["outcome"] == "none"
    assert outcome(paired([0.5, 0.6, 0.5]), 0.001)["outcome"] == "better"
    assert outcome(paired([-0.5, -0.6, -0.5]), 0.001)["outcome"] == "worse"
    assert outcome(paired([0.5, -0.6, 0.5]), 0.6)["outcome"] == "open"


def simulated(rng, effect=0.0, arms=4, seeds=5):
    """Arms with two kinds of noise each, whose errors differ by chance, or by `effect`."""
    rows = {"original": row("original"), "duplicates": row("duplicates")}
    for number in range(arms):
        name = f"arm {number}"
        noise = {f"{name} / {kind}": row(kind, kind) for kind in ("gaussian", "shuffled")}
        rows |= {name: row(name, controls=["duplicates", *noise]), **noise}
    records = []
    for seed in range(seeds):
        common = rng.normal(1, 0.1)  # what rows of a seed share
        for name, each in rows.items():
            error = common * (1 + rng.normal(0, 0.02) - effect * bool(each["controls"]))
            figures = {"error": float(error)}
            record = {"last": figures, "averaged": figures, "steps": 10, "seconds": 1.0}
            records.append({"seed": seed, "row": name, **record})
    metrics = [{"name": "error", "better": "lower"}]
    return Comparison({"rows": rows, "metrics": metrics, "test_samples": 100}, records)


def row(label, noise="", controls=()):
    return {"label": label, "noise": noise, "controls": list(controls)}


def said(differences, ratio=True):
    difference = paired(differences)
    found = {**vars(difference), **outcome(difference, difference.p), "ratio": ratio}
    return sentence({"duplicates": found})


def test_a_verdict_says_how_small_a_difference_is():
    assert said([2e-4, 2.1e-4, 2.2e-4]) == (
        "better than duplicates by less than 0.1% (in 3 of 3 seeds)"
    )
    assert "worse than duplicates by less than 0.0001" in said([-1e-5, -1.1e-5, -1.2e-5], False)
    assert said([0.0] * 4) == "not distinguishable from duplicates (equal in all 4 seeds)"
    assert "+2.0% in all 4 seeds: no spread" in said([0.02] * 4)


def test_where_nothing_differs_no_verdict_of_a_table_says_otherwise():
    rng = np.random.default_rng(2)
    tables = [simulated(rng).verdicts.values() for _ in range(TABLES)]
    quiet = np.mean(
        [all("better" not in text and "worse" not in text for text in each) for each in tables]
    )
    assert quiet > 0.95 - 2 * math.sqrt(0.95 * 0.05 / TABLES)


def test_where_an_arm_is_better_its_verdict_says_so():
    rng = np.random.default_rng(3)
    verdicts = simulated(rng, effect=0.3).verdicts
    assert all(text.startswith("better than duplicates by") for text in verdicts.values())
    assert all("in 5 of 5 seeds" in text for text in verdicts.values())
