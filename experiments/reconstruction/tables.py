"""The tables of a reconstruction run."""

from experiments import paper
from experiments.reconstruction.config import Config
from experiments.reconstruction.rows import GROUPS
from experiments.reconstruction.summary import short_labels
from experiments.summary import Summary, mean
from experiments.tables import Sheet, number, outcome, used

LEGEND = (
    "Error: mean squared error per pixel, mean ± std over the seeds. vs: + is a lower error than "
    "that of the original or the duplicate of the same seed, − a higher one, mean over the seeds. "
    "ASR: the fraction of training images that the original model reconstructs from the perturbed "
    "image no worse than before; δ: the perturbation where it succeeded. A row that builds on "
    "another (&: the augmentation above; second round: the first) is compared with that one in "
    "place of the original, and with a duplicate control of as many samples."
)
_TITLES = {
    "uae": "Reconstruction error on the test images",
    "conventional": "With conventional augmentation",
    "rounds": "A second round of UAEs",
}


def sheets(config: Config, summary: Summary) -> list[Sheet]:
    """What came out of every group of rows, then what all of it took, the paper's figures beside.

    The last sheet has all rows of the run.
    """
    names = short_labels(config)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.dataset}, {config.model} autoencoder, {config.preset} preset"
    outcomes = []
    for group in config.rows:
        shown = [name for name in GROUPS[group] if name in summary]
        ours = [summary[name] for name in shown]
        theirs = [printed.get(name, {}) for name in shown]
        cells = outcome([names[name] for name in shown], ours, theirs)
        outcomes.append(Sheet(f"{_TITLES[group]} · {title} · seeds {seeds}", used(cells)))
    ours = list(summary.values())
    theirs = [printed.get(name, {}) for name in summary]
    details = {
        "": [names[name] for name in summary],
        "ASR": [number(mean(row["asr"]), ".1%") for row in ours],
        "paper's ASR": [number(row.get("asr"), ".1%") for row in theirs],
        "L2 of δ": [number(mean(row["l2"]), ".3f") for row in ours],
        "training error": [number(mean(row["train_error"]), ".5f") for row in ours],
        "paper's training error": [number(row.get("train_error"), ".5f") for row in theirs],
        "attack": [number(mean(row["attack_seconds"]), ".1f", " s") for row in ours],
        "training": [number(mean(row["seconds"]), ".1f", " s") for row in ours],
    }
    made = "Attack on the training images, training error, time for one seed"
    return [*outcomes, Sheet(made, used(details))]
