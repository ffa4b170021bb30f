"""What the paper printed, by data set and model: `paper.json`."""

import functools
import json
from pathlib import Path
from typing import Any

from experiments.engine.attacking import MINE

Rows = dict[str, dict[str, float]]

# names of the data sets in tensorflow-datasets → in the paper's tables
_NAMES = {"svhn_cropped": "svhn", "tiny_imagenet200": "tiny_imagenet"}
# rows of Table 5 → in our tables
_CONVENTIONAL = {
    "flip+rotation": "flip_rotation",
    "gaussian_0.01": "gaussian",
    "flip+rotation+gaussian": "flip_rotation_gaussian",
}


@functools.cache
def numbers() -> dict[str, Any]:
    """All of `paper.json`."""
    return json.loads(Path(__file__).with_name("paper.json").read_text(encoding="utf-8"))


def reconstruction(dataset: str, model: str, similarity: str = "auto") -> Rows:
    """Rows of Tables 4, 5, 10 and 11 and of supplement 6.15, by their names in our tables.

    A row holds what is printed of `error`, `gain_original` (over the row that ours is compared
    with, too), `asr` and `train_error`. Empty where the paper has no such data set or model. "deep"
    is the convolutional model of all sets but MNIST. Rows of UAEs are left out for a similarity
    that is not MINE, but for "l2".
    """
    name = _NAMES.get(dataset, dataset)
    if model == "deep" and name != "mnist":
        model = "conv"
    table = numbers()["table4_reconstruction"].get(name, {}).get(model)
    if table is None and model == "conv":
        table = numbers()["table11_conv"].get(name)
    if table is None:
        return {}
    train = numbers()["table10_training"].get(f"train_loss_{name}", {}).get(model, {})
    rows = {}
    for key in ("original", "mine", "l2", "ga_0.01", "ga_0.001"):
        if key not in table:
            continue
        rows[key] = {"error": table[key]}
        if key != "original":
            rows[key]["gain_original"] = 1 - table[key] / table["original"]
        if key in table.get("asr", {}):
            rows[key]["asr"] = table["asr"][key]
        if key in train:
            rows[key]["train_error"] = train[key]
    if (name, model) == ("svhn", "conv"):
        rows.update(_conventional(table["original"]))
    if (name, model) == ("svhn", "sparse"):
        first, second = (
            numbers()["supp6.15_second_round_svhn_sparse"][key] for key in ("round1", "round2")
        )
        rows["mine_2"] = {"error": second, "gain_original": 1 - second / first}
    kept = similarity in MINE
    return {key: row for key, row in rows.items() if kept or not _of_mine(key)}


def _of_mine(row: str) -> bool:
    return row in ("mine", "mine_2") or row.endswith("+mine")


def _conventional(original: float) -> Rows:
    """Table 5: each augmentation next to the original, and with UAEs next to itself alone."""
    rows = {}
    table = numbers()["table5_svhn_conv_with_conventional_augmentation"]
    for printed, (alone, combined) in table.items():
        key = _CONVENTIONAL[printed]
        rows[key] = {"error": alone, "gain_original": 1 - alone / original}
        rows[f"{key}+mine"] = {"error": combined, "gain_original": 1 - combined / alone}
    return rows


def feature_selection(dataset: str, similarity: str = "auto") -> Rows:
    """Rows "original" and "mine" of Table 6: `error`, `accuracy`, and of "mine" the `asr` too.

    Empty where the paper has no such data set. "mine" is left out for a similarity that is not
    MINE.
    """
    table = numbers()["table6_concrete_autoencoder"].get(dataset)
    if table is None:
        return {}
    before, after = table["accuracy"]
    rows = {"original": {"error": table["original"], "accuracy": before}}
    if similarity in MINE:
        gain = 1 - table["mine"] / table["original"]
        rows["mine"] = {"error": table["mine"], "gain_original": gain, "accuracy": after}
        rows["mine"]["asr"] = table["asr"]
    return rows


