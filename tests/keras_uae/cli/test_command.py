"""The command as a hostile or an unlucky user finds it: numbers, names, terminals, exit codes."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae.cli
from keras_uae import _fork, _memory, _startup
from keras_uae._errors import ClusterTooSmallError, ManifestError, OtherRunError
from keras_uae._processor import ONEDNN
from keras_uae.attacks.data_space import DATA_BOUNDS
from keras_uae.cli import choices
from keras_uae.cli.outcome import ExitCode, UsageError, code_of, in_a_line
from keras_uae.cli.streams import shown
from keras_uae.sharding import generate
from keras_uae.sharding.manifest import LARGEST_COUNT
from keras_uae.sharding.ray_engine import RayEngine
from tests import tiny_models
from tests.keras_uae.sharding.shard_runs import SETTINGS, command, invoke

ROOT = Path(__file__).parents[3]


def run_main(monkeypatch, *arguments, stdout=None, stderr=None):
    """`keras-uae` in this process, with streams of the test; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["keras-uae", *map(str, arguments)])
    if stdout is not None:
        monkeypatch.setattr(sys, "stdout", stdout)
    if stderr is not None:
        monkeypatch.setattr(sys, "stderr", stderr)
    with pytest.raises(SystemExit) as caught:
        keras_uae.cli.main()
    return caught.value.code or 0


# Numbers


@pytest.mark.parametrize(
    "more",
    [
        ["--steps", 2**31],
        ["--steps", 2**31 - 1],
        ["--steps", 2**40],
        ["--steps", 10**400],
        ["--steps", 0],
        ["--epsilon", "1e39"],
        ["--epsilon", "1e-50"],
        ["--epsilon", "nan"],
        ["--step-size", "1e39"],
        ["--step-size", "inf"],
        ["--bounds", "0", "1e39"],
        ["--bounds", "-3e38", "3e38"],
        ["--bounds", "0", "1e-40"],
        ["--bounds", "16777216", "16777217"],
        ["--bounds", "nan", "1"],
        ["--bounds", "0", "1", "--bounds-of", "data"],
        ["--shard-size", 2**54],
        ["--shard-size", 10**30],
        ["--batch-size", 2**31],
        ["--batch-size", -1],
        ["--shards", "5:2"],
        ["--shards", "3:3"],
        ["--shards", "100:200"],
        ["--shards", "5:"],
        ["--shards", "-1:"],
        ["--shards", "0:1:2"],
        ["--shards", "0:" + "9" * 40],
        ["--shards", "٣:٤"],
        ["--seed", 2**31],
        ["--seed", -(2**31) - 1],
        ["--seed", "one"],
        ["--divide-by", "0"],
        ["--divide-by", "-1"],
        ["--divide-by", "nan"],
        ["--divide-by", "1e39"],
        ["--divide-by", "1e-320"],
        ["--threads", 0],
        ["--threads", 2**40],
        ["--workers", 0],
        ["--workers", 2**40],
        ["--gpus", "nan"],
        ["--config", "no-such.json"],
        ["--config", "."],
        ["--config", "/dev/null"],
    ],
    ids=lambda more: " ".join(map(str, more))[:30],
)
def test_a_number_out_of_range_is_usage_and_makes_nothing(inputs, tmp_path, more):
    settings = [each for each in SETTINGS if "--steps" not in more or each not in ("--steps", "3")]
    result = invoke("generate", *inputs, "--out", tmp_path / "out", *settings, *more)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["verify", "inspect"])
def test_an_option_of_the_data_is_usage_everywhere(complete, inputs, tmp_path, name):
    png = ["--png", tmp_path / "x.png"] if name == "inspect" else []
    result = invoke(name, complete, *png, "--data", inputs[1], "--divide-by", "0")
    assert result.exit_code == 2


