"""The rows of a convergence run."""

from typing import Any

import numpy as np

from experiments.convergence.config import Config
from experiments.convergence.curves import slope
from experiments.summary import Records, by_seed, spread

CURVES = ("iteration", "low", "median", "high", "least")


def labels(config: Config) -> dict[str, str]:
    """Names in the files → in tables, in the figure and on the bar."""
    names = {"original": "Autoencoder"}
    for name, (alpha, steps) in config.runs.items():
        fixed = name.startswith("alpha")
        names[name] = f"α = {alpha:.3g}" if fixed else f"α = {alpha:.2g}, T = {steps}"
    return names


def summarize(records: Records) -> dict[str, Any]:
    """By attack: the curve, mean over the seeds, and figures as `{"mean", "std", "count"}`.

    "least" is the median over the images of the least ‖L‖² of all iterations, "first" that of the
    first one, "slope" the exponent with which the least so far falls in the second half of the
    curve. "horizons" is the exponent with which "least" falls with T where α = 1/√T.
    """
    names = dict.fromkeys(row["name"] for row in records if row["stage"] == "attack")
    rows: dict[str, dict[str, Any]] = {}
    lasts: dict[int, float] = {}
    for name in names:
        found = [row for row in by_seed(records, "attack", name).values() if "curve" in row]
        if not found:
            continue
        curves = [row["curve"] for row in found]
        rows[name] = {
            "curve": {key: np.mean([each[key] for each in curves], 0).tolist() for key in CURVES},
            "first": spread(each["median"][0] for each in curves),
            "least": spread(each["least"][-1] for each in curves),
            "slope": spread(map(late_slope, curves)),
            "asr": spread(row["asr"] for row in found),
        }
        if name.startswith("horizon"):
            lasts[rows[name]["curve"]["iteration"][-1]] = rows[name]["least"]["mean"]
    return {"rows": rows, "horizons": slope(list(lasts), list(lasts.values()))}


def late_slope(curve: dict[str, Any]) -> float | None:
    """The exponent with which the least ‖L‖² so far falls in the second half of a curve."""
    half = len(curve["iteration"]) // 2
    return slope(curve["iteration"][half:], curve["least"][half:])
