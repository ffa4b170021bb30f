"""The rows of a robustness run."""

from typing import Any

from experiments.config import settled
from experiments.robustness.config import PARTS, Config
from experiments.summary import Records, by_seed, curve, curve_differences, spread

ROWS = {
    "standard": "Standard",
    "standard-duplicate": "Standard, duplicates",
    "standard-uae": "Standard, UAEs",
    "madry": "Adversarial training",
    "madry-duplicate": "Adversarial, duplicates",
    "madry-uae": "Adversarial, UAEs",
    "trades": "TRADES",
}
METHODS = {"pgd": "PGD", "minmax": "MinMax"}


def labels(config: Config) -> dict[str, str]:
    """Names in the files → in tables, in figures and on the bar."""
    names = {**ROWS, "autoencoder": "Autoencoder", "uae": "MINE-UAE"}
    for row, method in config.curves:
        for epsilon in settled(config.epsilons):
            text = f"{ROWS[row]}, {METHODS[method]}, ε = {epsilon:.3g}"
            names[point(row, method, epsilon)] = text
    return names


def point(row: str, method: str, epsilon: float) -> str:
    """Name of the attack on a row with one ε."""
    return f"{row}/{method}-{epsilon:.3g}"


def summarize(records: Records) -> dict[str, Any]:
    """Test accuracies and success rates as `{"mean", "std", "count"}` over the seeds.

    "accuracy" by row, "curves" by row and method a list over ε. "differences" is, for the rows with
    UAEs, what they have more than the row without additions and than the duplicate control of the
    same seed: for every ε the mean, and the number of seeds in which it is negative.
    """
    attacks = [row for row in records if row["stage"] == "attack" and "epsilon" in row]
    rates: dict[str, dict[str, dict[float, dict[int, float]]]] = {}
    for each in attacks:
        if "asr" in each:
            by_epsilon = rates.setdefault(each["row"], {}).setdefault(each["method"], {})
            by_epsilon.setdefault(each["epsilon"], {})[each["seed"]] = each["asr"]
    rows = dict.fromkeys(each["name"] for each in records if each["stage"] == "training")
    trained = {name: by_seed(records, "training", name).values() for name in rows}
    uaes = by_seed(records, "attack", "uae").values()
    return {
        "accuracy": {
            name: spread(row.get("accuracy") for row in found) for name, found in trained.items()
        },
        "uae_asr": spread(row.get("asr") for row in uaes),
        "curves": {
            row: {method: curve(values) for method, values in methods.items()}
            for row, methods in rates.items()
        },
        "differences": {
            family: _differences(rates, family)
            for family in ("standard", "madry")
            if f"{family}-uae" in rates
        },
    }


def _differences(rates: dict[str, Any], family: str) -> dict[str, list[dict[str, Any]]]:
    """What the curve with UAEs has more than each reference."""
    found = rates[f"{family}-uae"]["pgd"]
    return {
        reference: curve_differences(found, rates.get(reference, {}).get("pgd", {}))
        for reference in (family, f"{family}-duplicate")
    }


def titles(config: Config) -> dict[str, str]:
    """The parts of a run and what they are."""
    published = " (published weights)" if config.weights else ""
    texts = {
        "standard": "Standard training with and without UAEs (Figure 10 a)",
        "adversarial": "Adversarial training with and without UAEs (Figure 9)",
        "madry": "Adversarial training under PGD and MinMax (Figure 7)",
        "trades": f"TRADES{published} under PGD and MinMax (Figure 8)",
    }
    return {part: texts[part] for part in PARTS if part in config.parts}
