"""Run directories of the first version are shown again, and continued where they stopped."""

import json
import shutil
from pathlib import Path

import pytest

from experiments import convergence, reconstruction
from experiments.engine import training
from keras_uae.attacks.base import Attack
from tests.experiments.runs import contents

FOLDER = Path(__file__).parents[1] / "fixtures" / "v0_1"
SMOKE = ["--preset", "smoke", "--quiet", "--output"]


def never(*args, **kwargs):
    pytest.fail("done again")


@pytest.mark.parametrize("experiment", [convergence, reconstruction])
def test_a_finished_run_is_shown_and_not_repeated(experiment, tmp_path, monkeypatch, capsys):
    name = experiment.EXPERIMENT.name
    run = shutil.copytree(FOLDER / name, tmp_path / "run")
    before = contents(run)
    monkeypatch.setattr(training, "train", never)
    monkeypatch.setattr(Attack, "batches", never)
    assert experiment.main([*SMOKE, str(run)]) == 0
    assert contents(run) == before
    assert "ASR" in capsys.readouterr().out


def test_an_unfinished_run_is_continued(tmp_path, monkeypatch, capsys):
    run = shutil.copytree(FOLDER / "convergence", tmp_path / "run")
    path = run / "metrics.json"
    content = json.loads(path.read_text())
    (lost,) = (row for row in content["records"] if row["name"] == "alpha-0.1")
    content["records"].remove(lost)
    path.write_text(json.dumps(content))
    (run / "report.md").unlink()
    (run / "seed-0" / "alpha-0.1_uae.npz").unlink()
    monkeypatch.setattr(training, "train", never)
    assert convergence.main([*SMOKE, str(run)]) == 0
    records = {row["name"]: row for row in json.loads(path.read_text())["records"]}
    assert records.keys() == {"original", "horizon-10", "horizon-40", *ALPHAS}
    # c started at 0 then, and it is said that defaults have changed
    assert records["alpha-0.1"]["asr"] >= lost["asr"]
    assert "begun with keras_uae 0.1.0" in capsys.readouterr().err
    assert (run / "report.md").exists()


ALPHAS = {"alpha-0.001", "alpha-0.01", "alpha-0.1"}
