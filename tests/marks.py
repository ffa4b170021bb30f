"""What is said of tests and their cases."""

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """A case that is run by hand, `pytest -m slow`: quicker ones test the same code."""
    return pytest.param(*values, marks=pytest.mark.slow)
