"""The rows of a contrastive run."""

from typing import Any

from experiments.attacks import uae_label
from experiments.config import settled
from experiments.contrastive.config import Config
from experiments.summary import (
    CONTROLS,
    Records,
    attack,
    by_seed,
    curve,
    curve_differences,
    gains_over,
    paired,
    spread,
)

# name in the files → in tables and figures; the order in which they are trained and shown
LABELS = {
    "untrained": "Untrained",
    "original": "Original",
    "duplicate": "Duplicate control",
    "mine": "MINE-UAE",
    "gaussian": "Gaussian noise",
    "clae": "CLAE",
}
RETRAINED = ("duplicate", "mine", "gaussian", "clae")
FIGURES = ("test_loss", "accuracy", "train_accuracy", "neighbor_accuracy", "seconds")
ATTACKED = (*CONTROLS, "mine")  # their linear classifiers are attacked by PGD


def labels(config: Config) -> dict[str, str]:
    """Names in the files → in tables, in figures and on the bar."""
    names = {**LABELS, "mine": uae_label(config.similarity)}
    points = {
        point(row, epsilon): f"{names[row]}, PGD, ε = {epsilon:.3g}"
        for row in ATTACKED
        for epsilon in settled(config.epsilons)
    }
    return {**names, **points}


def point(row: str, epsilon: float) -> str:
    """Name of the attack on the linear classifier of a row with one ε."""
    return f"{row}/pgd-{epsilon:.3g}"


def summarize(records: Records) -> dict[str, Any]:
    """The "rows" of the tables, "curves" of PGD by row, and their "differences".

    Every figure is `{"mean", "std", "count"}` over the seeds that have it, or `None`. Differences
    are what the curve with UAEs has more than that of each reference, seed by seed.
    """
    rates: dict[str, dict[float, dict[int, float]]] = {}
    for each in records:
        if "epsilon" in each and "asr" in each:
            by_epsilon = rates.setdefault(each["row"], {})
            by_epsilon.setdefault(each["epsilon"], {})[each["seed"]] = each["asr"]
    finished = [each for each in records if each["stage"] == "attack" or "test_loss" in each]
    names = [name for name in LABELS if by_seed(finished, "training", name)]
    return {
        "rows": {name: _row(finished, name) for name in names},
        "curves": {row: curve(values) for row, values in rates.items()},
        "differences": {
            reference: curve_differences(rates.get("mine", {}), rates.get(reference, {}))
            for reference in CONTROLS
        },
    }


def _row(records: Records, name: str) -> dict[str, Any]:
    """Figures of a row, and how they compare with those of the controls in the same seed.

    `loss_gain` is the fraction by which the test loss is lower than that of a control,
    `accuracy_gain` by how much more of the test images the linear classifier gets right; `wins`
    counts the seeds in which it gets more of them right. All three by control.
    """
    rows = by_seed(records, "training", name).values()
    attacks = by_seed(records, "attack", name).values()
    first = next(iter(rows))
    return {
        **{figure: spread(row[figure] for row in rows) for figure in FIGURES},
        **attack(records, name),
        "asr_unseen": spread(row.get("asr_unseen") for row in attacks),
        "sigma": spread(row.get("sigma") for row in attacks),
        **_compared(records, name),
        **{figure: first[figure] for figure in ("epochs", "samples", "steps")},
        "losses": [spread(each) for each in zip(*(row["losses"] for row in rows), strict=True)],
        "neighbor_accuracies": [
            spread(each) for each in zip(*(row["neighbor_accuracies"] for row in rows), strict=True)
        ],
    }


def _compared(records: Records, name: str) -> dict[str, Any]:
    gains: dict[str, dict[str, Any]] = {"loss_gain": {}, "accuracy_gain": {}, "wins": {}}
    for reference in CONTROLS:
        if list(LABELS).index(name) <= list(LABELS).index(reference):
            continue  # the controls are compared with those before them
        losses = gains_over(records, name, reference, "test_loss")
        pairs = paired(records, "training", name, reference, "accuracy")
        accuracies = [one - other for one, other in pairs]
        gains["loss_gain"][reference] = spread(losses)
        gains["accuracy_gain"][reference] = spread(accuracies)
        gains["wins"][reference] = sum(gain > 0 for gain in accuracies)
    return gains
