"""The benchmark: that it measures what it says. How fast anything is, is not tested."""

import json
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
import models
from experiments.benchmark import command, peers, tables
from experiments.benchmark.cases import (
    AGAIN,
    CONV,
    EXACT,
    LITERAL,
    PRESETS,
    REFERENCE,
    attack_cases,
)
from experiments.benchmark.sections import SECTIONS
from experiments.benchmark.timing import (
    Method,
    Timing,
    compare,
    quartiles,
    round_robin,
    timed,
    turns,
)
from experiments.engine.tables import markdown
from keras_uae.attacks.base import Attack

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> dict:
    """What a smoke run without any peer installed writes."""
    path = tmp_path_factory.mktemp("benchmark") / "benchmark.json"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("art", "foolbox"):
            patch.setitem(sys.modules, name, None)  # an import of it fails
        assert command.main(["--preset", "smoke", "--quiet", "--json", str(path)]) == 0
    return json.loads(path.read_text())


def cases(content: dict, section: str) -> list[dict]:
    return content[section]["cases"]


def test_models_can_be_chosen():
    assert command.Config(models=("dense 8×8×1",)).scale().models == ("dense 8×8×1",)
    assert command.Config(preset="smoke").scale().models == SMOKE.models
    with pytest.raises(ValueError, match="`models` of Config must be one of 'conv 8×8×1'"):
        command.Config(models=("dense",)).scale()


def test_settings_and_machine_are_recorded(content):
    assert content["settings"]["preset"] == "smoke"
    assert content["settings"]["steps"] == SMOKE.steps
    assert content["settings"]["sections"] == ["attacks", "sizes", "batches", "peers"]
    assert {"keras_uae", "tensorflow", "keras", "numpy", "python"} <= content["versions"].keys()
    assert content["processors"] >= 1
    assert content["instructions"][0]
    assert content["memory"] > 1e8
    assert "CPU" in content["devices"]
    assert content["load_average"].keys() == {"before", "after"}


def test_every_attack_is_timed_beside_a_pgd_of_its_own(content):
    names = [
        (case["model"], [row["name"] for row in case["methods"]])
        for case in cases(content, "attacks")
    ]
    others = ["Gaussian UAE", "L2-UAE", "GA σ = 0.01"]
    assert names == [
        ("conv 8×8×1", [REFERENCE, AGAIN, CONV, *others]),
        ("dense 8×8×1", [REFERENCE, AGAIN, EXACT, LITERAL, *others]),
    ]


def test_attacks_that_take_other_batches_are_other_cases(monkeypatch):
    sizes = iter([4, 2, 8, 8])
    monkeypatch.setattr(Attack, "auto_batch_size", lambda *_: next(sizes))
    found = attack_cases(SMOKE._replace(models=("dense 8×8×1",)))
    names = [(case.batch, [method.name for method in case.methods]) for case in found]
    assert names == [
        (4, [REFERENCE, AGAIN, EXACT]),
        (2, [REFERENCE, AGAIN, LITERAL]),
        (8, [REFERENCE, AGAIN, "Gaussian UAE", "L2-UAE", "GA σ = 0.01"]),
    ]


@pytest.mark.parametrize("section", ["attacks", "batches"])
def test_ratios_are_of_the_same_round_model_and_batch(content, section):
    for case in cases(content, section):
        base = case["methods"][0]["ms_per_sample"]
        for row in case["methods"]:
            assert row["samples"] == case["batch"]
            assert len(row["seconds"]) == SMOKE.repeats
            assert len(row["memory_before"]) == len(row["memory_peak"]) == SMOKE.repeats
            assert row["warm_up_seconds"] > 0
            ms = 1000 * np.array(row["seconds"]) / row["samples"]
            np.testing.assert_allclose(row["ms_per_sample"], ms)
            np.testing.assert_allclose(row["ratio"], ms / base)
            assert row["summary"]["ratio"]["median"] == pytest.approx(np.median(row["ratio"]))
            assert np.all(np.array(row["memory_peak"]) >= row["memory_before"])


def test_sizes_are_those_of_the_preset_and_memory_is_accounted_for(content):
    rows = content["sizes"]["rows"]
    assert [row["samples"] for row in rows] == list(SMOKE.sizes)
    for row in rows:
        assert len(row["seconds"]) == SMOKE.size_repeats
        # an image of 64 values and 4 fields of 4 bytes, two flags
        assert row["output_bytes"] == [row["samples"] * (4 * 64 + 4 * 4 + 2)]
        growth = row["memory_peak"][0] - row["memory_before"][0] - row["output_bytes"][0]
        assert row["growth"] == [growth]
    calls = content["sizes"]["calls"]
    assert len(calls["memory"]) == SMOKE.calls
    assert calls["first"] == pytest.approx(np.mean(calls["memory"][:5]))
    assert calls["last"] == pytest.approx(np.mean(calls["memory"][-5:]))


