"""The README keeps its word: its code runs, its commands are the ones that CI and users run."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_code_runs_from_top_to_bottom(capsys):
    shorter = [code.replace("epochs=5", "epochs=1") for code in blocks("python")]
    scope = {}
    for code in shorter:
        exec(code, scope)
    assert np.isfinite(scope["found"].x).all()
    assert "success rate" in capsys.readouterr().out


def test_ci_runs_the_command_for_the_tests():
    if not (ROOT / ".ci" / "run").exists():
        pytest.skip("not a checkout")
    (command,) = [code.strip() for code in blocks("bash") if "pytest" in code]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command.replace("pip install ", "pip install -q ") in ci


def test_files_that_it_links_to_are_there():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_errors_that_it_states_are_those_of_the_runs():
    if not (ROOT / "results").exists():
        pytest.skip("not a checkout")
    reports = [path.read_text(encoding="utf-8") for path in (ROOT / "results").glob("*/report.md")]
    stated = re.findall(r"0\.\d{5} ± 0\.\d{5}", README)
    assert len(stated) > 30
    for error in stated:
        assert any(error in report for report in reports), error
