"""The tables of a supervised run."""

from typing import Any

from experiments import paper
from experiments.summary import mean
from experiments.supervised.config import Config
from experiments.supervised.summary import METHODS, labels
from experiments.tables import Sheet, mean_and_std, number, used

LEGEND = (
    "Attacked are test images that the classifier gets right; ASR: the fraction of them for which "
    "an example was found that it gets wrong. MI: mutual information of image and example in nats, "
    "mean over the examples: the attack's own estimate, and new estimates (anew), with shuffles "
    "that no attack has seen, for all the same; x with x: the new estimate for the image and "
    "itself. K: pairs from which MI is estimated; no estimate can be trusted beyond log K. FID and "
    "KID are distances of the examples to training images in features of Inception v3; without "
    "its weights they are called Fréchet and kernel and use the attacked classifier before its "
    "last layer: compare them with each other, and with no published FID or KID."
)


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """MinMax next to the penalty method, and the samplings next to each other."""
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.dataset}, {config.preset} preset · seeds {seeds}"
    return [
        Sheet(
            f"MinMax and penalty, {config.steps} iterations each, ε = {config.epsilon:g} · {title}",
            methods(config, summary["rows"]),
        ),
        Sheet(
            f"What the information is estimated from, {config.sampling_steps} iterations each",
            samplings(config, summary["rows"]),
        ),
    ]


def methods(config: Config, rows: dict[str, Any]) -> dict[str, list[str]]:
    """Table 3."""
    names, printed = labels(config), paper.minmax_and_penalty(config.dataset)
    shown = {name: rows[name] for name in METHODS if name in rows}
    return used(
        {
            "": [names[name] for name in shown],
            "ASR": [mean_and_std(row["asr"], ".1%") for row in shown.values()],
            **_information(shown),
            "L2 of δ": [number(mean(row["l2"]), ".2f") for row in shown.values()],
            "paper's MI": [number(printed.get(name, {}).get("mi"), ".2f") for name in shown],
        }
    )


def samplings(config: Config, rows: dict[str, Any]) -> dict[str, list[str]]:
    """Tables 2 and 8."""
    names, printed = labels(config), paper.samplings(config.dataset)
    shown = {name: row for name, row in rows.items() if name not in METHODS}
    theirs = [printed.get(name, {}) for name in shown]
    frechet, kernel = ("FID", "KID") if config.inception else ("Fréchet", "kernel")
    return used(
        {
            "": [names[name] for name in shown],
            "ASR": [mean_and_std(row["asr"], ".1%") for row in shown.values()],
            **_information(shown),
            frechet: [mean_and_std(row["frechet"], ".3g") for row in shown.values()],
            kernel: [mean_and_std(row["kernel"], ".3g") for row in shown.values()],
            "paper's MI": [number(row.get("mi"), ".2f") for row in theirs],
            "paper's FID": [number(row.get("frechet"), ".2f") for row in theirs],
            "paper's KID": [number(row.get("kernel"), ".2f") for row in theirs],
        }
    )


def _information(rows: dict[str, Any]) -> dict[str, list[str]]:
    counts = [mean(row["pairs"]) for row in rows.values()]
    return {
        "MI": [mean_and_std(row["mi"], ".3f") for row in rows.values()],
        "MI, anew": [mean_and_std(row["mi_again"], ".3f") for row in rows.values()],
        "x with x": [number(mean(row["mi_self"]), ".3f") for row in rows.values()],
        "K": [number(count, ".0f") for count in counts],
    }