def test_the_batch_size_of_the_library_is_marked(content):
    model, shape = models.convolutional_autoencoder((8, 8, 1)), (8, 8, 1)
    auto = uae.MinMaxAttack(model).auto_batch_size(shape)
    assert [case["batch"] for case in cases(content, "batches")] == list(SMOKE.batches)
    assert [case["batch"] for case in cases(content, "batches") if case["auto"]] == [auto]
    (sheet,) = tables.batch_sheets(content)
    assert sheet.columns[""] == ["1", f"{auto} (auto)"]


def test_peers_that_are_missing_are_skipped_in_a_line_each(content):
    assert content["peers"]["cases"] == content["peers"]["checks"] == []
    lines = content["peers"]["skipped"]
    assert [line.split()[:2] for line in lines] == [["ART", "skipped:"], ["foolbox", "skipped:"]]
    assert set(lines) <= set(tables.peer_notes(content))
    assert tables.peer_sheets(content) == []


def test_methods_take_turns_and_none_has_a_fixed_place():
    assert list(turns(3, 4)) == [0, 1, 2, 1, 2, 0, 2, 0, 1, 0, 1, 2]
    calls, ticks = [], []
    methods = [Method(name, 1, lambda name=name: calls.append(name)) for name in "abc"]
    timings = round_robin(methods, 2, ticks.append)
    assert "".join(calls) == "abc" + "abc" + "bca"
    assert ticks == [0, 1, 2, 0, 1, 2, 1, 2, 0]
    assert [len(timing.seconds) for timing in timings] == [2, 2, 2]


def test_peak_memory_sees_what_is_gone_again():
    def run():
        block = np.ones(8_000_000)
        time.sleep(0.1)
        return block.sum()

    result, seconds, memory = timed(run)
    assert result == 8_000_000
    assert seconds >= 0.1
    assert memory.peak - memory.before > 50e6


def test_comparison_of_numbers_made_up():
    empty = {"memory_before": [1, 1, 1], "memory_peak": [2, 2, 2]}
    timings = [
        Timing("PGD", 10, 9.0, [1.0, 2.0, 4.0], [2.0, 2.0, 2.0], **empty),
        Timing("other", 5, 9.0, [1.0, 1.5, 8.0], [2.0, 3.0, 4.0], **empty),
    ]
    base, other = compare(timings, "PGD")
    assert base["ms_per_sample"] == [100, 200, 400]
    assert base["ratio"] == [1, 1, 1]
    assert other["ms_per_sample"] == [200, 300, 1600]
    assert other["ratio"] == [2, 1.5, 4]
    assert other["processor_ratio"] == [2, 3, 4]
    assert other["summary"]["ratio"] == {"median": 2, "low": 1.75, "high": 3}
    assert quartiles([7]) == {"median": 7, "low": 7, "high": 7}
    case = {"model": "conv", "batch": 10, "methods": [base, other]}
    found = {"settings": {"steps": 40}, "attacks": {"cases": [case]}}
    (sheet,) = tables.attack_sheets(found)
    assert sheet.title == "Attacks · conv · batch 10 · T = 40"
    assert sheet.columns == {
        "": ["PGD", "other"],
        "ms per sample": ["200", "300"],
        "× PGD": ["–", "2.00 (1.75–3.00)"],
        "processor": ["1.00", "3.00"],
        "peak RSS, MB": ["0", "0"],
        "warm-up, s": ["9.0", "9.0"],
    }


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (99.99, "100"), (1.5, "1.50"), (2e-5, "0.00002")]
)
def test_numbers_have_three_figures_and_no_exponent(value, text):
    assert tables.short(value) == text


@pytest.mark.parametrize(
    ("median", "text"),
    [(0.05, "0.0500 (0.0250–0.1000)"), (2, "2.00 (1.00–4.00)"), (112.4, "112 (56–225)")],
)
def test_ratios_are_as_long_as_they_need_be(median, text):
    value = {"median": median, "low": median / 2, "high": 2 * median}
    assert tables.ratio({"name": "other", "summary": {"ratio": value}}) == text


def test_memory_is_in_megabytes():
    assert [tables.megabytes(value) for value in (1.6e6, -1.6e6, -1e5)] == [
        "2",
        "−2",
        "0",
    ]


@pytest.fixture
def task() -> peers.Task:
    x = np.random.default_rng(0).random((6, 8, 8, 1), dtype=np.float32)
    return peers.Task(models.convolutional_autoencoder((8, 8, 1)), x, 0.3, 0.02, 40)


def ours(task: peers.Task) -> np.ndarray:
    attack = uae.PGDAttack(
        task.model, epsilon=task.epsilon, step_size=task.step_size, steps=task.steps + 1
    )
    return attack.generate(task.x, batch_size=6, verbose=0).x


