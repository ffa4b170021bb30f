"""What the stationarity gaps of an attack come to, as pure functions of arrays."""

from typing import Any

import numpy as np

POINTS = 60  # iterations of a curve that are kept in the records


def curve(gaps: np.ndarray) -> dict[str, Any]:
    """‖L‖² over the iterations, median and the band of 80 % of the images, and the least so far.

    Args:
        gaps: Array `(n, T)`, ‖L(δ_t, c_t)‖ of every image.

    Returns:
        Lists over some iterations, from 1 to T, evenly on a logarithmic scale: `iteration`, `low`,
        `median`, `high`, and `least`, the median over the images of the least value so far.
    """
    square = gaps**2
    places = np.unique(np.geomspace(1, gaps.shape[1], POINTS).round().astype(int)) - 1
    low, median, high = np.percentile(square[:, places], (10, 50, 90), axis=0)
    least = np.median(np.minimum.accumulate(square, axis=1)[:, places], axis=0)
    return {
        "iteration": (places + 1).tolist(),
        "low": low.tolist(),
        "median": median.tolist(),
        "high": high.tolist(),
        "least": least.tolist(),
    }


def slope(x: Any, y: Any) -> float | None:
    """The exponent p of y ≈ C·x^p by least squares of the logarithms; `None` of fewer than two."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    positive = (x > 0) & (y > 0)
    if positive.sum() < 2:
        return None
    return float(np.polyfit(np.log(x[positive]), np.log(y[positive]), 1)[0])
