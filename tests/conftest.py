"""What all tests share: a quiet TensorFlow, fixed seeds, a small real data set, no network."""

import functools
import gc
import http.server
import inspect
import os
import socket
import threading
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from tensorflow.python.framework import ops

from experiments.data import Split, load

# What is imported stays: not looked at by every collection, which took seconds a module
gc.collect()
gc.freeze()


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(0)


def pytest_fixture_setup(fixturedef: pytest.FixtureDef) -> None:
    """What tests share, a trained model, is the same whichever of them asks for it first."""
    if fixturedef.scope != "function":
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _forget() -> Iterator[None]:
    """What the tests of a module have made goes with them; after each test it would cost more."""
    yield
    keras.backend.clear_session()
    _forget_gradients()
    gc.collect()


def _forget_gradients() -> None:
    """The graphs of all trainings: TensorFlow keeps them, by gigabytes, and each collection looks.

    An optimizer of Keras adds up the gradients of all replicas. That sum has a gradient of its own,
    which TensorFlow registers for ever, with the graph, at each trace: nothing asks for it. Those
    of the package stay: they are registered once a shape, whoever asks for them.
    """
    registered = ops.gradient_registry._registry
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        function = inspect.getclosurevars(registered[name]["type"]).nonlocals["tape_grad_fn"]
        gradient = inspect.getclosurevars(function).nonlocals["grad_fn"]
        if not gradient.__module__.startswith("keras_uae."):
            del registered[name]


@pytest.fixture(scope="session")
def digits() -> Split:
    """Handwritten digits, 8×8×1: 1437 to train on and 360 to test on."""
    return load("digits")


@pytest.fixture
def no_network(monkeypatch):
    """Turn every look-up of a host into a failure, and count them."""
    hosts = []

    def refuse(host, *args, **kwargs):
        hosts.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return hosts


@pytest.fixture
def served(tmp_path):
    """A folder, and the address at which a server on this machine has it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
