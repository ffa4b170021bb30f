"""What all tests share: a quiet TensorFlow, fixed seeds, a small real data set, no network."""

import functools
import gc
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in all programs of ours

import keras
import pytest

from experiments.data import Split, load

# What is imported stays: not looked at by every collection, which took seconds a module
gc.collect()
gc.freeze()


# The longest are begun first, or one worker would be left with one of them at the end
LONGEST = {
    *("test_zoo.py", "test_docs.py", "test_compare.py", "test_selector.py", "test_base.py"),
    *("test_contrastive.py", "test_benchmark.py", "test_ablation.py", "test_side_by_side.py"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """All seeds but that of TensorFlow's own generators, which hardly a test draws from."""
    # To set it makes TensorFlow forget its kernels: every graph is prepared anew, a tenth of all
    with mock.patch("tensorflow.random.set_seed"):
        keras.utils.set_random_seed(0)


def pytest_fixture_setup(fixturedef: pytest.FixtureDef) -> None:
    """What tests share, a trained model, is the same whichever of them asks for it first.

    `_forget` is such a fixture, so that each module begins with all seeds set.
    """
    if fixturedef.scope != "function":
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _forget() -> Iterator[None]:
    """What the tests of a module have made goes with them; after each test it would cost more."""
    yield
    keras.backend.clear_session()
    gc.collect()


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
