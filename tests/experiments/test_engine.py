"""The engine runs any experiment: a toy that no other file knows goes through all of it."""

import dataclasses
import errno
import io
import itertools
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

import keras_uae as uae
from experiments.engine import autoencoders, plots
from experiments.engine.attacking import AttackConfig
from experiments.engine.autoencoders import AutoencoderConfig
from experiments.engine.classifiers import ClassifierConfig
from experiments.engine.config import Choice, ExperimentConfig
from experiments.engine.experiment import Experiment
from experiments.engine.job import Piece
from experiments.engine.report import Figure
from experiments.engine.summary import spreads
from experiments.engine.tables import Column, sheet, written
from experiments.engine.verdicts import departures
from experiments.report.__main__ import main as make_page
from keras_uae import similarity
from models import CLASSIFIERS
from tests.experiments.runs import check_refused, contents, metrics, run_undisturbed

DICE = {"fair": 6, "loaded": 3}


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """Is the die fair?"""

    choosing = (*ExperimentConfig.choosing, "die")

    die: Annotated[str, Choice(DICE)] = "fair"
    """What is rolled."""
    rolls: int = 60
    """How often."""

    @classmethod
    def for_preset(cls, preset="quick", die="fair", **settings):
        rolls = 5 if preset == "smoke" else 10 * DICE[die]
        return super().for_preset(preset, **{"die": die, "rolls": rolls, **settings})


def roll(job):
    rolled = np.random.default_rng(job.seed).integers(DICE[job.config.die], size=job.config.rolls)
    return {"mean": float(rolled.mean()), "rolls": len(rolled)}


def pieces(config):
    for seed in config.seeds:
        yield Piece("rolling", seed, "die", config.rolls, roll)


def draw(job, path):
    figure = Canvas()
    figure.subplots().plot([each["mean"] for each in job.run.records])
    plots.save(figure, path)


def summarize(records):
    return {"die": spreads(records, "rolling", "die", "mean")}


COLUMNS = [Column("mean", "mean", ".2f", std=True)]
TOY = Experiment(
    name="toy",
    config=Config,
    pieces=pieces,
    labels=lambda config: {"die": "Die"},
    summarize=summarize,
    tables=lambda config, summary: [
        sheet(f"Rolls · {config.where}", COLUMNS, [("Die", summary["die"])])
    ],
    legend="Mean: of the rolls.",
    title=lambda config: f"Toy: {config.die}",
    introduction=lambda config: f"A die is rolled {config.rolls} times.",
    verdicts=lambda config, summary: ["The die has a mean."],
    figures={"rolls": Figure("The means", draw)},
    published=lambda config: {"rolls": 1000, "die": "fair"},
)


def test_a_toy_runs_from_the_command_line_to_the_page(tmp_path, capsys):
    output = tmp_path / "out" / "toy"
    run_undisturbed(TOY.main, ["--preset", "smoke", "--seeds", "0", "1", "--output", str(output)])
    assert "Rolls · digits, smoke preset · seeds 0, 1" in " ".join(capsys.readouterr().out.split())
    assert [each["rolls"] for each in metrics(output)["records"]] == [5, 5]
    report = (output / "report.md").read_text()
    for text in (
        "# Toy: fair",
        "rolled 5 times",
        "| Die | ",
        "- The die has a mean.\n- Other than in the paper: rolls 5, not 1000.",
        "![The means](rolls.png)",
        "python -m experiments.toy --preset smoke",
    ):
        assert text in report
    assert make_page([str(tmp_path / "out")]) == 0
    assert "data:image/png" in (tmp_path / "out" / "report.html").read_text()


def test_two_processes_do_not_work_in_one_directory(tmp_path, capsys):
    def other(job):
        codes.append(TOY.main(args))
        return roll(job)

    codes, args = [], ["--preset", "smoke", "--output", str(tmp_path / "run"), "--processes", "1"]
    one = dataclasses.replace(
        TOY, pieces=lambda config: [Piece("rolling", 0, "die", config.rolls, other)]
    )
    assert one.main(args) == 0
    assert codes == [2]
    assert "in which no other process is at work" in capsys.readouterr().err
    assert TOY.main(args) == 0  # shows what is finished


