"""Tables of the documentation as data: which runs, which of their rows, which figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments import convergence, paper
from experiments.engine.tables import (
    OUTCOME,
    VS_DUPLICATE,
    Column,
    beside,
    counted,
    error,
    hundredths,
    markdown,
    sheet,
)
from experiments.report.runs import FoundRun
from experiments.robustness_curves import METHODS
from experiments.small_data_rows import HEADINGS, SETTINGS, TARGETS

# by name: what they are called, and their figures
Rows = Mapping[str, tuple[str, Mapping[str, Any]]]


def read(run: FoundRun) -> Rows:
    """What a run is summarised as, what the paper prints beside."""
    summary = run.summary
    return beside(summary.get("rows", summary), printed(run), run.labels)


def printed(run: FoundRun) -> paper.Rows:
    """What the paper prints, whatever was minimised in its place."""
    name, dataset = run.settings["experiment"], run.settings["dataset"]
    if name == "reconstruction":
        return paper.reconstruction(dataset, run.settings["model"])
    if name == "supervised":
        return paper.printed("methods", dataset)
    known = getattr(paper, name, None)
    return known(dataset) if known else {}


def small_data(run: FoundRun) -> Rows:
    """The rows of UAEs, by the setting of the attack."""
    summary = run.summary
    chosen = {name.split("-")[0]: name for name in summary if name.endswith("-uae")}
    return {each: (SETTINGS[each].label, summary[name]) for each, name in chosen.items()}


def robustness(run: FoundRun) -> Rows:
    """Accuracy and success rates of PGD by ε."""
    summary, labels = run.summary, run.labels
    return {
        row: (labels[row], {"accuracy": summary["accuracy"].get(row), **_rates(curves["pgd"])})
        for row, curves in summary["curves"].items()
        if "pgd" in curves
    }


def trades(run: FoundRun) -> Rows:
    """Success rates by ε of both attacks on the network of TRADES."""
    curves = run.summary["curves"]["trades"]
    return {name: (METHODS[name], _rates(curve)) for name, curve in curves.items()}


def _rates(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{each['epsilon']:.3g}": each["asr"] for each in curve}


def ablation(run: FoundRun) -> Rows:
    """The attacks, with their times."""
    summary, dataset = run.summary, run.settings["dataset"]
    theirs = paper.printed("similarity", dataset) | paper.printed("penalty", dataset)
    figures = {
        name: {**row, "timing": summary["timing"].get(name)}
        for name, row in summary["attacks"].items()
    }
    return beside(figures, theirs, run.labels)


def retrained(run: FoundRun) -> Rows:
    """The trainings on the examples of each attack."""
    dataset = run.settings["dataset"]
    theirs = paper.printed("similarity", dataset) | paper.printed("sensitivity", dataset)
    return beside(run.summary["trainings"], theirs, run.labels)


@dataclass(frozen=True)
class Table:
    """Rows of runs: what they are called, and the columns."""

    runs: Sequence[str]  # their folders
    columns: Sequence[Column]
    rows: Sequence[str] = ()  # default: all
    called: Callable[[FoundRun], str] | None = None  # in the first column, where there are several
    read: Callable[[FoundRun], Rows] = read


def block(table: Table, runs: Sequence[FoundRun]) -> str:
    """A table in markdown, of those of its runs that are there."""
    there = {run.name: run for run in runs}
    shown: list[tuple[str, Mapping[str, Any]]] = []
    for run in (there[name] for name in table.runs if name in there):
        found = table.read(run)
        kept = [found[name] for name in table.rows or found if name in found]
        if table.called:
            kept = [("", {**row, "label": label}) for label, row in kept]
            kept[:1] = [(table.called(run), row) for _, row in kept[:1]]
        shown += kept
    if not shown:
        return f"Not run: {', '.join(table.runs)}."
    columns = [*[Column("with", "label")] * (table.called is not None), *table.columns]
    return markdown(sheet("", columns, shown)).strip()


def samples(run: FoundRun) -> str:
    """How a run of an autoencoder is called."""
    model = run.settings.get("model", "conv")  # the ablation has no other
    return f"{run.data(model)}, {images(run)}"


def selected(run: FoundRun) -> str:
    """How a run of feature selection is called."""
    return f"{run.settings['features']} of {run.data()}"


def images(run: FoundRun) -> str:
    """How a run on few data is called."""
    return f"{counted(run.settings['train_size'])} images"


def targets(run: FoundRun) -> str:
    """How a run is called by what x + δ is to restore."""
    return " and ".join(TARGETS[each] for each in run.settings["targets"])


def _rate(epsilon: float) -> Column:
    """The success rate of PGD; a key with a dot would be a path."""
    return Column(f"ε = {epsilon:.3g}", lambda row: row.get(f"{epsilon:.3g}"), ".1%", std=True)


def _versus(control: str) -> Column:
    """How the error of UAEs compares with that of duplicates, or of noise of their size."""
    return Column(f"vs {control}", lambda row: hundredths(row["versus"][control]["error"]))


_PGD = [
    Column("accuracy", "accuracy", ".1%", std=True),
    *map(_rate, (0.05, 0.1, 0.15, 0.2, 0.3, 0.35, 0.4)),
]
_SMALL = [
    Column("L2 of δ", "l2", ".2f"),
    Column("error", "test_error", ".5f"),
    *map(_versus, HEADINGS),
]

TABLES = {
    "digits": Table(["digits-conv"], OUTCOME),
    "reconstruction": Table(
        [
            *("mnist-dense", "mnist-dense-published", "mnist-dense-10000", "mnist-dense-mine"),
            *("mnist-sparse", "mnist-conv-60000", "mnist-conv"),
            *("mnist-adversarial", "mnist-adversarial-published"),
            *(f"fashion_mnist-{model}" for model in ("dense", "sparse", "conv", "conv-published")),
            "fashion_mnist-adversarial",
        ],
        [*OUTCOME[:4], Column("ASR", "asr", ".0%"), *OUTCOME[4:]],
        called=samples,
    ),
    "rounds": Table(["mnist-rounds"], [*OUTCOME[:4], Column("ASR", "asr", ".1%")]),
    "feature_selection": Table(
        [f"{name}-features" for name in ("mnist", "fashion_mnist", "isolet", "coil20")]
        + ["mice_protein-features"],
        [
            Column("test error", error),
            VS_DUPLICATE,
            Column("ExtraTrees", "accuracy", ".1%", std=True),
            Column("paper: error", "paper.error", ".5f"),
            Column("paper: ExtraTrees", "paper.accuracy", ".1%"),
        ],
        rows=["original", "duplicate", "published", "mine", "greedy", "random"],
        called=selected,
    ),
    "contrastive": Table(
        ["cifar10-contrastive"],
        [
            Column("linear accuracy", "accuracy", ".2%", std=True),
            Column("k-NN", "neighbor_accuracy", ".2%", std=True),
            Column("test loss", "test_loss", ".3f", std=True),
            Column("ASR", "asr", ".1%"),
            Column("by new views", "asr_unseen", ".1%"),
        ],
    ),
    "supervised": Table(
        ["mnist-supervised"],
        [
            Column("ASR", "asr", ".1%", std=True),
            Column("MI by its own estimates", "mi", ".2f", std=True),
            Column("by new ones", "mi_again", ".3f", std=True),
            Column("an image and itself", "mi_self", ".3f", std=True),
            Column("L2 of δ", "l2", ".2f", std=True),
            Column("paper's MI", "paper.mi", ".2f"),
        ],
        rows=["minmax", "penalty"],
    ),
    "trades": Table(["mnist-trades"], _PGD, read=trades),
    "robustness": Table(["mnist-robustness", "mnist-adversarial-training"], _PGD, read=robustness),
    "small_data": Table(
        ["mnist-small-1000", "mnist-small-5000"], _SMALL, called=images, read=small_data
    ),
    "targets": Table(
        ["mnist-small-clean", "mnist-small-1000"],
        _SMALL,
        rows=["default", "epsilon_0.1"],
        called=targets,
        read=small_data,
    ),
    "ablation": Table(
        ["mnist-ablation"],
        [
            Column("ASR", "asr", ".1%", std=True),
            Column("paper's ASR", "paper.asr", ".1%"),
            Column("L2 of δ", "l2", ".2f"),
            Column("MI, estimated anew", "mi_again", ".3f"),
            Column("an image and itself", "mi_self", ".3f"),
            Column("time", "timing.ratio.median", ".2g"),
        ],
        rows=[
            *("mine", "penalty_4x10", "penalty_2x20", "feature_scattering", "cosine"),
            *("l2_features", "random_500", "gaussian", "published", "alpha_0.01-beta_0.5"),
            *("alpha_0.05-beta_0.1", "kappa_0.1"),
        ],
        read=ablation,
    ),
    "retrained": Table(
        ["mnist-similarity", "mnist-sensitivity", "digits-ablation"],
        [*OUTCOME[:4], Column("paper's error", "paper.error", ".5f")],
        called=samples,
        read=retrained,
    ),
    "convergence": Table(["mnist-convergence"], convergence.COLUMNS),
}