def test_what_does_not_fit_into_memory_is_refused_before_it_is_taken(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(_memory, "free_memory", lambda: 200_000)
    monkeypatch.setattr(generate, "free_memory", lambda: 200_000)
    monkeypatch.setattr(np, "stack", None)
    out = tmp_path / "out"
    many = tmp_path / "many.npy"
    np.save(many, tiny_models.images(2000))
    large = ["--similarity", "gaussian", "--batch-size", 2000]
    result = invoke("generate", inputs[0], many, "--out", out, *large)
    assert result.exit_code == 2
    assert "A batch of 2000 samples must fit into the memory" in result.stderr
    assert "`batch_size` may be" in result.stderr
    large = ["--similarity", "gaussian", "--batch-size", 8, "--shard-size", 2000]
    result = invoke("generate", inputs[0], many, "--out", out, *large)
    assert result.exit_code == 2
    assert "A shard of 2000 samples must fit" in result.stderr
    monkeypatch.setattr(_memory, "free_memory", lambda: 100)
    result = invoke("generate", *inputs, "--out", out)
    assert result.exit_code == 1
    assert "The model must fit into the memory" in result.stderr
    assert not out.exists()


def test_a_model_of_large_maps_is_refused_before_it_runs(tmp_path):
    large = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.UpSampling2D(2**20),
            keras.layers.AveragePooling2D(2**20),
        ]
    )
    large.save(tmp_path / "large.keras")
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8, 1), np.float32))
    begun = time.monotonic()
    result = invoke(
        *("generate", tmp_path / "large.keras", tmp_path / "x.npy", "--out", tmp_path / "out"),
        *("--similarity", "gaussian"),
    )
    assert time.monotonic() - begun < 20
    assert result.exit_code == 1
    assert "The model must fit into the memory" in result.stderr


def test_the_memory_of_a_control_group(tmp_path, monkeypatch):
    assert 0 < _memory.free_memory() < 2**62
    monkeypatch.setattr(_memory, "_GROUPS", tmp_path)
    assert _memory._of_group() == _memory._UNKNOWN
    for name, text in {
        "memory.max": "1000\n",
        "memory.current": "900\n",
        "memory.stat": "anon 1\ninactive_file 50\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert _memory.free_memory() == 150
    (tmp_path / "memory.max").write_text("max\n")
    assert _memory._of_group() == _memory._UNKNOWN


# What fails


@keras.saving.register_keras_serializable("tests")
class Raises(keras.layers.Layer):
    """A layer that can be traced and not be run."""

    def call(self, x):
        with tf.control_dependencies(
            [tf.debugging.assert_less(tf.reduce_max(x), -1.0, "too [/b]")]
        ):
            return tf.identity(x)


@keras.saving.register_keras_serializable("tests")
class RaisesNow(keras.layers.Layer):
    def build(self, shape):
        self.built = True

    def compute_output_shape(self, shape):
        return shape

    def call(self, x):
        if not isinstance(x, keras.KerasTensor):
            raise KeyError("[bold]")
        return x


@keras.saving.register_keras_serializable("tests")
class RaisesValue(RaisesNow):
    def call(self, x):
        if not isinstance(x, keras.KerasTensor):
            raise ValueError("the reason")
        return x


@pytest.mark.parametrize("layer", [Raises, RaisesNow, RaisesValue])
def test_an_operation_that_raises_is_one_line(inputs, tmp_path, layer):
    model = tiny_models.dense()
    keras.Model(model.inputs, layer()(model.outputs[0])).save(tmp_path / "model.keras")
    result = invoke(*command((tmp_path / "model.keras", inputs[1]), tmp_path / "out"))
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("keras-uae: ")
    assert {Raises: "too [/b]", RaisesNow: "[bold]", RaisesValue: "the reason"}[layer] in line
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (ClusterTooSmallError("x"), 2),
        (OtherRunError("x"), 4),
        (ManifestError("x"), 1),
        (OSError(errno.ENOSPC, "full"), 5),
        (OSError(errno.EDQUOT, "full"), 5),
        (OSError(errno.EACCES, "no"), 1),
        (MemoryError(), 1),
        (KeyError("x"), 1),
        (tf.errors.InvalidArgumentError(None, None, "first\nsecond"), 1),
    ],
)
def test_every_error_has_an_exit_code_and_a_line(error, code):
    assert code_of(error) == code
    assert in_a_line(error)
    assert "second" not in in_a_line(error)
    assert "Errno" not in in_a_line(error)


@pytest.mark.parametrize(("workers", "gpus"), [(3, 0), (1, 1)])
def test_a_cluster_that_is_too_small_is_not_waited_for(workers, gpus):
    class Ray:
        def cluster_resources(self):
            return {"CPU": 2.0}

        def remote(self, **_):
            return lambda actor: actor

    run = SimpleNamespace(environments=[{"threads": 1}])
    engine = RayEngine(b"", None, run, Path(), workers, gpus)
    with pytest.raises(ClusterTooSmallError, match=r"`--workers` times `--(threads|gpus)` must be"):
        engine._run(Ray(), [0], None)