def feature_selection_setting(dataset: str) -> dict[str, Any]:
    """The number of `features` selected in Table 6, and of training and test `samples`."""
    table = numbers()["table6_concrete_autoencoder"].get(dataset, {})
    return table and {"features": table["M"], "samples": table["samples"]}


def contrastive(dataset: str, similarity: str = "auto") -> Rows:
    """Rows "original", "mine" and "clae" of Table 7, those of CIFAR-10 for parts of it as well.

    `loss`, `accuracy`, `loss_gain` (a fraction), `accuracy_gain` (a difference) and `asr`, where
    they are printed. Empty for other data sets; "mine" is left out for a similarity that is not
    MINE.
    """
    if dataset not in ("cifar10", "cifar10_first5k"):
        return {}
    table = numbers()["table7_simclr_cifar10"]
    original, mine = table["original"], table["mine"]
    rows = {"original": original, "clae": {"accuracy_gain": table["clae_accuracy_gain"]}}
    if similarity in MINE:
        rows["mine"] = {
            **mine,
            "loss_gain": 1 - mine["loss"] / original["loss"],
            "accuracy_gain": mine["accuracy"] - original["accuracy"],
        }
    return rows


def sensitivity(dataset: str) -> Rows:
    """Table 12, convolutional autoencoder: `error` after retraining, a row for each α and β."""
    if dataset != "mnist":
        return {}
    table = numbers()["table12_sensitivity_mnist"]
    return {
        f"{alpha}-beta_{beta:g}": {"error": error}
        for alpha, errors in table["conv"].items()
        for beta, error in zip(table["beta"], errors, strict=True)
    }


def similarities(dataset: str) -> Rows:
    """Table 13: `error` after retraining, and `asr`, for each similarity."""
    table = numbers()["table13_similarity_ablation"].get(_NAMES.get(dataset, dataset), {})
    rates = table.get("asr", {})
    return {name: {"error": table[name], "asr": rate} for name, rate in rates.items()}


def fixed_iterations(dataset: str) -> Rows:
    """Supplement 6.6: `asr` of the penalty method, B × T, and of MinMax, 40 iterations in all."""
    rates = numbers()["supp6.6_fixed_40_iterations_asr_mnist_conv"]
    return {name: {"asr": rate} for name, rate in rates.items()} if dataset == "mnist" else {}


def seconds_per_sample(dataset: str) -> Rows:
    """Table 9: `ms` that a sample takes on a TITAN Xp, and their `ratio` to those of MINE-UAE."""
    table = numbers()["table9_seconds_per_sample_titan_xp"].get(dataset, {})
    return {
        name: {"ms": 1000 * seconds, "ratio": seconds / table["mine"]}
        for name, seconds in table.items()
    }


def minmax_and_penalty(dataset: str) -> Rows:
    """Rows "minmax" and "penalty" of Table 3, `asr` and `mi`; empty for other data sets."""
    table = numbers()["table3_minmax_vs_penalty_T9000"].get(dataset, {})
    return {name: {"asr": row["ASR"], "mi": row["MI"]} for name, row in table.items()}


def samplings(dataset: str) -> Rows:
    """Rows "conv" and "random-K" of Tables 2 and 8: `frechet`, `kernel`, and of some the `mi`.

    Empty for other data sets than CIFAR-10.
    """
    if dataset != "cifar10":
        return {}
    few, many = (
        numbers()[name]
        for name in ("table2_fid_kid_cifar10_1000_untargeted", "table8_K_ablation_cifar10")
    )
    rows = {
        "conv": {"frechet": few["conv_K96"]["FID"], "kernel": few["conv_K96"]["KID"]},
        "random-96": {
            "frechet": few["random_sampling_K96"]["FID"][0],
            "kernel": few["random_sampling_K96"]["KID"][0],
        },
    }
    for count, mi, frechet, kernel in zip(*many.values(), strict=True):
        rows[f"random-{count}"] = {"mi": mi, "frechet": frechet, "kernel": kernel}
    return rows
