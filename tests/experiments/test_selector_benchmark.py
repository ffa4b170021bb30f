"""The benchmark of the selector, on few digits; its figures are checked for sense, not for size."""

import json

import pytest

from experiments import selector_benchmark as selector
from experiments.benchmark import published
from experiments.data import load


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch):
    few = load("digits", train_size=64)
    few = few._replace(x_test=few.x_test[:50], y_test=few.y_test[:50])
    monkeypatch.setattr(selector, "load", lambda *args, **kwargs: few)


def test_figures_and_tables(tmp_path, capsys):
    path = tmp_path / "figures.json"
    flags = ["--features", "5", "--epochs", "1", "2", "--published-epochs", "2", "--rounds", "1"]
    assert selector.main([*flags, "--json", str(path), "--markdown"]) == 0
    content = json.loads(path.read_text())
    names = ["ours", "ours, published settings"]
    last = {"ours": [1, 2]}
    if not published.missing():
        names.append("published package")
        last["published package"] = [2]
    assert list(content["steps"]) == names
    assert all(value > 0 for row in content["steps"].values() for value in row["ms"])
    found = [(row["name"], row["epochs"]) for row in content["trainings"]]
    assert found == [(name, epochs) for name, each in last.items() for epochs in each]
    for row in content["trainings"]:
        assert 0 < row["test_error"] < 1
        assert 0 <= row["accuracy"] <= 1
        assert 1 <= row["unique"] <= 5
    assert "**A training · digits, 5 features**" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--features", "65"], "`features` of Config"),
        (["--epochs", "0"], "`epochs` of Config"),
        (["--rounds", "0"], "`rounds` of Config"),
    ],
)
def test_flags_that_cannot_be(flags, message, capsys):
    assert selector.main(flags) == 2
    assert message in capsys.readouterr().err