@pytest.mark.parametrize("arguments", ["generate", "merge"])
def test_a_full_disk_is_one_wherever_it_is_full(inputs, complete, tmp_path, monkeypatch, arguments):
    def full(handle):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    merge = ["merge", complete, "--out", out]
    result = invoke(*(command(inputs, out) if arguments == "generate" else merge))
    assert result.exit_code == 5
    assert not list(tmp_path.rglob("*.part"))


def test_a_damaged_manifest_is_no_other_run(inputs, complete, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("{")
    assert invoke(*command(inputs, out)).exit_code == 1
    assert invoke("inspect", out).exit_code == 1


def test_pictures_are_of_the_samples_that_were_attacked(inputs, complete, tmp_path):
    x = np.load(inputs[1])
    others = {"other": x[::-1], "longer": np.concatenate([x, x]), "flat": x.reshape(len(x), -1)}
    for name, array in others.items():
        np.save(tmp_path / f"{name}.npy", array)
        png = tmp_path / f"{name}.png"
        result = invoke("inspect", complete, "--png", png, "--data", tmp_path / f"{name}.npy")
        assert result.exit_code == 1
        assert "must be the samples that were attacked" in result.stderr
        assert not png.exists()


# Names


def test_names_that_look_like_markup_are_printed_as_they_are(inputs, complete, tmp_path):
    strange = tmp_path / "[bold]a[/b] :fire: [red"
    result = invoke(*command(inputs, strange))
    assert result.exit_code == 0
    assert str(strange) in result.stdout
    result = invoke("verify", strange, "--model", tmp_path / "[/b].keras")
    assert (result.exit_code, "[/b].keras" in result.stderr) == (1, True)
    for arguments in (["[/b]"], ["inspect", "--[/b]"], ["inspect", complete, "[/b]"]):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "[/b]" in result.stderr


def test_a_manifest_neither_colours_nor_moves_the_terminal(complete, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    manifest = json.loads((complete / "manifest.json").read_text())
    manifest["attack"] = {
        "class_name": "[/b]\x1b[31m:fire:\r\u202e",
        "config": {"steps": "[/i]\x07"},
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    result = invoke("inspect", out)
    assert result.exit_code == 0, result.output
    assert r"[/b]\x1b[31m:fire:\r\u202e, [/i]\x07 steps" in result.stdout
    assert "\x1b" not in result.stdout
    manifest["dtype"] = "\x1b[2J[/b]"
    (out / "manifest.json").write_text(json.dumps(manifest))
    result = invoke("inspect", out)
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr


def test_what_is_shown_can_be_shown():
    assert shown("a\nb c é") == "a\nb c é"
    assert shown("\x1b[0m\t\x00\udcff") == r"\x1b[0m\t\x00\udcff"


# Terminals


class Bytes(io.BytesIO):
    def close(self):
        """Keep what was written."""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["inspect"], ["verify"]])
def test_any_encoding_will_do(complete, monkeypatch, encoding, arguments):
    written = Bytes()
    stream = io.TextIOWrapper(written, encoding=encoding)
    folder = [] if "--help" in arguments else [complete]
    assert run_main(monkeypatch, *arguments, *folder, stdout=stream, stderr=stream) == 0
    text = written.getvalue().decode(encoding)
    assert "Traceback" not in text
    assert len(text) > 30


def test_a_name_that_is_no_unicode_is_printed(complete, monkeypatch):
    written = Bytes()
    stream = io.TextIOWrapper(written, encoding="utf-8")
    assert run_main(monkeypatch, "inspect", "x\udcff[/b]", stdout=stream, stderr=stream) == 1
    assert b"udcff[/b]" in written.getvalue()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["inspect", "--json"], 5), (["verify"], 5), (["verify", "--json"], 5), (["--help"], 5)],
)
def test_standard_output_that_is_full(complete, monkeypatch, capsys, arguments, code):
    folder = [] if "--help" in arguments else [complete]
    with open("/dev/full", "w") as full:
        assert run_main(monkeypatch, *arguments, *folder, stdout=full) == code
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "No space left" in error


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--json"], ["--help"]])
def test_a_reader_that_has_gone_is_no_error(complete, monkeypatch, capsys, arguments):
    read, write = os.pipe()
    os.close(read)
    folder = [] if "--help" in arguments else [complete]
    with os.fdopen(write, "w") as pipe:
        code = run_main(monkeypatch, *arguments, *folder, stdout=pipe)
    assert code == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["inspect"], ["verify", "--json"], ["--help"]])
