"""The rows of an ablation run."""

from typing import Any

from experiments.ablation.config import Config
from experiments.summary import Records, by_seed, errors, spread

FIGURES = ("asr", "l2", "mi_again", "mi_self", "pairs", "better", "seconds")
AUGMENTATIONS = {"ga": "Gaussian noise", "flip_or_rotation": "Flip and rotation"}


def labels(config: Config) -> dict[str, str]:
    """Names in the files → on the bar."""
    attacks = {name: variant.label for name, variant in config.variants.items()}
    return {**attacks, "mine": "default", "original": "Autoencoder", "duplicate": "Duplicates"}


def summarize(records: Records) -> dict[str, Any]:
    """Figures of the attacks as `{"mean", "std", "count"}` over the seeds that have them.

    "attacks" by name; "timing" by name, milliseconds a sample and the ratio to the default attack,
    each with its quartiles; "trainings" by name, the errors.
    """

    def names(stage: str) -> list[str]:
        return list(dict.fromkeys(row["name"] for row in records if row["stage"] == stage))

    attacks = {name: by_seed(records, "attack", name).values() for name in names("attack")}
    timed = [row for row in records if row["stage"] == "timing"]
    return {
        "attacks": {
            name: {key: spread(row.get(key) for row in rows) for key in FIGURES}
            for name, rows in attacks.items()
        },
        "timing": {
            row["name"]: {key: row[key] for key in ("ms_per_sample", "ratio")} for row in timed
        },
        "trainings": {name: errors(records, name) for name in names("training")},
    }