def test_a_terminal_of_plain_letters_and_a_reader_that_has_gone_end_no_run(tmp_path, monkeypatch):
    args, written = ["--preset", "smoke", "--quiet", "--output"], io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert TOY.main([*args, str(tmp_path / "plain")]) == 0
    sys.stdout.flush()
    assert b"Rolls |" in written.getvalue()
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert TOY.main([*args, str(tmp_path / "gone")]) == 0
    assert (tmp_path / "gone" / "report.md").exists()


def test_help_shows_what_will_really_run(capsys):
    with pytest.raises(SystemExit) as stop:
        TOY.main(["--die", "loaded", "--help"])
    assert stop.value.code == 0
    text = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    assert "Is the die fair?" in text
    assert "--die {fair,loaded} What is rolled. (default: loaded)" in text
    assert "--rolls INT How often. (default: 30)" in text


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--die loadd", "Did you mean 'loaded'?"),
        ("--rolls 0", "`rolls` of Config"),
        ("--preset smok", "Did you mean 'smoke'?"),
        ("--seeds 0 0", "different integers"),
    ],
)
def test_wrong_settings_are_refused(flags, hint, tmp_path, capsys):
    check_refused(TOY.main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)


def test_only_what_is_not_recorded_is_done(tmp_path):
    args = ["--preset", "smoke", "--seeds", "0", "1", "2", "--output", str(tmp_path / "run")]
    rolled = []

    def stopping(job):
        rolled.append(job.seed)
        if rolled == [0, 1]:
            raise KeyboardInterrupt
        return roll(job)

    def watched(config):
        return [dataclasses.replace(piece, run=stopping) for piece in pieces(config)]

    toy = dataclasses.replace(TOY, pieces=watched)
    assert toy.main(args) == 130
    assert not (tmp_path / "run" / "report.md").exists()
    run_undisturbed(toy.main, args)
    assert rolled == [0, 1, 1, 2]
    before = contents(tmp_path / "run")
    assert toy.main(args) == 0
    assert rolled == [0, 1, 1, 2]
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 5), (errno.EACCES, 1)])
@pytest.mark.parametrize("writes", range(3))  # config.json, metrics.json, report.md
def test_what_cannot_be_written_has_an_exit_code(
    number, code, writes, tmp_path, monkeypatch, capsys
):
    fsync, countdown = os.fsync, itertools.count()

    def fail(handle):
        if next(countdown) == 2 * writes:  # of the file, then of its directory
            raise OSError(number, os.strerror(number))
        fsync(handle)

    args = ["--preset", "smoke", "--output", str(tmp_path / "run"), "--quiet"]
    monkeypatch.setattr(os, "fsync", fail)
    assert TOY.main(args) == (2 if writes == 0 and code == 1 else code)
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: [Errno {number}] {os.strerror(number)}")
    assert ("make space" in printed, printed.count("\n")) == (code == 5, 1)
    assert not list((tmp_path / "run").rglob("*.part"))
    assert TOY.main(args) == 0


def test_a_piece_that_was_stopped_in_the_middle_keeps_its_time(tmp_path):
    args = ["--preset", "smoke", "--output", str(tmp_path / "run")]

    def stop(job):
        job.run.add(job.piece.key, half=1, seconds=100.0)
        raise KeyboardInterrupt

    def marked(run):
        return lambda config: [dataclasses.replace(p, run=run, mark="mean") for p in pieces(config)]

    assert dataclasses.replace(TOY, pieces=marked(stop)).main(args) == 130
    (record,) = metrics(tmp_path / "run")["records"]
    assert record.keys() == {"stage", "seed", "name", "half", "seconds"}
    seconds = record["seconds"]
    assert dataclasses.replace(TOY, pieces=marked(roll)).main(args) == 0
    (record,) = metrics(tmp_path / "run")["records"]
    assert record["seconds"] > seconds
    assert record["rolls"] == 5