def test_a_closed_standard_output_is_no_error(complete, monkeypatch, capsys, arguments):
    folder = [] if "--help" in arguments else [complete]
    monkeypatch.setattr(sys, "stdout", None)  # as Python leaves it
    assert run_main(monkeypatch, *arguments, *folder) == 0
    assert capsys.readouterr().err == ""


# The first seconds


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("generate --help", 0),
        ("compare --help", 0),
        ("--version", 0),
        ("generate", 2),
        ("generate m.keras x.npy --out d --seed one", 2),
        ("generate m.keras x.npy --out d --shards 5:2", 2),
        ("generate m.keras x.npy --out d --config no.json", 2),
        ("compare no.keras x.npy --out d --epochs 1", 1),
        ("report no.keras x.npy --out d", 1),
    ],
)
def test_help_and_what_is_refused_at_sight_take_no_tensorflow(arguments, code):
    program = """
import sys
sys.argv = ["keras-uae", *sys.argv[1:]]
try:
    from keras_uae.cli import main
    main()
finally:
    heavy = {"tensorflow", "keras", "numpy"} & set(sys.modules)
    assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout if code == 0 else done.stderr
    assert not (done.stderr if code == 0 else done.stdout)


@pytest.mark.parametrize("where", choices.TABLES, ids=lambda where: where[1])
def test_the_names_that_help_lists_are_those_of_the_library(where):
    module, table = where
    assert choices.TABLES[where] == tuple(getattr(sys.modules[module], table))
    assert (choices.DATA_BOUNDS, choices.LARGEST_COUNT) == (DATA_BOUNDS, LARGEST_COUNT)


def test_the_command_has_the_library_and_says_nothing_of_its_own(inputs, tmp_path):
    """A module that `--import` names finds in it what a program finds; oneDNN is asked for."""
    (tmp_path / "mine.py").write_text(
        "import keras_uae as uae\nfrom keras_uae import _fork, comparison\n"
        "uae.MinMaxAttack, uae.similarity.names, comparison.compare\n"
        "from keras_uae import *\nMinMaxAttack, uae.__version__, uae.__all__\n"
        f"import os\nassert os.environ['{ONEDNN}'] == '1'\n"
    )
    run = command(inputs, tmp_path / "out", "--quiet", "--import", "mine")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("TF_CPP_MIN_LOG_LEVEL", ONEDNN):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "keras_uae.cli", *run],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def interruption():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="no /proc")
def test_ctrl_c_while_the_library_is_imported(tmp_path, interruption):
    # tests in the background ignore it, and so would the process
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_uae.cli", "inspect", str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "numpy" not in maps.read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert out == ""
    assert error.endswith("keras-uae: interrupted.\n")
    assert "Traceback" not in error
    assert process.returncode == 130


def test_another_backend_is_one_sentence_of_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "keras_uae.cli", "--version"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("keras-uae: keras_uae needs the TensorFlow backend")


def test_only_the_command_ends_on_an_interruption(monkeypatch, interruption):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for argv, orig in (["script.py"], ["python"]), ([], []), (["-m"], ["python", "-m", "pytest"]):
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setattr(sys, "orig_argv", orig)
        _startup.end_on_interruption()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr(sys, "argv", ["/usr/bin/keras-uae"])
    _startup.end_on_interruption()
    assert signal.getsignal(signal.SIGINT) is _startup._end
    _startup.raise_interruption()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of nohup
    _startup.end_on_interruption()
    _startup.raise_interruption()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


# Processes


def test_a_fork_after_use_is_told_at_once():
    tf.constant(1) + 1
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        try:
            _fork.check_not_forked("PGDAttack.generate")
            os.write(write, b"nothing")
        except RuntimeError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    assert text.startswith("PGDAttack.generate cannot run in a process that was forked")
    assert 'get_context("spawn")' in text
    _fork.check_not_forked("here")


# The table


def test_the_exit_codes_of_the_documentation_are_those_of_the_command():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for code in ExitCode:
        assert f"| {code:d} | {code.meaning} | {code.details} |" in text
