"""What a robustness run shows of its success rates over ε."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from experiments.engine import classifiers, plots, verdicts
from experiments.engine import summary as statistics
from experiments.engine import tables as sheets
from experiments.engine.classifiers import Attacked, one_of_each
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, ORANGE
from experiments.engine.summary import Records, known_mean, spreads
from experiments.engine.tables import Sheet

ROWS = {
    "standard": "Standard",
    "standard-duplicate": "Standard, duplicates",
    "standard-noise": "Standard, noise",
    "standard-uae": "Standard, UAEs",
    "madry": "Adversarial training",
    "madry-duplicate": "Adversarial, duplicates",
    "madry-noise": "Adversarial, noise",
    "madry-uae": "Adversarial, UAEs",
    "trades": "TRADES",
}
METHODS = {"pgd": "PGD", "minmax": "MinMax"}
# What is trained and attacked in a part, the row and the method.
ADDITIONS = ("", "-duplicate", "-noise", "-uae")
PARTS = {
    "standard": [(f"standard{each}", "pgd") for each in ADDITIONS],
    "adversarial": [(f"madry{each}", "pgd") for each in ADDITIONS],
    "madry": [("madry", "pgd"), ("madry", "minmax")],
    "trades": [("trades", "pgd"), ("trades", "minmax")],
}
COMPARABLE = 0.01  # difference of two rates that is called none
# what the paper finds of the rows with UAEs, and the least difference that is against it
CLAIMS = {
    "standard": ("consistently lower than without for each ε", 0.0),
    "madry": ("lower than or comparable to that without", COMPARABLE),
}
GRID_SIZE = 10  # images of a grid, one of each class
COLORS = {"duplicate": GREEN, "noise": ORANGE, "uae": BLUE, "pgd": ORANGE, "minmax": BLUE}


def family(row: str) -> str:
    """How the classifier of a row is trained, whatever on."""
    return row.split("-")[0]


def point(row: str, method: str, epsilon: float) -> str:
    """Name of the attack on a row with one ε."""
    return f"{row}/{method}-{epsilon:.3g}"


def labels(config: Any) -> dict[str, str]:
    """How rows and attacks are called."""
    points = {
        point(row, method, epsilon): f"{ROWS[row]}, {METHODS[method]}, ε = {epsilon:.3g}"
        for row, methods in config.rows.items()
        for method in methods
        for epsilon in config.epsilons
    }
    return {**ROWS, "autoencoder": "Autoencoder", "uae": "MINE-UAE", **points}


def classifier(job: Job[Any], row: str, seed: int | None = None) -> keras.Model:
    """The classifier of a row: published, or the one that was trained."""
    if row == "trades" and job.config.weights is not None:
        return job.once("published", job.config.published, seed)
    return job.model(row, seed)


def attacked(job: Job[Any], row: str, seed: int | None = None) -> Attacked:
    """The images that a row is attacked on."""
    model, count = classifier(job, row, seed), job.config.attack_size
    return job.once(("attacked", row), lambda: classifiers.attacked(job.data, model, count), seed)


def titles(config: Any) -> dict[str, str]:
    """The parts of a run and what they are."""
    published = " (published weights)" if config.weights else ""
    texts = {
        "standard": "Standard training with and without UAEs (Figure 10 a)",
        "adversarial": "Adversarial training with and without UAEs (Figure 9)",
        "madry": "Adversarial training under PGD and MinMax (Figure 7)",
        "trades": f"TRADES{published} under PGD and MinMax (Figure 8)",
    }
    return {part: text for part, text in texts.items() if part in config.parts}


def summarize(records: Records) -> dict[str, Any]:
    """Test accuracies by row, "curves" of success rates by row and method, spreads over the seeds.

    "differences" are, for the rows with UAEs, `curve_differences` from the row without additions
    from the duplicate control, and from noise of the size of the UAEs.
    """
    rates = statistics.rates(records, "row", "method")
    curves: dict[str, dict[str, Any]] = {}
    for (row, method), values in rates.items():
        curves.setdefault(row, {})[method] = statistics.curve(values)
    differences = {
        family(row): {
            reference: statistics.curve_differences(
                rates[row, "pgd"], rates.get((reference, "pgd"), {})
            )
            for reference in (f"{family(row)}{added}" for added in ADDITIONS[:-1])
        }
        for row in curves
        if row.endswith("-uae")
    }
    rows = statistics.names(records, "training")
    return {
        "accuracy": {n: spreads(records, "training", n, "accuracy")["accuracy"] for n in rows},
        "uae_asr": spreads(records, "attack", "uae", "asr")["asr"],
        "collapsed": statistics.collapsed(records),
        "curves": curves,
        "differences": differences,
    }


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """One for each part: a row for each classifier and attack, a column for each ε."""
    found = []
    for part, title in titles(config).items():
        names = {f"{ROWS[row]}: {METHODS[method]}": (row, method) for row, method in PARTS[part]}
        rows = {n: summary["curves"].get(row, {}).get(how) for n, (row, how) in names.items()}
        rows = {name: points for name, points in rows.items() if points}
        accuracy = {name: summary["accuracy"].get(row) for name, (row, _) in names.items()}
        found.append(sheets.curves(f"{title} · {config.where}", rows, accuracy=accuracy))
    return found


def sentences(config: Any, summary: dict[str, Any]) -> list[str]:
    """What UAEs do to the curves, what MinMax does, and whose classifiers they are."""
    lines = []
    if summary["uae_asr"] is not None:
        lines.append(f"UAEs were found for {summary['uae_asr']['mean']:.1%} of the images.")
    for part, kind in (("standard", "standard"), ("adversarial", "madry")):
        found = summary["differences"].get(kind, {}) if part in config.parts else {}
        lines += [_augmentation(kind, *each) for each in found.items() if each[1]]
    for row in ("madry", "trades"):
        methods = summary["curves"].get(row, {})
        if row in config.parts and METHODS.keys() <= methods.keys():
            lines.append(f"**{ROWS[row]}**: {_methods(methods)}")
    for row, seeds in summary["collapsed"].items():
        lines.append(
            f"**{ROWS[row]}**: with seed {', '.join(map(str, seeds))} the training has collapsed "
            "to one class for all images, which no attack can change: it has no success rates."
        )
    rate = "" if config.preset == "paper" else ", with Adam at 1e-3 in place of 1e-4"
    if "madry" in config.rows:
        lines.append(f"Adversarial training is not the published classifier, but ours{rate}.")
    if "trades" in config.rows and config.weights is None:
        lines.append("TRADES is not the published classifier, but ours.")
    return lines


def _augmentation(kind: str, reference: str, points: Sequence[Mapping[str, Any]]) -> str:
    """UAEs next to nothing, to the duplicates, which decide, or to noise of their size."""
    if reference == kind:
        claim, limit = CLAIMS[kind]
        holds = all(known_mean(each["difference"]) < limit for each in points)
        found = "so it is here" if holds else "here it is not at every ε"
        verdict = f"The paper finds it {claim}: {found}."
    elif reference.endswith("-noise"):
        verdict = verdicts.on_help(points, "the direction of the perturbation")
    else:
        verdict = verdicts.on_help(points)
    names = f"**{ROWS[f'{kind}-uae']}** against *{ROWS[reference]}*"
    return f"{names}: {verdicts.on_rates(points)} {verdict}"


def _methods(methods: Mapping[str, Any]) -> str:
    """MinMax next to PGD."""
    pairs = zip(methods["minmax"], methods["pgd"], strict=True)
    gaps = [known_mean(ours["asr"]) - known_mean(theirs["asr"]) for ours, theirs in pairs]
    return (
        f"the ASR of MinMax is lower than that of PGD at {sum(gap < 0 for gap in gaps)} of "
        f"{len(gaps)} ε, higher at {sum(gap > 0 for gap in gaps)}; the paper finds it lower in the "
        "mid-range of ε on MNIST."
    )


def draw_curves(job: Job[Any], path: Path) -> None:
    """Success rate over ε of every part, mean ± std over the seeds."""
    parts, found = titles(job.config), job.run.summary["curves"]
    columns = min(2, len(parts))
    lines = -(-len(parts) // columns)
    with plots.canvas(path, (5.6 * columns, 4 * lines), lines, columns, squeeze=False) as (_, grid):
        for axes in grid.flat[len(parts) :]:
            axes.remove()
        for axes, (part, title) in zip(grid.flat, parts.items(), strict=False):
            compare = len({row for row, _ in PARTS[part]}) > 1
            for row, method in PARTS[part]:
                key, name = (row, ROWS[row]) if compare else (method, METHODS[method])
                if points := found.get(row, {}).get(method):
                    plots.curve(axes, points, name, COLORS.get(key.rpartition("-")[2], GREY))
            axes.set_title(title)
            plots.rates_over_epsilon(axes)


def draw_grid(job: Job[Any], path: Path) -> None:
    """Figure 6: examples of the first seed where a part has two attacks, two panels to a line."""
    seed, panels = job.config.seeds[0], []
    for row in (each for each in ("madry", "trades") if each in job.config.parts):
        model, images = classifier(job, row, seed), attacked(job, row, seed)
        rows = one_of_each(images, GRID_SIZE)
        for _, method in reversed(PARTS[row]):
            lines = {
                f"ε = {epsilon:.3g}": job.uaes(point(row, method, epsilon), seed)[rows]
                for epsilon in job.config.epsilons
            }
            title = f"{ROWS[row]}, {METHODS[method]}"
            panels.append(classifiers.panel(title, model, images.x[rows], lines))
    if panels:
        plots.image_grids(path, panels, height=len(panels) // 2)
