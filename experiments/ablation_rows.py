"""The rows of an ablation run, part by part: attacks, what is tabulated, said and drawn of them."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

import keras_uae as uae
from experiments import paper
from experiments.engine import plots
from experiments.engine.attacking import attack_work
from experiments.engine.job import Job
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, PURPLE, RED
from experiments.engine.summary import Records, errors, judge, mean, names, spreads
from experiments.engine.tables import VS_DUPLICATE, Column, Sheet, error, sheet
from keras_uae.attacks.geometry import STEP_RULES
from keras_uae.attacks.presets import PRESETS
from keras_uae.similarity import MINE, BivariateSampling

PARTS = {
    "sensitivity": "Step sizes α and β (Table 12)",
    "similarity": "What is minimised (Table 13)",
    "samples": "Random projections K of MINE",
    "penalty": "MinMax and the penalty method, as many iterations (supplement 6.6)",
    "start": "Where δ starts, and what a step follows",
    "margin": "Margin κ of the criterion",
    "time": "Time (Table 9)",
}
ALPHAS, BETAS = (0.01, 0.05), (0.05, 0.1, 0.5)  # of Table 12
SEARCHES = (2, 4)  # values of c of the penalty method, supplement 6.6
RADII = {"0": 0.0, "Glorot": "glorot", "±0.2": 0.2}
KAPPAS = (0.0, 0.01, 0.05, 0.1)
SIMILARITIES = {
    "l2_features": "L2 on features",
    "cosine": "Cosine on features",
    "feature_scattering": "Feature scattering",
    "gaussian": "Gaussian, closed form",
}
DEFAULT = ("mine", "minmax", "alpha_0.01-beta_0.1", "start_0.2-decaying", "kappa_0")
AUGMENTATIONS = {"ga": "Gaussian noise", "flip_or_rotation": "Flip and rotation"}
PRINTED = ("sensitivity", "similarity", "penalty")  # parts that the paper has a table of
FIGURES = ("asr", "l2", "mi_again", "mi_self", "pairs", "better", "seconds")
TIMED = ("ms_per_sample", "ratio")
COLORS = dict(zip(PARTS, (BLUE, RED, GREEN, ORANGE, GREY, LIGHT_GREEN, PURPLE), strict=True))

# what the attacks of a part differ in; MinMax and the penalty method are compared by themselves
RANGES = {
    "sensitivity": "the grid of α and β",
    "similarity": "the similarities",
    "samples": "what MINE estimates from",
    "start": "δ₀ and step rules",
    "margin": "κ",
}

Rows = dict[str, tuple[str, dict[str, Any]]]  # by the paper's name, label and figures


@dataclass(frozen=True)
class Variant:
    """An attack and how it is called."""

    name: str  # in the files; one that several parts share is made once
    label: str  # in the table of a part
    settings: dict[str, Any] = field(default_factory=dict)  # what differs from the experiment
    attack: Any = uae.MinMaxAttack
    work: int = 1  # what an iteration counts for in the progress, in samples


def every_part(steps: int, samples: tuple[int, ...]) -> dict[str, dict[str, Variant]]:
    """The rows of all parts, by part and by the name that `experiments.paper` has for them.

    The default attack is a row of every part, by one of the names in `DEFAULT`.
    """
    mine, l2 = Variant("mine", "MINE-UAE"), Variant("l2", "L2-UAE", PRESETS["l2_uae"])
    similarities = [
        Variant(name, label, {"similarity": name.removesuffix("_features")})
        for name, label in SIMILARITIES.items()
    ]
    projections = [_projections(count) for count in samples]
    parts = {
        "sensitivity": [_step_sizes(alpha, beta) for alpha in ALPHAS for beta in BETAS],
        "similarity": [mine, *similarities],
        "samples": [mine, *projections],
        "penalty": [Variant("minmax", "MinMax"), *(_penalty(b, steps // b) for b in SEARCHES)],
        "start": [
            *(_start(radius, rule) for radius in RADII for rule in STEP_RULES),
            Variant("published", "published code", PRESETS["published_code"]),
        ],
        "margin": [_margin(kappa) for kappa in KAPPAS],
        "time": [mine, *similarities, l2, *projections[-1:]],
    }
    return {
        part: {row.name: Variant("mine", row.label) if row.name in DEFAULT else row for row in rows}
        for part, rows in parts.items()
    }


def _step_sizes(alpha: float, beta: float) -> Variant:
    settings = {"step_size": alpha, "multiplier_step_size": beta}
    return Variant(f"alpha_{alpha:g}-beta_{beta:g}", f"α = {alpha:g}, β = {beta:g}", settings)


def _start(radius: str, rule: str) -> Variant:
    settings = {"initial_radius": RADII[radius], "step_rule": rule}
    name = f"start_{radius.removeprefix('±').lower()}-{rule}"
    return Variant(name, f"δ₀ {radius}, {rule}", settings)


def _margin(kappa: float) -> Variant:
    settings = {"criterion": uae.Reconstruction(kappa=kappa)}
    return Variant(f"kappa_{kappa:g}", f"κ = {kappa:g}", settings)


def _projections(count: int) -> Variant:
    settings = {"similarity": MINE(features=BivariateSampling(samples=count))}
    work = attack_work("bivariate", 1, count)
    return Variant(f"random_{count}", f"MINE, K = {count}", settings, work=work)


def _penalty(searches: int, steps: int) -> Variant:
    name, label = f"penalty_{searches}x{steps}", f"Penalty, {searches} × {steps}"
    settings = {"search_steps": searches, "steps": steps}
    return Variant(name, label, settings, attack=uae.PenaltyAttack)


def labels(config: Any) -> dict[str, str]:
    """Names in the files → on the bar."""
    attacks = {name: variant.label for name, variant in config.variants.items()}
    return {**attacks, "mine": "default", "original": "Autoencoder", "duplicate": "Duplicates"}


def summarize(records: Records) -> dict[str, Any]:
    """Figures of the attacks as `{"mean", "std", "count"}` over the seeds that have them.

    "attacks" by name; "timing" by name, milliseconds a sample and the ratio to the default attack,
    each with its quartiles; "trainings" by name, the errors.
    """
    timed = [row for row in records if row["stage"] == "timing"]
    return {
        "attacks": {
            name: spreads(records, "attack", name, *FIGURES) for name in names(records, "attack")
        },
        "timing": {row["name"]: {key: row[key] for key in TIMED} for row in timed},
        "trainings": judge(
            records, {name: errors(records, name) for name in names(records, "training")}
        ),
    }


TIMES = (Column("ms", "timing.ms_per_sample.median"), Column("×", "timing.ratio.median", ".2g"))
ATTACKS = (
    Column("ASR", "asr", ".1%", std=True),
    Column("MI", "mi_again", ".3f", std=True),
    Column("L2 of δ", "l2", ".2f", std=True),
    Column("better by", "better", ".4f"),
    *TIMES,
    Column("test error", error),
    VS_DUPLICATE,
    Column("paper's ASR", "paper.asr", ".1%"),
    Column("paper's error", "paper.error", ".5f"),
)
METHODS = (*TIMES, Column("paper's ms", "paper.ms"), Column("paper's ×", "paper.ratio", ".2g"))
LEGEND = (
    "ASR: the fraction of the attacked training images with an example, mean ± std over the seeds; "
    "all other figures are those of the examples. MI: mutual information of image and example in "
    "nats, estimated anew, for all rows by the same MINE on feature maps with shuffles that no "
    "attack has seen; the less, the further the example is from its image. Better by: ‖x − Φ(x)‖ − "
    "‖x − Φ(x + δ)‖. Times are medians of one process in which all rows take turns; ×: as a "
    "multiple of the default attack in the same round. The paper's errors are those after "
    "retraining; its times are those of a TITAN Xp."
)


def tables(config: Any, summary: dict[str, Any]) -> list[Sheet]:
    """One for each part."""
    where = config.where.replace(" ·", f", T = {config.steps} ·", 1)
    found = []
    for part, variants in config.chosen.items():
        rows = {name: (variant.name, variant.label) for name, variant in variants.items()}
        if part == "time":
            rows |= {name: (name, label) for name, label in AUGMENTATIONS.items()}
        printed = paper.printed(part, config.dataset) if part in PRINTED else {}
        printed = paper.times(config.dataset) if part == "time" else printed
        shown = [
            (label, {**_figures(summary, name), "paper": printed.get(key, {})})
            for key, (name, label) in rows.items()
        ]
        columns = METHODS if part == "time" else ATTACKS
        found.append(sheet(f"{PARTS[part]} · {where}", columns, shown))
    return found


def _figures(summary: dict[str, Any], name: str) -> dict[str, Any]:
    trained, found = (summary[stage].get(name, {}) for stage in ("trainings", "attacks"))
    return {**trained, **found, "timing": summary["timing"].get(name)}


def verdicts(config: Any, summary: dict[str, Any]) -> list[str]:
    """What each part comes to, and what differs from the paper."""
    found = summary["attacks"]
    lines = [_default(found.get("mine", {}))]
    for part, variants in config.chosen.items():
        rows = {
            k: (each.label, found[each.name]) for k, each in variants.items() if each.name in found
        }
        if rows and part == "penalty":
            lines.append(_on_penalty(config, rows))
        elif rows and part in RANGES:
            least = _least(rows) if part == "similarity" else ""
            lines.append(f"Over {RANGES[part]}, {_range(rows)}.{least}")
    if not config.retrain:
        lines.append("Nothing is retrained: the paper's test errors have no counterpart.")
    elif config.attack_size < config.train_size:
        lines.append(
            f"Each training adds examples of {config.attack_size} images to {config.train_size}, "
            "other than in the paper, which adds those of all."
        )
    return lines


def _default(row: dict[str, Any]) -> str:
    again, itself, pairs = (mean(row.get(key)) for key in ("mi_again", "mi_self", "pairs"))
    if again is None or itself is None or pairs is None:
        return "The default attack finds no example."
    return (
        f"The default attack succeeds for {mean(row['asr']):.1%} of the images. Estimated anew, "
        f"its examples share {again:.3f} nats with their images, an image and itself "
        f"{itself:.3f}. From {pairs:.0f} feature maps nothing beyond log {pairs:.0f} = "
        f"{math.log(pairs):.2f} nats can be trusted."
    )


def _known(rows: Rows, figure: str) -> list[tuple[float, str]]:
    """The rows that have a figure: its mean, and how they are called."""
    means = [(mean(row[figure]), label) for label, row in rows.values()]
    return [(value, label) for value, label in means if value is not None]


def _range(rows: Rows) -> str:
    """From which row to which the success rate and the information run."""
    texts = {
        "asr": "the success rate runs from {:.1%} ({}) to {:.1%} ({})",
        "mi_again": "the mutual information from {:.3f} ({}) to {:.3f} ({}) nats",
    }
    known = {text: _known(rows, figure) for figure, text in texts.items()}
    return ", ".join(text.format(*min(each), *max(each)) for text, each in known.items() if each)


def _least(rows: Rows) -> str:
    """Whose examples share the least with their images."""
    known = {label: value for value, label in _known(rows, "mi_again")}
    if (mine := rows["mine"][0]) not in known:
        return ""
    left, label = f"{known[mine]:.3f} nats", min(known, key=known.__getitem__)
    if f"{known[label]:.3f} nats" == left:
        return f" MINE, which minimises it, leaves {left}, and none of the others less than that."
    return (
        f" MINE minimises it, yet leaves {left}, more than “{label}”, by an estimator that neither "
        f"has seen."
    )


def _on_penalty(config: Any, rows: Rows) -> str:
    printed = paper.printed("penalty", config.dataset)
    parts = []
    for key, (label, row) in rows.items():
        said = f" (the paper: {printed[key]['asr']:.1%})" if key in printed else ""
        parts.append(f"{label} {mean(row['asr']):.1%}{said}")
    minmax, *others = (rate for rate, _ in _known(rows, "asr"))
    holds = minmax > max(others, default=0.0)
    verdict = "is the greatest, as in" if holds else "is not the greatest, other than in"
    return (
        f"With {config.steps} iterations in all: {', '.join(parts)}. The success rate of MinMax "
        f"{verdict} the paper."
    )


def draw(job: Job[Any], path: Path) -> None:
    """How far the examples of each attack are from their images, and how often there is one."""
    found = job.run.summary["attacks"]
    with plots.canvas(path, (10.5, 4.6), 1, 2, sharex=True) as (figure, (left, right)):
        drawn: set[str] = set()
        for part, rows in job.config.chosen.items():
            new = [each.name for each in rows.values() if each.name in found]
            new = [name for name in new if name not in drawn and name != "mine"]
            drawn.update(new)
            mark: dict[str, Any] = {"ls": "", "ms": 7, "mec": "white", "color": COLORS[part]}
            _points(left, right, [found[name] for name in new], part, marker="o", **mark)
        mark = {"ls": "", "ms": 15, "mec": "white", "color": "#222222", "zorder": 3}
        _points(left, right, [found["mine"]], "default", marker="*", **mark)
        left.set_title("mutual information (nats), estimated anew")
        right.set_title("success rate")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        right.set_ylim(-0.03, 1.03)
        for axes in (left, right):
            axes.set_xlabel("L2 of δ")
            axes.grid(axis="y")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")


def _points(left: Any, right: Any, rows: list[dict[str, Any]], name: str, **mark: Any) -> None:
    """A mark for each row that has examples."""
    there = [row for row in rows if mean(row["mi_again"]) is not None]
    if there:
        sizes = [mean(row["l2"]) for row in there]
        left.plot(sizes, [mean(row["mi_again"]) for row in there], label=name, **mark)
        right.plot(sizes, [mean(row["asr"]) for row in there], **mark)
