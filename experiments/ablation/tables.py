"""The tables of an ablation run."""

from collections.abc import Callable
from typing import Any

from experiments import paper
from experiments.ablation.config import Config
from experiments.ablation.summary import AUGMENTATIONS
from experiments.ablation.variants import PARTS, Variant
from experiments.summary import mean
from experiments.tables import NONE, Sheet, error, gain, mean_and_std, number, used

PRINTED: dict[str, Callable[[str], paper.Rows]] = {
    "sensitivity": paper.sensitivity,
    "similarity": paper.similarities,
    "penalty": paper.fixed_iterations,
    "time": paper.seconds_per_sample,
}

LEGEND = (
    "ASR: the fraction of the attacked training images with an example, mean ± std over the seeds; "
    "all other figures are those of the examples. MI: mutual information of image and example in "
    "nats, estimated anew, for all rows by the same MINE on feature maps with shuffles that no "
    "attack has seen; the less, the further the example is from its image. Better by: ‖x − Φ(x)‖ − "
    "‖x − Φ(x + δ)‖. Times are medians of one process in which all rows take turns; ×: as a "
    "multiple of the default attack in the same round. The paper's errors are those after "
    "retraining; its times are those of a TITAN Xp."
)


def sheets(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """One for each part."""
    seeds = ", ".join(map(str, config.seeds or ()))
    where = f"{config.dataset}, {config.preset} preset, T = {config.steps} · seeds {seeds}"
    found = []
    for part, rows in config.chosen.items():
        printed = PRINTED.get(part, lambda dataset: {})(config.dataset)
        make = times if part == "time" else attacks
        found.append(Sheet(f"{PARTS[part]} · {where}", make(summary, rows, printed)))
    return found


def attacks(
    summary: dict[str, Any], rows: dict[str, Variant], printed: paper.Rows
) -> dict[str, list[str]]:
    """What the attacks of a part come to."""
    ours = [summary["attacks"].get(variant.name, {}) for variant in rows.values()]
    trained = [summary["trainings"].get(variant.name) for variant in rows.values()]
    theirs = [printed.get(row, {}) for row in rows]
    return used(
        {
            "": [variant.label for variant in rows.values()],
            "ASR": [mean_and_std(row.get("asr"), ".1%") for row in ours],
            "MI": [mean_and_std(row.get("mi_again"), ".3f") for row in ours],
            "L2 of δ": [mean_and_std(row.get("l2"), ".2f") for row in ours],
            "better by": [number(mean(row.get("better")), ".4f") for row in ours],
            **_times(summary, [variant.name for variant in rows.values()]),
            "test error": [NONE if row is None else error(row) for row in trained],
            "vs duplicate": [
                NONE if row is None else gain(mean(row["gain_duplicate"])) for row in trained
            ],
            "paper's ASR": [number(row.get("asr"), ".1%") for row in theirs],
            "paper's error": [number(row.get("error"), ".5f") for row in theirs],
        }
    )


def times(
    summary: dict[str, Any], rows: dict[str, Variant], printed: paper.Rows
) -> dict[str, list[str]]:
    """Table 9."""
    names = {row: variant.label for row, variant in rows.items()} | AUGMENTATIONS
    theirs = [printed.get(name, {}).get("seconds") for name in names]
    reference = printed.get("mine", {}).get("seconds")
    return used(
        {
            "": list(names.values()),
            **_times(summary, list(names)),
            "paper's ms": [NONE if value is None else f"{1000 * value:.3g}" for value in theirs],
            "paper's ×": [
                NONE if value is None or reference is None else f"{value / reference:.2g}"
                for value in theirs
            ],
        }
    )


def _times(summary: dict[str, Any], names: list[str]) -> dict[str, list[str]]:
    timed = [summary["timing"].get(name) for name in names]
    return {
        "ms": [NONE if row is None else f"{row['ms_per_sample']['median']:.3g}" for row in timed],
        "×": [NONE if row is None else f"{row['ratio']['median']:.2g}" for row in timed],
    }