def test_what_an_earlier_piece_kept_is_there_in_a_later_session(tmp_path, capsys):
    def train(job):
        return autoencoders.train(job, [], epochs=1)

    def compare(job):
        return {"error": uae.reconstruction_error(job.model("original"), job.data.x_test)}

    def stop(job):
        raise KeyboardInterrupt

    def trained(run):
        def pieces(config):
            work = config.train_size * config.epochs
            yield Piece("training", 0, "original", work, train)
            yield Piece("comparison", 0, "original", 0, run)

        return dataclasses.replace(
            TOY,
            config=AutoencoderConfig,
            pieces=pieces,
            figures={},
            published=lambda config: {},
            summarize=lambda records: {"die": {"mean": None}},
            title=lambda config: "",
            introduction=lambda config: "",
        )

    args = [f"--output={tmp_path / 'run'}", "--train-size=40", "--attack-size=4", "--epochs=1"]
    assert trained(stop).main(args) == 130
    (kept,) = (tmp_path / "run").rglob("original.keras")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000])
    before = contents(tmp_path / "run")
    capsys.readouterr()
    assert trained(compare).main(args) == 2
    printed = capsys.readouterr().err
    assert "holds a seed-0/original.keras that is damaged" in printed
    assert contents(tmp_path / "run") == before
    kept.write_bytes(whole)
    assert trained(compare).main(args) == 0
    training, comparison = metrics(tmp_path / "run")["records"]
    assert training["test_error"] == comparison["error"]


@pytest.mark.parametrize("kind", [Config, AutoencoderConfig, ClassifierConfig, AttackConfig])
def test_a_preset_without_flags_is_the_default(kind):
    assert kind.for_preset() == kind()
    kind.for_preset("smoke").check()
    json.dumps(kind.for_preset("paper").as_json())


def test_classifiers_follow_the_data_set_unless_one_is_chosen():
    assert ClassifierConfig.for_preset(dataset="cifar10").model == "cifar"
    assert ClassifierConfig.for_preset(dataset="mnist", model="small").model == "small"
    assert ClassifierConfig.for_preset("paper").epochs == 30


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (AttackConfig, similarity.names()),
        (ClassifierConfig, CLASSIFIERS),
    ],
)
def test_names_in_help_are_those_of_the_tables(kind, table, capsys):
    with pytest.raises(SystemExit):
        dataclasses.replace(TOY, config=kind).main(["--help"])
    text = re.sub(r"[\s│]+", "", capsys.readouterr().out)
    assert "{" + ",".join(table) + "}" in text


@pytest.mark.parametrize(
    ("value", "settings", "text"),
    [
        (None, {}, "–"),
        (-0.25, {}, "−0.25"),
        ("x", {}, "x"),
        ({"mean": 1.5, "std": 0.5, "count": 2}, {"std": True}, "1.50 ± 0.50"),
        ({"mean": 1.5, "std": 0.0, "count": 1}, {"std": True, "unit": " s"}, "1.50 s"),
        ({"mean": 1.5, "std": 0.5, "count": 2}, {}, "1.50"),
    ],
)
def test_figures_are_written(value, settings, text):
    assert written(value, ".2f", **settings) == text


def test_columns_find_figures_by_path_and_leave_out_what_is_empty():
    columns = [Column("a", "paper.a", ".1f"), Column("b", "paper.b"), Column("c", "none.at.all")]
    shown = sheet("t", columns, [("row", {"paper": {"a": 1.0}}), ("other", {})])
    assert shown.columns == {"": ["row", "other"], "a": ["1.0", "–"]}


def test_departures_name_settings():
    config = Config(rolls=3, seeds=(1, 2))
    assert departures(config, {"rolls": 3}) == []
    assert departures(config, {"rolls": 4, "seeds": (0,)}) == [
        "Other than in the paper: rolls 3, not 4; seeds 1 2, not 0."
    ]
