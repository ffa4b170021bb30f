"""Settings, presets, flags, run directories and training, the parts that experiments share."""

import dataclasses
import functools
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import pytest
from rich.console import Console

import keras_uae as uae
from experiments.engine import config as settings
from experiments.engine import training
from experiments.engine.config import parse
from experiments.engine.job import Job, Piece
from experiments.engine.progress import JobProgress
from experiments.engine.records import RefusedRunError, Run
from experiments.engine.side_by_side import perform
from experiments.reconstruction import EXPERIMENT, Config, main, pieces
from keras_uae.attacks.presets import PRESETS
from keras_uae.comparison.training import Trained
from models import RECIPES
from tests.experiments.runs import check_refused


def parsed(*flags: str) -> Config:
    return parse(Config, flags, "python -m experiments.reconstruction")


def test_presets_fill_in_what_flags_leave_open():
    quick = parsed()
    assert (quick.dataset, quick.model, quick.preset) == ("digits", "conv", "quick")
    assert quick.seeds == (0, 1, 2)
    assert quick.retraining_epochs == 1.5 * quick.epochs
    assert EXPERIMENT.located(quick).output == Path("out/reconstruction/digits-conv-quick")
    assert quick.complete(dummy_data(1437)).train_size == 1437

    smoke = parsed("--preset", "smoke")
    assert smoke.seeds == (0,)
    assert smoke.train_size <= 500
    assert smoke.steps < quick.steps == 40

    mnist = parsed("--dataset", "mnist", "--model", "dense")
    assert (mnist.train_size, mnist.epochs, mnist.retraining_epochs) == (10_000, 20, 30)
    paper = parsed("--dataset", "mnist", "--model", "sparse", "--preset", "paper")
    assert (paper.train_size, paper.epochs, paper.retraining_epochs) == (None, 50, 80)
    assert parsed("--dataset", "cifar10_first5k").train_size == 4_000


def test_flags_override_the_preset():
    flags = "--preset smoke --seeds 3 4 --train-size 9 --steps 7 --epsilon 0.3 --epochs 2 --quiet"
    config = parsed(*flags.split(), "--attack-preset", "paper", "--target", "clean")
    assert (config.seeds, config.train_size, config.steps) == ((3, 4), 9, 7)
    assert (config.epsilon, config.epochs, config.quiet) == (0.3, 2, True)
    assert (config.attack_preset, config.target) == ("paper", "clean")
    model = RECIPES["conv"].build((8, 8, 1))
    attack, baseline = config.attack(model), config.attack(model, **PRESETS["l2_uae"])
    for each in (attack, baseline):
        assert (each.steps, each.epsilon, each.initial_radius) == (7, 0.3, 0.0)
        assert each.step_rule == "raw"
    assert (attack.objective, baseline.objective) == ("minimize", "maximize")


def dummy_data(size: int):
    from experiments.data import load

    return load("digits", train_size=size)


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--preset quik", "Did you mean 'quick'?"),
        ("--model con", "Did you mean 'conv'?"),
        ("--dataset mnits", "Did you mean 'mnist'?"),
        ("--similarity gausian", "Did you mean 'gaussian'?"),
        ("--attack-preset pape", "Did you mean 'paper'?"),
        ("--target clear", "Did you mean 'clean'?"),
        ("--seeds 1 1", "different integers"),
        ("--steps 0", "`steps` of Config"),
        ("--train-size 1438", "[1, 1437]"),
        ("--attack-size 301 --preset smoke", "[1, 300]"),
        ("--target clean --attack-size 3", "all training images"),
        ("--model dense --similarity conv", "asks for a convolution"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(flags, hint, tmp_path, capsys):
    check_refused(main, f"{flags} --output {tmp_path / 'run'}", hint, capsys)
    assert not (tmp_path / "run").exists()


def test_data_that_are_no_images_are_refused_before_the_work(tmp_path, capsys, monkeypatch):
    digits = dummy_data(40)
    x_train, x_test = (x.reshape(len(x), -1) for x in (digits.x_train, digits.x_test))
    vectors = digits._replace(x_train=x_train, x_test=x_test)
    monkeypatch.setattr(settings, "load", lambda *args, **settings: vectors)
    assert main(["--model", "dense", "--output", str(tmp_path / "run")]) == 2
    assert "must hold images. Received: dataset='digits'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_flags_that_do_not_exist_exit_with_code_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--presett", "smoke"])
    assert stop.value.code == 2
    assert "--preset" in capsys.readouterr().err


@pytest.fixture
def config(tmp_path) -> Config:
    return Config.for_preset("smoke", output=tmp_path / "run")


def opened(config: Config) -> Run:
    return Run(config.output, config.as_json(), len, incidental=config.incidental)


