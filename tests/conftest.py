"""What all tests share: a quiet TensorFlow, fixed global seeds, and a small real data set."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest

from experiments.datasets import Split, load


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def digits() -> Split:
    """Handwritten digits, 8×8×1: 1437 to train on and 360 to test on."""
    return load("digits")
