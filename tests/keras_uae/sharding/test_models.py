"""Models with classes of their own: what is missing is named in one line, with the remedy."""

import sys

import keras
import numpy as np
import pytest

import keras_uae as uae
from keras_uae.sharding.models import load_model
from tests import tiny_models
from tests.keras_uae.sharding.shard_runs import SETTINGS, invoke


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def triple(x):
    return 3 * x


SOURCE = """
import keras

@keras.saving.register_keras_serializable(package="there")
class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2
"""


def saved(path, layer):
    model = tiny_models.dense()
    outputs = layer(model.outputs[0])
    keras.Model(model.inputs, outputs).save(path)
    return path


@pytest.mark.parametrize(
    ("layer", "missing"),
    [
        (Unregistered, "the class 'Unregistered'"),
        (lambda: keras.layers.Activation(triple), "the function 'triple'"),
    ],
)
def test_a_class_that_is_not_there_is_named_in_one_line(tmp_path, layer, missing):
    path = saved(tmp_path / "model.keras", layer())
    with pytest.raises(ValueError, match=f"needs {missing}\\. Give --import MODULE") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


class Sparse(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.0 * x

    def get_config(self):
        return {}


def test_what_is_missing_in_a_part_of_a_layer_in_a_model_is_named_too(tmp_path):
    part = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, activity_regularizer=Sparse())]
    )
    keras.Sequential([keras.Input((4,)), part]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"needs the class 'Sparse'\. Give --import MODULE"):
        load_model(tmp_path / "model.keras")


def test_a_lambda_is_not_run_and_the_way_out_is_said(tmp_path):
    path = saved(tmp_path / "model.keras", keras.layers.Lambda(lambda x: x + 1))
    with pytest.raises(ValueError, match=r"holds a Lambda layer .* a registered class or function"):
        load_model(path)


def test_a_module_of_the_working_directory_brings_its_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    (tmp_path / "halved.py").write_text(SOURCE)
    namespace: dict = {}
    exec(SOURCE.replace('package="there"', 'package="elsewhere"'), namespace)
    layer = namespace["Halved"]()
    path = saved(tmp_path / "model.keras", layer)
    # as in another process, where nobody has registered it
    custom = keras.saving.get_custom_objects()
    removed = custom.pop("elsewhere>Halved")
    (tmp_path / "halved.py").write_text(SOURCE.replace("there", "elsewhere"))
    np.save(tmp_path / "x.npy", tiny_models.images(8))
    command = ["generate", path, "x.npy", *SETTINGS[:4]]
    try:
        result = invoke(*command, "--out", "uaes")
        assert result.exit_code == 1
        assert result.output.count("\n") == 1
        assert "needs the class 'Halved'. Give --import MODULE" in result.output
        result = invoke(*command, "--out", "uaes", "--import", "no_such_module")
        assert result.exit_code == 2
        assert "`--import` must be a module, as in `import no_such_module`" in result.output
        result = invoke(*command, "--out", "uaes", "--import", "halved")
        assert result.exit_code == 0, result.output
        result = invoke("verify", "uaes", "--model", path, "--import", "halved")
        assert result.exit_code == 0, result.output
    finally:
        custom["elsewhere>Halved"] = removed
        sys.modules.pop("halved", None)


class WithoutConfig(keras.Model):
    """Of an argument that Keras cannot save."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, x):
        return self.layer(x)


def test_a_model_without_config_is_attacked_and_not_saved(tmp_path):
    model = WithoutConfig(keras.layers.Conv2D(1, 3, padding="same"), name="own")
    x = tiny_models.images(2)
    model(x)
    attack = uae.MinMaxAttack(model, similarity="gaussian", steps=1)
    assert len(attack.generate(x, verbose=0)) == 2
    message = (
        r"^Give WithoutConfig a `get_config` to save MinMaxAttack of it, .* "
        r"Received: model='own'\.$"
    )
    with pytest.raises(NotImplementedError, match=message):
        attack.get_config()
    inputs = keras.Input(tiny_models.SHAPE)
    around = keras.Model(inputs, attack(inputs))
    with pytest.raises(NotImplementedError, match="Give WithoutConfig a `get_config`"):
        around.save(tmp_path / "around.keras")
