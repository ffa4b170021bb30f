"""What the paper printed, by the names of our data sets and rows: `paper.json`."""

import functools
import json
from pathlib import Path
from typing import Any

from experiments.engine.attacking import MINE

Rows = dict[str, Any]


@functools.cache
def numbers() -> dict[str, Any]:
    """All of `paper.json`."""
    return json.loads(Path(__file__).with_name("paper.json").read_text(encoding="utf-8"))


def printed(table: str, dataset: str) -> Rows:
    """The rows of a table of `paper.json`, empty where the paper has no such data set."""
    return numbers()[table].get(dataset, {})


def reconstruction(dataset: str, model: str, similarity: str = "auto") -> Rows:
    """`error`, `asr` and `train_error`, as far as they are printed, and `gain_original`.

    That is the gain over the row that ours is compared with, too. Empty where the paper has no such
    data set or model. "deep" is the convolutional model of all sets but MNIST.
    """
    models = printed("reconstruction", dataset)
    if model == "deep" and dataset != "mnist":
        model = "conv"
    rows = models.get(model, {})
    found = {}
    for name, row in rows.items():
        base = name.removesuffix("+mine") if "+" in name else {"mine_2": "mine"}.get(name)
        gain = 1 - row["error"] / rows[base or "original"]["error"]
        found[name] = row if name == "original" else {**row, "gain_original": gain}
    if "mine" in found:  # what the paper's numbers were made with
        found["published"] = found["published_exact"] = found["mine"]
    return _judged(found, similarity)


def feature_selection(dataset: str, similarity: str = "auto") -> Rows:
    """Rows "original" and "mine" of Table 6: `error`, `accuracy`, and of "mine" the `asr` too.

    Those of "published" are "mine" once more.
    """
    table = printed("feature_selection", dataset)
    rows = {name: dict(table[name]) for name in ("original", "mine") if table}
    if rows:
        rows["mine"]["gain_original"] = 1 - rows["mine"]["error"] / rows["original"]["error"]
        rows["published"] = rows["mine"]  # what the paper's numbers were made with
    return _judged(rows, similarity)


def contrastive(dataset: str, similarity: str = "auto") -> Rows:
    """Rows "original", "mine" and "clae" of Table 7, those of CIFAR-10 for parts of it as well.

    `loss`, `accuracy`, `loss_gain` (a fraction), `accuracy_gain` (a difference) and `asr`, where
    they are printed.
    """
    rows = dict(printed("contrastive", dataset.removesuffix("_first5k")))
    if rows:
        original, mine = rows["original"], rows["mine"]
        gain = mine["accuracy"] - original["accuracy"]
        loss = 1 - mine["loss"] / original["loss"]
        rows["mine"] = {**mine, "loss_gain": loss, "accuracy_gain": gain}
    return _judged(rows, similarity)


def times(dataset: str) -> Rows:
    """Table 9: `ms` that a sample takes on a TITAN Xp, and their `ratio` to those of MINE-UAE."""
    seconds = {name: row["seconds"] for name, row in printed("time", dataset).items()}
    return {name: {"ms": 1000 * s, "ratio": s / seconds["mine"]} for name, s in seconds.items()}


def _judged(rows: Rows, similarity: str) -> Rows:
    """Rows without those of MINE-UAE, where what is minimised is no estimate of MINE."""
    ours = ("mine", "mine_2", "published")
    kept = similarity in MINE
    return {k: row for k, row in rows.items() if kept or not (k in ours or k.endswith("+mine"))}
