"""A similarity or criterion is one file and one line: a toy one is known everywhere at once."""

import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import keras_uae as uae
from keras_uae.criteria import CRITERIA
from keras_uae.similarity import SIMILARITIES, names
from tests import tiny_models

TOY = '''
from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf

from keras_uae.criteria import CRITERIA, Criterion
from keras_uae.similarity import SIMILARITIES, Similarity


@keras.saving.register_keras_serializable(package="toy")
@dataclass(frozen=True, kw_only=True)
class Brightness(Similarity):
    """The sum of the features of z."""

    measure: ClassVar[str] = "brightness"

    def estimate(self, drawn, state, v, t):
        return state, tf.reduce_sum(v, axis=[1, 2])


@keras.saving.register_keras_serializable(package="toy")
@dataclass(frozen=True)
class Darker(Criterion):
    """f = mean of z − mean of x."""

    def value(self, reference, x, z):
        return tf.reduce_mean(z - x, axis=[1, 2, 3])


SIMILARITIES["brightness"] = lambda maps: Brightness()
CRITERIA["darker"] = Darker
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The folder of a module that adds a similarity and a criterion to the tables."""
    (tmp_path / "toy.py").write_text(TOY, encoding="utf-8")
    before = [(table, dict(table)) for table in (SIMILARITIES, CRITERIA)]
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for table, content in before:
        table.clear()
        table.update(content)
    sys.modules.pop("toy", None)


def test_an_attack_knows_them(toy, tmp_path):
    import toy as module  # noqa: F401

    assert "brightness" in names()
    model, x = tiny_models.convolutional(), tiny_models.images(6)
    attack = uae.MinMaxAttack(model, similarity="brightness", criterion="darker", steps=6)
    found = attack.generate(x, verbose=0)
    assert found.success.all()
    assert (found.x.mean(axis=(1, 2, 3)) <= x.mean(axis=(1, 2, 3))).all()
    assert found.measure == "brightness"
    np.testing.assert_allclose(found.similarity, found.x.sum(axis=(1, 2, 3)), rtol=1e-5)
    config = keras.saving.serialize_keras_object(attack)
    assert keras.saving.deserialize_keras_object(config).similarity == attack.similarity
    with pytest.raises(ValueError, match=r"'brightness'.*Did you mean 'brightness'"):
        uae.MinMaxAttack(model, similarity="brightnes")


def test_the_command_line_knows_them(toy, monkeypatch):
    import toy as module  # noqa: F401

    import keras_uae.cli.app  # noqa: F401

    # read afresh, as by a process that starts with the toy; the others' comes back
    monkeypatch.setattr(uae, "cli", uae.cli)
    for name in [name for name in sys.modules if name.startswith("keras_uae.cli")]:
        monkeypatch.delitem(sys.modules, name)
    from keras_uae.cli.app import app

    environment = {"COLUMNS": "200", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, ["generate", "--help"], env=environment)
    assert done.exit_code == 0
    text = " ".join(done.stdout.replace("│", " ").split())
    assert "reconstruction_loss, brightness" in text
    assert "darker" in text
