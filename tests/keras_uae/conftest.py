"""Small runs of `keras-uae generate` that several modules look at."""

import keras
import pytest

from tests.keras_uae.sharding.shard_runs import command, invoke, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    keras.utils.set_random_seed(0)
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def complete(tmp_path_factory, inputs):
    """The directory of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("complete") / "uaes"
    result = invoke(*command(inputs, out))
    assert result.exit_code == 0, result.output
    return out
