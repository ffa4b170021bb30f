"""Whether TensorFlow takes the operations of oneDNN, and who is told where it does not."""

import pytest
import tensorflow as tf

import keras_uae as uae
from keras_uae import _processor
from keras_uae._processor import ONEDNN, WITH_ONEDNN, leaves_onednn_out, takes_onednn
from keras_uae.sharding import ray_engine
from tests import tiny_models


@pytest.fixture
def on(monkeypatch):
    """A function that puts this process on a processor, with a choice in the environment."""

    def put(instructions, chosen=None):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
        monkeypatch.setattr(_processor.sys, "platform", "linux")
        monkeypatch.setattr(_processor.platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(_processor, "instructions", lambda: set(instructions.split()))
        monkeypatch.delenv(ONEDNN, raising=False)
        if chosen is not None:
            monkeypatch.setenv(ONEDNN, chosen)

    return put


@pytest.mark.parametrize(
    ("instructions", "chosen", "takes", "leaves"),
    [
        ("fma avx2", None, False, True),
        ("avx2 avx512f", None, False, True),
        ("avx2 avx512f avx512_vnni", None, True, False),
        ("avx2 avx_vnni", None, True, False),
        ("avx2", "1", True, False),
        ("avx2", "True", True, False),
        ("avx2", "0", False, False),  # as somebody wants it
        ("avx2 avx512_vnni", "false", False, False),
        ("avx2", "", False, True),
    ],
)
def test_tensorflow_takes_onednn(on, instructions, chosen, takes, leaves):
    on(instructions, chosen)
    assert takes_onednn() == takes
    assert leaves_onednn_out() == leaves


@pytest.mark.parametrize(("chosen", "takes"), [(None, None), ("1", True), ("0", False)])
def test_elsewhere_nothing_is_known_but_what_somebody_chose(on, monkeypatch, chosen, takes):
    on("avx2", chosen)
    monkeypatch.setattr(_processor.platform, "machine", lambda: "aarch64")
    assert takes_onednn() is takes
    assert not leaves_onednn_out()
    told = {} if takes is None else {ONEDNN: chosen}
    values = ray_engine._environment(2)["env_vars"]
    assert {name: value for name, value in values.items() if name == ONEDNN} == told


def test_an_attack_on_convolutions_says_what_makes_them_fast(on, capsys):
    x = tiny_models.images(2)
    convolutional = uae.PGDAttack(tiny_models.convolutional(), steps=1)
    dense = uae.PGDAttack(tiny_models.dense(), steps=1)
    on("avx2")
    for attack in (convolutional, dense):
        attack.generate(x)
    assert f"PGDAttack: {WITH_ONEDNN}\n" in capsys.readouterr().out
    assert WITH_ONEDNN in convolutional.notes
    assert WITH_ONEDNN not in dense.notes
    on("avx2", chosen="1")
    assert WITH_ONEDNN not in convolutional.notes
