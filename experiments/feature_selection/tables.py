"""The tables of a feature selection run."""

from experiments import paper
from experiments.feature_selection.config import Config
from experiments.feature_selection.summary import NETWORKS, labels
from experiments.summary import Summary, mean
from experiments.tables import Sheet, mean_and_std, number, outcome, used

LEGEND = (
    "Test error: mean squared error per input dimension of the network that sees the selected "
    "features, on test samples without perturbation. vs: + is a lower error than that of the "
    "original or the duplicate of the same seed, − a higher one. ± std over the seeds; rows "
    "without ± are the same for all. ExtraTrees: test accuracy of 50 trees on the selected "
    "features, mean of three forests; 1-NN: of the nearest training sample. Linear error: as test "
    "error, of the best linear map. Features: how many different ones, where two units of a "
    "network may select the same. ASR: the fraction of training samples that the original network "
    "restores from the perturbed sample no worse than before. Settled: seeds in which every unit "
    "has settled on one feature."
)


def sheets(config: Config, summary: Summary) -> list[Sheet]:
    """Errors of the networks, what the features say, and how it came about."""
    names, printed = labels(config), paper.feature_selection(config.dataset, config.similarity)
    networks = {name: row for name, row in summary.items() if name in NETWORKS}
    ours, theirs = list(networks.values()), [printed.get(name, {}) for name in networks]
    errors = outcome([names[name] for name in networks], ours, theirs)
    features = {
        "": [names[name] for name in summary],
        "ExtraTrees accuracy": [mean_and_std(row["accuracy"], ".2%") for row in summary.values()],
        "paper's accuracy": [
            number(printed.get(name, {}).get("accuracy"), ".2%") for name in summary
        ],
        "1-NN accuracy": [
            number(mean(row["neighbor_accuracy"]), ".2%") for row in summary.values()
        ],
        "linear error": [number(mean(row["linear_error"]), ".5f") for row in summary.values()],
        "features": [number(mean(row["n_unique"]), ".3g") for row in summary.values()],
    }
    details = {
        "": [names[name] for name in networks],
        "ASR": [number(mean(row["asr"]), ".1%") for row in ours],
        "paper's ASR": [number(row.get("asr"), ".1%") for row in theirs],
        "training error": [number(mean(row["train_error"]), ".5f") for row in ours],
        "settled": [f"{row['settled']} of {row['seconds']['count']}" for row in ours],
        "attack": [number(mean(row["attack_seconds"]), ".1f", " s") for row in ours],
        "training": [number(mean(row["seconds"]), ".1f", " s") for row in ours],
    }
    seeds = ", ".join(map(str, config.seeds or ()))
    title = f"{config.features} features of {config.dataset}, {config.preset} preset"
    return [
        Sheet(f"Reconstruction error on the test samples · {title} · seeds {seeds}", used(errors)),
        Sheet("What the selected features say of the test samples", used(features)),
        Sheet("Attack on the training samples, training error, time for one seed", used(details)),
    ]
