"""Seeds in processes of their own: the records of one process, whatever stops them in between."""

import dataclasses
import importlib
import time
from types import SimpleNamespace

import pytest

from experiments.engine import side_by_side
from experiments.engine.config import ExperimentConfig
from experiments.engine.experiment import Experiment
from experiments.engine.job import Piece
from tests.experiments.runs import contents, metrics, run_undisturbed

SEEDS = ["--seeds", "2", "0", "1"]


def pieces(config):
    yield Piece("counting", None, "all", 1, lambda job: {"samples": len(job.data.x_train)})
    for seed in config.seeds:
        yield Piece("drawing", seed, "first", 5, first)
        yield Piece("drawing", seed, "second", 5, second, mark="number")


def first(job):
    job.progress.advance(2, job.label)
    return {"number": 10 * job.seed + len(job.data.x_train) / 7}


def second(job):
    """Builds on what the first one of the seed has recorded, unless there is trouble."""
    trouble = job.run.directory.parent / "trouble"
    if job.seed == 0 and trouble.exists():
        if trouble.read_text() == "error":
            raise OSError("no paper left")
        time.sleep(600)  # until it is stopped
    return {"number": 2 * job.run.find(stage="drawing", seed=job.seed, name="first")["number"]}


TOY = Experiment(
    name="toy",
    config=ExperimentConfig,
    pieces=pieces,
    labels=lambda config: {},
    summarize=lambda records: sum(each.get("number", 0) for each in records),
    tables=lambda config, summary: [],
    legend="",
    title=lambda config: "Toy",
    introduction=lambda config: "",
    verdicts=lambda config, summary: [],
)


def interrupting(trouble, hear=side_by_side._hear):
    """Ctrl-C while the second piece of seed 0 is being done."""

    def heard(job, pipe, seeds, name, content):
        hear(job, pipe, seeds, name, content)
        done = name == "record" and content[0] == {"stage": "drawing", "seed": 0, "name": "first"}
        if done and trouble.exists() and trouble.read_text() == "interruption":
            raise KeyboardInterrupt

    return heard


def kept(output):
    return [
        {key: value for key, value in each.items() if key != "seconds"}
        for each in metrics(output)["records"]
    ]


def test_processes_leave_the_records_of_one(tmp_path, capsys, monkeypatch):
    one, several = (tmp_path / name / "run" for name in ("one", "several"))
    run_undisturbed(TOY.main, [*SEEDS, "--processes", "1", "--output", str(one)])
    flags = [*SEEDS, "--processes", "2", "--output", str(several)]
    several.parent.mkdir()
    monkeypatch.setattr(side_by_side, "_hear", interrupting(several.parent / "trouble"))
    for trouble, code, message in (
        ("interruption", 130, "interrupted: what is finished is kept"),
        ("error", 1, "error: no paper left\n"),
    ):
        (several.parent / "trouble").write_text(trouble)
        capsys.readouterr()
        assert TOY.main(flags) == code
        assert capsys.readouterr().err.startswith(message)
        done = {(each["seed"], each["name"]) for each in kept(several)}
        assert {(None, "all"), (0, "first")} <= done
        assert (0, "second") not in {
            (each["seed"], each["name"]) for each in kept(several) if "number" in each
        }
    (several.parent / "trouble").unlink()
    run_undisturbed(TOY.main, flags)
    assert kept(several) == kept(one)
    assert metrics(several)["summary"] == metrics(one)["summary"]
    before = contents(several)
    assert TOY.main(flags) == 0
    assert contents(several) == before


def test_a_process_that_is_gone_is_an_error_that_says_what_to_do():
    gone = SimpleNamespace(join=lambda: None, exitcode=-9)
    with pytest.raises(ChildProcessError, match=r"exit code -9, .*--processes 1"):
        side_by_side._check_ended(gone)


def test_what_no_process_can_import_is_done_in_this_one(tmp_path):
    done = []

    def here(config):
        for seed in config.seeds:
            yield Piece("drawing", seed, "first", 5, lambda job: done.append(job.seed))

    toy = dataclasses.replace(TOY, pieces=here)
    run_undisturbed(toy.main, [*SEEDS, "--processes", "2", "--output", str(tmp_path / "run")])
    assert done == [2, 0, 1]


EXPERIMENTS = ("ablation", "contrastive", "convergence", "feature_selection", "reconstruction")
EXPERIMENTS += ("robustness", "small_data", "supervised")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_seeds_of_every_experiment_can_be_done_in_processes(name, digits):
    experiment = importlib.import_module(f"experiments.{name}").EXPERIMENT
    config = experiment.config.for_preset("smoke", dataset="digits", seeds=(0, 1)).complete(digits)
    assert side_by_side._can_be_sent([each for each in experiment.pieces(config) if each.seed == 1])
