"""The convergence experiment: end to end on few digits; and what it says."""

from pathlib import Path

import numpy as np
import pytest

import keras_uae as uae
from experiments.convergence import Config, main, summarize, verdicts
from experiments.engine import training
from keras_uae.attacks.base import Attack
from tests.experiments.runs import check_refused, contents, metrics, run_undisturbed

pytestmark = pytest.mark.usefixtures("nothing_is_traced")

SMALL = "--train-size=40 --epochs=1 --attack-size=6 --steps=12 --horizons 4 9 --step-sizes 0.01 0.1"
SMALL = [*SMALL.split(), "--similarity=gaussian"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "convergence"
    run_undisturbed(main, [*SMALL, "--output", str(output)])
    return output


def test_curves_are_those_of_the_traces(finished):
    rows = metrics(finished)["summary"]["rows"]
    assert rows.keys() == {"alpha-0.01", "alpha-0.1", "horizon-4", "horizon-9"}
    for name, row in rows.items():
        gaps = uae.UAEs.load(finished / "seed-0" / f"{name}_uae.npz").trace["gap"][
            :, :-1
        ]  # not of δ_T
        assert row["curve"]["iteration"][-1] == gaps.shape[1]
        assert row["least"]["mean"] == pytest.approx(np.median((gaps**2).min(axis=1)))
    report = (finished / "report.md").read_text()
    assert "(convergence.png)" in report
    assert "| α = 0.5, T = 4 |" in report
    assert (finished / "convergence.png").read_bytes().startswith(b"\x89PNG")


def test_step_sizes_of_the_horizons_are_1_over_root_t():
    runs = Config(horizons=(4, 100)).runs
    assert [runs[f"horizon-{steps}"] for steps in (4, 100)] == [(0.5, 4), (0.1, 100)]


def test_finished_run_is_shown_again_and_not_repeated(finished, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(Attack, "batches", lambda *_, **__: pytest.fail("again"))
    before = contents(finished)
    assert main([*SMALL, "--output", str(finished), "--quiet"]) == 0
    assert contents(finished) == before
    assert "α = 0.5, T = 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--step-sizes -1", "`step_sizes` of Config"),
        ("--horizons 0", "`horizons` of Config"),
        ("--step-rule up", "`step_rule` of MinMaxAttack"),
        ("--similarity gausian", "Did you mean 'gaussian'?"),
        ("--attack-size 1438", "[1, 1437]"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)


@pytest.mark.parametrize(
    ("power", "verdict"), [(-0.6, "at least as fast as"), (-0.2, "more slowly")]
)
def test_the_rate_is_compared_with_that_of_the_theorem(power, verdict):
    found = []
    for steps in (10, 40, 160):
        t = np.arange(1, steps + 1)
        line = (t**power).tolist()
        curve = dict.fromkeys(("low", "median", "high", "least"), line)
        key = {"stage": "attack", "seed": 0, "name": f"horizon-{steps}"}
        found.append({**key, "curve": {"iteration": t.tolist(), **curve}, "asr": 1.0})
    summary = summarize(found)
    assert summary["horizons"] == pytest.approx(power)
    config = Config(horizons=(10, 40, 160))
    assert verdict in verdicts(config, summary)[0]
