"""What the tests of the selector and of its layer share."""

import pytest

import keras_uae as uae


@pytest.fixture
def traced(monkeypatch) -> list[str]:
    """The name of a layer for each time that one of its training steps is traced, from now on."""
    names = []
    step = uae.ConcreteSelect._next_weights

    def noting(self):
        names.append(self.name)
        return step(self)

    monkeypatch.setattr(uae.ConcreteSelect, "_next_weights", noting)
    return names
