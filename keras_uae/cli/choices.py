"""The names that `--help` lists, here once more: it does not wait for TensorFlow."""

import sys
from collections.abc import Sequence

DATA_BOUNDS = ("data", "features")
LARGEST_COUNT = 2**53  # samples of a manifest
TABLES = {
    ("keras_uae.attacks.presets", "PRESETS"): (
        "default",
        "augmentation",
        "paper",
        "published_code",
        "l2_uae",
    ),
    ("keras_uae.criteria", "CRITERIA"): (
        "reconstruction",
        "self_reconstruction",
        "misclassification",
        "targeted_misclassification",
        "contrastive",
    ),
    ("keras_uae.similarity", "SIMILARITIES"): (
        "conv",
        "random",
        "bivariate",
        "gaussian",
        "l2",
        "cosine",
        "feature_scattering",
        "reconstruction_loss",
    ),
}


def choices(module: str, table: str) -> str:
    """The names of a table: with those that a program has added, where the module is there."""
    names: Sequence[str] = TABLES[module, table]
    if module in sys.modules:
        names = tuple(getattr(sys.modules[module], table))
    return ", ".join(names)
