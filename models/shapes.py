"""Input shapes of the builders: their check, and the code size that suits them."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_uae._checks import check_integer


def check_input_shape(owner: str, input_shape: Any, rank: int | None = None) -> tuple[int, ...]:
    """Return `input_shape` as a tuple of positive integers, `rank` of them where one is given."""
    sizes = tuple(input_shape) if isinstance(input_shape, Iterable) else ()
    integers = all(isinstance(size, (int, np.integer)) and size > 0 for size in sizes)
    if not sizes or not integers or rank not in (None, len(sizes)):
        expected = "positive integers" if rank is None else f"{rank} positive integers"
        raise ValueError(
            f"`input_shape` of {owner} must be a tuple of {expected}, the shape of one sample. "
            f"Received: input_shape={input_shape!r}."
        )
    return tuple(int(size) for size in sizes)


def check_code_units(owner: str, code_units: int | None, shape: tuple[int, ...]) -> int:
    """Return `code_units`, by default the paper's ratio: 128 for 784 values, 256 for 3072."""
    if code_units is None:
        return min(256, max(8, math.prod(shape) * 128 // 784))
    return check_integer(owner, "code_units", code_units, 1)
