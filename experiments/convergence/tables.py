"""The tables of a convergence run."""

from typing import Any

from experiments.convergence.config import Config
from experiments.convergence.summary import labels
from experiments.summary import mean
from experiments.tables import Sheet, mean_and_std, number, used

LEGEND = (
    "‖L‖²: squared stationarity gap of Theorem 1, median over the images: that of the first "
    "iterate and the least of all iterations. ∝ t to the: exponent with which the least so far "
    "falls in the second half of the iterations, on a logarithmic scale; the theorem has −1/2 for "
    "the least of T iterations over T, where α is of the order 1/√T."
)


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """Fixed step sizes, and those that suit T."""
    seeds = ", ".join(map(str, config.seeds or ()))
    where = f"{config.dataset}, {config.preset} preset · seeds {seeds}"
    titles = {
        "alpha": f"Step sizes α, T = {config.steps} · {where}",
        "horizon": "α = 1/√T, for several T",
    }
    return [
        Sheet(title, gaps(config, summary["rows"], start))
        for start, title in titles.items()
        if any(name.startswith(start) for name in summary["rows"])
    ]


def gaps(config: Config, rows: dict[str, Any], start: str) -> dict[str, list[str]]:
    """A row for each attack."""
    names = labels(config)
    shown = {name: row for name, row in rows.items() if name.startswith(start)}
    return used(
        {
            "": [names[name] for name in shown],
            "first ‖L‖²": [mean_and_std(row["first"], ".3g") for row in shown.values()],
            "least ‖L‖²": [mean_and_std(row["least"], ".3g") for row in shown.values()],
            "∝ t to the": [
                number(mean(row["slope"]), ".2f").replace("-", "−") for row in shown.values()
            ],
            "ASR": [mean_and_std(row["asr"], ".1%") for row in shown.values()],
        }
    )
