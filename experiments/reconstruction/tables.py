"""The tables of a reconstruction run."""

from experiments import paper
from experiments.reconstruction.config import Config
from experiments.reconstruction.summary import labels
from experiments.summary import Summary, mean
from experiments.tables import Sheet, number, outcome, used

LEGEND = (
    "Error: mean squared error per pixel, mean ± std over the seeds. vs: + is a lower error than "
    "that of the original or the duplicate of the same seed, − a higher one, mean over the seeds. "
    "ASR: the fraction of training images that the original model reconstructs from the perturbed "
    "image no worse than before; δ: the perturbation where it succeeded."
)


def sheets(config: Config, summary: Summary) -> list[Sheet]:
    """What came out and what it took, the paper's figures beside ours where it has any."""
    names = labels(config)
    printed = paper.reconstruction(config.dataset, config.model, config.similarity)
    ours = list(summary.values())
    theirs = [printed.get(name, {}) for name in summary]
    rows = [names[name] for name in summary]
    errors = outcome(rows, ours, theirs)
    details = {
        "": rows,
        "ASR": [number(mean(row["asr"]), ".1%") for row in ours],
        "paper's ASR": [number(row.get("asr"), ".1%") for row in theirs],
        "L2 of δ": [number(mean(row["l2"]), ".3f") for row in ours],
        "training error": [number(mean(row["train_error"]), ".5f") for row in ours],
        "paper's training error": [number(row.get("train_error"), ".5f") for row in theirs],
        "attack": [number(mean(row["attack_seconds"]), ".1f", " s") for row in ours],
        "training": [number(mean(row["seconds"]), ".1f", " s") for row in ours],
    }
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.dataset}, {config.model} autoencoder, {config.preset} preset"
    return [
        Sheet(f"Reconstruction error on the test images · {title} · seeds {seeds}", used(errors)),
        Sheet("Attack on the training images, training error, time for one seed", used(details)),
    ]
