"""What the figures of a convergence run say, in sentences made from the numbers."""

from typing import Any

from experiments.convergence.config import Config
from experiments.convergence.summary import labels
from experiments.summary import mean

RATE = -0.5  # of Theorem 1
CLEAR = 0.05  # difference of two exponents that is called one


def sentences(config: Config, summary: dict[str, Any]) -> list[str]:
    """What each α comes to, whether the rate is that of the theorem, what differs from it."""
    names, rows = labels(config), summary["rows"]
    lines = [_fixed(names[name], row) for name, row in rows.items() if name.startswith("alpha")]
    rate = summary["horizons"]
    if rate is not None:
        verdict = "at least as fast as" if rate <= RATE + CLEAR else "more slowly than"
        lines.append(
            f"With α = 1/√T, the least ‖L‖² of T iterations falls as T to the "
            f"{_signed(rate)}: {verdict} Theorem 1 promises, −0.5."
        )
    return [*lines, *_assumptions(config)]


def _fixed(name: str, row: dict[str, Any]) -> str:
    first, least, slope = (mean(row[key]) for key in ("first", "least", "slope"))
    if first is None or least is None:
        return f"{name}: no figures."
    text = f"{name}: the least ‖L‖² so far falls from {first:.3g} to {least:.3g}"
    if slope is None:
        return f"{text}."
    return f"{text}, in the second half of the iterations as t to the {_signed(slope)}."


def _assumptions(config: Config) -> list[str]:
    lines = []
    if config.step_rule != "raw":
        lines.append(f"steps follow the rule {config.step_rule}, not the gradient")
    if config.similarity not in ("gaussian", "l2", "cosine", "feature_scattering"):
        lines.append(
            "the errors of MINE do not fall with T: every estimate trains as long as any other"
        )
    return [f"Other than the theorem assumes: {'; '.join(lines)}."] if lines else []


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