def pretended(task: peers.Task, z: np.ndarray, steps: int) -> peers.Peer:
    gradients: list[None] = []
    return peers.Peer("pretended 1.0", lambda: (gradients.extend([None] * steps), z)[1], gradients)


def test_a_peer_is_timed_if_it_does_what_ours_does(task, monkeypatch):
    z = ours(task)
    monkeypatch.setattr(peers, "PEERS", {"one": lambda task, model: pretended(task, z, 40)})
    found, checks, skipped = peers.prepare(task, z)
    names = ["pretended 1.0, Keras model", "pretended 1.0, frozen graph"]
    assert [peer.package for peer in found] == [each["name"] for each in checks] == names
    for figures in checks:
        assert figures["steps"] == 40
        assert figures["largest_change"] <= 0.3 + 1e-6
        assert figures["loss"] == figures["loss_ours"] < figures["loss_clean"]
    assert skipped == []


@pytest.mark.parametrize("form", peers.FORMS)
def test_the_model_of_a_peer_is_ours_in_rows(task, form):
    output = peers.FORMS[form](task)(tf.constant(task.x))
    np.testing.assert_allclose(output, task.model(task.x).numpy().reshape(6, 64), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "steps", "reason"),
    [
        (lambda x, z: z, 39, "39 steps instead of 40"),
        (lambda x, z: 1.5 * z, 40, "outside of the ball"),
        (lambda x, z: np.clip(x + 2 * (z - x), 0, 1), 40, "outside of the ball"),
        (lambda x, z: x, 40, r"changed the loss by \+0.00000, ours by -0"),
    ],
)
def test_a_peer_that_does_something_else_is_skipped(task, monkeypatch, change, steps, reason):
    z = ours(task)
    wrong = pretended(task, change(task.x, z), steps)
    monkeypatch.setattr(peers, "PEERS", {"one": lambda task, model: wrong})
    found, checks, (line,) = peers.prepare(task, z)
    assert found == checks == []
    assert line.startswith("one skipped: ")
    with pytest.raises(ValueError, match=reason):
        peers.check(task, wrong, z)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("form", peers.FORMS)
@pytest.mark.parametrize(("module", "name"), [("art.attacks", "ART"), ("foolbox", "foolbox")])
def test_real_peers_do_what_ours_does(task, module, name, form):
    pytest.importorskip(module)
    np.random.seed(0)  # noqa: NPY002  ART draws its start from it
    tf.random.set_seed(0)
    figures = peers.check(task, peers.PEERS[name](task, peers.FORMS[form](task)), ours(task))
    assert figures["steps"] == 40


def run(monkeypatch, *args: str, **sections) -> int:
    """The command with sections that do nothing but what is said here."""
    replaced = {name: SECTIONS[name]._replace(measure=make) for name, make in sections.items()}
    monkeypatch.setattr(command, "SECTIONS", replaced)
    return command.main(["--sections", *sections, "--preset", "smoke", "--quiet", *args])


def test_json_on_the_output_comes_alone(content, monkeypatch, capsys):
    given = {"sizes": lambda scale, progress: content["sizes"]}
    assert run(monkeypatch, "--json", "-", "--repeats", "3", **given) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["sizes"] == content["sizes"]
    assert printed["settings"]["repeats"] == 3
    assert "attacks" not in printed


def test_tables_fit_80_columns_and_are_markdown_if_asked(content, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    given = {
        name: lambda scale, progress, name=name: content[name]
        for name in ("attacks", "sizes", "batches", "peers")
    }
    assert run(monkeypatch, **given) == 0
    plain = capsys.readouterr().out
    assert max(map(len, plain.splitlines())) <= 80
    assert "…" not in plain
    assert run(monkeypatch, "--markdown", **given) == 0
    printed = capsys.readouterr().out
    for section in SECTIONS.values():
        for sheet in section.sheets(content):
            assert f"**{sheet.title}**\n\n{markdown(sheet)}" in printed


def test_interrupted_benchmark_shows_what_is_finished(content, monkeypatch, capsys):
    def interrupt(scale, progress):
        raise KeyboardInterrupt

    given = {"sizes": lambda scale, progress: content["sizes"], "peers": interrupt}
    assert run(monkeypatch, **given) == 130
    printed = capsys.readouterr()
    assert f"{CONV}.generate" in printed.out
    assert "interrupted" in printed.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--sections", "attack"], "Did you mean 'attacks'"),
        (["--preset", "paper"], "`preset` of Config"),
        (["--repeats", "0"], "`repeats` of Config"),
        (["--json", "no/such/directory/file.json"], "`json` of Config"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(args, message, capsys):
    assert command.main(args) == 2
    assert message in capsys.readouterr().err