def test_records_survive_and_are_replaced_by_key(config):
    run = opened(config)
    run.add({"seed": 0, "name": "a"}, error=0.5)
    run.add({"seed": 1, "name": "a"}, error=0.25)
    run.add({"seed": 0, "name": "a"}, error=0.75)
    again = opened(config)
    assert again.records == run.records
    assert [record["error"] for record in again.records] == [0.75, 0.25]
    assert again.find(seed=1)["error"] == 0.25
    assert again.find(seed=2) is None
    assert json.loads((run.directory / "metrics.json").read_text())["summary"] == 2


def test_what_has_no_influence_may_change_between_sessions(config):
    opened(config)
    opened(dataclasses.replace(config, quiet=True, data_dir=Path("elsewhere")))
    with pytest.raises(ValueError, match=r"steps 10 there, 11 here; target 'self' there"):
        opened(dataclasses.replace(config, steps=11, target="clean"))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("notes.txt", "mine", "none is the config.json of a run"),
        ("config.json", "{", "a config.json that is damaged"),
        ("config.json", "[]", "a config.json that is damaged .it holds list, not an object"),
        ("config.json", '{"config": []}', "a config.json that is damaged"),
        ("config.json", "[" * 10**5, "a config.json that is damaged"),
        ("config.json", "{}", "holds another run"),
        ("report.md", "mine", "none is the config.json of a run"),
    ],
)
def test_other_peoples_directories_are_refused(config, name, text, reason):
    config.output.mkdir()
    (config.output / name).write_text(text)
    with pytest.raises(ValueError, match=reason):
        opened(config)
    assert [path.name for path in config.output.iterdir()] == [name]


def test_a_file_in_place_of_the_directory_is_refused(config):
    config.output.write_text("mine")
    with pytest.raises(ValueError, match="which is a file"):
        opened(config)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"records": [', "delimiter|Expecting"),
        ("", "Expecting value"),
        ("[]", "it holds list, not an object"),
        ("{}", "it has no records of finished work"),
        ('{"records": 3}', "it has no records of finished work"),
        ('{"records": [3]}', "it has no records of finished work"),
        ('{"records": [{"error": NaN}]}', "NaN, which is no JSON"),
        ("\udcff", "codec"),
    ],
)
def test_damaged_metrics_are_refused(config, text, reason):
    opened(config).add({"seed": 0}, error=1.0)
    (config.output / "metrics.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RefusedRunError, match=rf"a metrics\.json that is damaged .*({reason})"):
        opened(config)


def test_records_that_cannot_be_summed_up_are_refused(config):
    opened(config).add({"seed": 0}, error=1.0)
    with pytest.raises(RefusedRunError, match=r"cannot be summed up: KeyError\('stage'\)"):
        Run(config.output, config.as_json(), EXPERIMENT.summarize)


def test_a_finished_run_without_records_is_refused(config):
    opened(config)
    (config.output / "report.md").write_text("# Report")
    with pytest.raises(RefusedRunError, match=r"holds a report\.md, but no metrics\.json"):
        opened(config)


def trained(digits, recipe, seed: int, epochs: int) -> tuple[Trained, float]:
    """A training, and how far the bar came."""
    found = []

    def train(job: Job) -> dict:
        data = uae.UAEAugmentation(digits.x_train[:64], [], batch_size=32)
        made = training.train(job, recipe, data, epochs=epochs)
        found.append(made)
        return {}

    piece = Piece("training", seed, "original", 64 * epochs, train, recorded=False)
    with JobProgress(piece.work, Console(quiet=True)) as progress, TemporaryDirectory() as folder:
        run = Run(Path(folder), {}, len)
        perform(Job(Config(), digits, run, progress, {}), [piece])
        return *found, progress.fraction


def test_a_diverged_training_ends_early_and_has_no_error(digits):
    wild = functools.partial(keras.optimizers.SGD, learning_rate=float("inf"))
    recipe = dataclasses.replace(RECIPES["dense"], optimizer=wild)
    made, fraction = trained(digits, recipe, 0, 50)
    assert fraction == 1
    assert made.steps < 10
    names = ("test_error", "train_error", "averaged_error")
    assert training.errors(made, digits) == dict.fromkeys(names)


def test_equal_seeds_give_equal_models(digits):
    models = [trained(digits, RECIPES["dense"], 5, 1)[0] for _ in range(2)]
    assert training.errors(models[0], digits) == training.errors(models[1], digits)
    assert training.errors(models[0], digits)["averaged_error"] > 0


def test_work_counts_samples_of_training_and_attack():
    config = Config.for_preset(seeds=(0, 1), train_size=40, attack_size=24, epochs=1)
    work = {(each.stage, each.seed, each.name): each.work for each in pieces(config)}
    retraining = config.retraining_epochs * 64
    for seed in (0, 1):
        for name in ("duplicate", "mine", "l2", "ga_0.01"):
            assert work["training", seed, name] == retraining
        assert work["attack", seed, "mine"] == work["attack", seed, "l2"] == 24 * 40
        assert work["attack", seed, "ga_0.01"] == 0
        assert work["training", seed, "original"] == 40
    assert work["figures", None, "mine"] == 24 * 40


def test_a_preset_without_flags_is_the_default():
    assert Config.for_preset() == Config()
