"""Paired comparisons over seeds: intervals, Holm's correction, and what may be said of them."""

import bisect
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import special, stats

Key = TypeVar("Key", bound=Hashable)

CONFIDENCE = 0.95
POWER = 0.8  # with which the seeds that `seeds_needed` counts would tell a difference
FEWEST_SEEDS = 3  # two have an interval, but one that nothing leaves
_MOST_SEEDS = 1000
_COARSE = 1e-4  # of the mean: what rounding leaves of equal differences, and no training does


@dataclass(frozen=True)
class Difference:
    """How much better a row is than another one, seed by seed; + is better.

    Attributes:
        mean: Mean over the seeds, a fraction of the other row's figure or in the metric's unit.
        low, high: 95 % interval of the mean by Student's t; NaN of fewer than two seeds, and of
            equal differences other than 0.
        std: Standard deviation of the differences (n − 1); NaN of fewer than two seeds.
        count: Seeds in which both rows have the figure.
        agree: Seeds in which the difference has the sign of the mean.
        p: Two-sided p-value of the paired t-test; NaN of fewer than two seeds, 1 of equal
            differences.

    Example:

        >>> from keras_uae import comparison
        >>> difference = comparison.paired([0.02, 0.03, 0.01])
        >>> difference.low, difference.high, difference.p
    """

    mean: float
    low: float
    high: float
    std: float
    count: int
    agree: int
    p: float


def paired(differences: Sequence[float]) -> Difference:
    """Mean of paired differences, its 95 % interval, and the p-value of Student's t-test.

    Differences that are equal, as those of accuracies on few samples often are by chance, have no
    spread that the test could go by: they decide nothing, p = 1.

    Args:
        differences: One for each seed, all finite.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.paired([0.02, 0.03, 0.01]).mean  # about 0.02
    """
    values = np.asarray(differences, np.float64)
    count = len(values)
    mean = float(values.mean()) if count else math.nan
    agree = int((np.sign(values) == np.sign(mean)).sum())
    if count < 2:
        return Difference(mean, math.nan, math.nan, math.nan, count, agree, math.nan)
    std = float(values.std(ddof=1))
    # the spread of a coarse figure is 0 by chance, not since its mean is known exactly
    if std <= _COARSE * abs(mean):
        end = math.nan if mean else 0.0
        return Difference(mean, end, end, 0.0, count, agree, 1.0)
    error = std / math.sqrt(count)
    width = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    p = 2 * float(special.stdtr(count - 1, -abs(mean) / error))
    return Difference(mean, mean - width, mean + width, std, count, agree, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number: p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎).

    The chance of one false rejection or more among all of them is then at most that of one test.
    NaN, a test that cannot be made, stays and does not count.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.holm([0.01, 0.04, 0.03])  # about [0.03, 0.06, 0.06]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, 1979.
    """
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return [float(each) for each in adjusted]


def seeds_needed(difference: Difference, level: float = 1 - CONFIDENCE) -> int | None:
    """With how many seeds a difference as large as this one would be told, 4 times out of 5.

    Args:
        difference: Its mean and its spread are taken for the true ones.
        level: Float, p below which a difference counts. Defaults to `0.05`.

    Returns:
        Integer, more than the seeds that there are; `None` for more than 1000, or without a spread.

    Example:

        >>> from keras_uae import comparison
        >>> comparison.seeds_needed(comparison.paired([0.02, 0.03, -0.01]))
    """
    if difference.count < 2 or not difference.std or not difference.mean:
        return None
    effect = abs(difference.mean) / difference.std

    def told(count: int) -> bool:
        critical = special.stdtrit(count - 1, 1 - level / 2)
        return bool(stats.nct.sf(critical, count - 1, effect * math.sqrt(count)) >= POWER)

    counts = range(difference.count + 1, _MOST_SEEDS + 1)
    place = bisect.bisect_left(counts, True, key=told)  # power rises with the number of seeds
    return counts[place] if place < len(counts) else None


def outcome(difference: Difference, p: float, tests: int = 1) -> dict[str, Any]:
    """What a comparison says: "better", "worse", "open", or "none" of too few seeds.

    Args:
        difference: What is compared.
        p: Its p-value, corrected.
        tests: Integer, how many tests it was corrected for. Defaults to `1`.

    Returns:
        Dictionary of `outcome` and, where that is "open", `seeds`: how many would tell, or `None`.
    """
    if difference.count < FEWEST_SEEDS:
        return {"outcome": "none", "seeds": FEWEST_SEEDS}
    if p < 1 - CONFIDENCE:
        return {"outcome": "better" if difference.mean > 0 else "worse", "seeds": None}
    return {"outcome": "open", "seeds": seeds_needed(difference, (1 - CONFIDENCE) / tests)}


def judged(found: Mapping[Key, Difference]) -> dict[Key, dict[str, Any]]:
    """Comparisons by key, all judged together: Holm's `p_adjusted` and the `outcome` of each."""
    adjusted = holm([each.p for each in found.values()])
    return {
        key: {"p_adjusted": known(p), **outcome(each, p, len(found))}
        for (key, each), p in zip(found.items(), adjusted, strict=True)
    }


def known(value: float) -> float | None:
    """A number for JSON, `None` where it is not finite."""
    return float(value) if np.isfinite(value) else None


def figures(difference: Difference) -> dict[str, Any]:
    """The fields of a difference for JSON."""
    counts = {"count": difference.count, "agree": difference.agree}
    return {key: known(value) for key, value in asdict(difference).items()} | counts
