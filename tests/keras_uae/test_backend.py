"""Other backends of Keras are refused on import, in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_uae._backend import check_backend

MESSAGE = "keras_uae needs the TensorFlow backend of Keras: set KERAS_BACKEND=tensorflow before"


def test_a_backend_that_was_chosen_already(monkeypatch):
    check_backend()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=rf"{MESSAGE} Keras is imported\. Received: .*'jax'"):
        check_backend()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_that_is_not_installed(backend):
    """Keras itself would only say that there is no such module."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "import keras_uae"],
        cwd=root,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {MESSAGE}")
    assert last.endswith(f"backend={backend!r}.")
