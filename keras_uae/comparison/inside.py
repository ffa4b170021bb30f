"""Samples that lie outside the bounds: what most first calls have, so what to do about it."""

from typing import Any

import numpy as np

from keras_uae._checks import rounding


def check_inside(owner: str, x: np.ndarray, bounds: Any) -> None:
    """Raise ValueError if samples lie outside a pair of bounds; arrays the attack checks itself."""
    if isinstance(bounds, str) or np.ndim(bounds[0]):
        return
    low, high = bounds
    slack = rounding(x.dtype, low, high)
    if x.min() < low - slack or x.max() > high + slack:
        raise ValueError(
            f"`x` of {owner} must lie inside bounds={bounds}: scale it, 8-bit images by 1 / 255; "
            "or say where it lies by bounds=(low, high), or by 'features', as of standardised "
            "tables, or 'data', which read them off it. "
            f"Received: values from {x.min():g} to {x.max():g}."
        )
