"""Does the MinMax attack converge as Theorem 1 says?

One convolutional autoencoder for each seed is attacked with several step sizes α, and the
stationarity gap ‖L(δ_t, c_t)‖² of every iteration is kept: zero where neither player of the min-max
problem can gain by a step. Theorem 1 bounds its least value in T iterations by C/√T, for α and the
errors of the estimator of the order 1/√T; so α = 1/√T is tried as well, for several T.

    python -m experiments.convergence
    python -m experiments.convergence --dataset mnist --similarity gaussian
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np
from matplotlib.axes import Axes

import keras_uae as uae
from experiments.data import Split
from experiments.engine import plots
from experiments.engine.attacking import attack_work, attacked, find_uaes, found_figures
from experiments.engine.autoencoders import AutoencoderConfig, train_original
from experiments.engine.config import Choice, Epsilons, Seeds, size
from experiments.engine.experiment import Experiment, Figure, Job, Piece
from experiments.engine.plots import BLUE, GREEN, GREY, LIGHT_GREEN, ORANGE, RED
from experiments.engine.summary import Records, by_seed, mean, names, spread
from experiments.engine.tables import Column, Sheet, sheet, written
from keras_uae._checks import Integer
from keras_uae.attacks.geometry import STEP_RULES
from keras_uae.similarity import names as similarity_names
from models import get_recipe

CURVE_POINTS = 60  # iterations of a curve that are kept in the records
CURVES = ("iteration", "low", "median", "high", "least")
RATE = -0.5  # of Theorem 1
CLEAR = 0.05  # difference of two exponents that is called one
COLORS = (BLUE, ORANGE, GREEN, RED, LIGHT_GREEN, GREY)


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """‖L(δ, c)‖² of Theorem 1 over the iterations, for several step sizes."""

    seeds: Seeds = (0,)
    """One run for each; the tables show mean ± standard deviation."""
    attack_size: int = 64
    """Attack the first so many training images."""
    steps: int = 400
    """Iterations T where α is fixed."""
    step_sizes: Epsilons = (0.001, 0.01, 0.1)
    """Step sizes α of δ."""
    horizons: tuple[Annotated[int, Integer(1)], ...] = (10, 40, 160, 640)
    """Numbers of iterations T for each of which α = 1/√T."""
    multiplier_step_size: float = 0.1
    """Step β of c."""
    similarity: Annotated[str, Choice(similarity_names())] = "auto"
    """What the attack minimises; conv, random and bivariate are estimates of MINE; auto is conv
    where the input meets a convolution, and otherwise gaussian."""
    step_rule: Annotated[str, Choice(STEP_RULES, others=True)] = "raw"
    """What a step follows: raw is the gradient as it is, as the theorem has it."""
    initial_radius: float = 0.2
    """δ₀ is uniform in ± so much. From 0, as in the paper, there is nothing to converge from: f⁺ is
    0 there."""

    @classmethod
    def for_preset(cls, preset: str = "quick", dataset: str = "digits", **settings: Any) -> Self:
        """As of every attack on an autoencoder; one seed, and more iterations."""
        smoke = preset == "smoke"
        mine = {
            "seeds": (0,),
            "attack_size": {"smoke": 16, "quick": 64}.get(preset, 256),
            "steps": {"smoke": 40, "quick": 400}.get(preset, 1000),
            "horizons": (10, 40) if smoke else (10, 40, 160, 640),
        }
        return super().for_preset(preset, dataset, **{**mine, **settings})

    def complete(self, data: Split) -> Self:
        """As of every experiment; and what the attack itself refuses."""
        config = super().complete(data)
        config.attack(get_recipe("conv").build(data.x_train.shape[1:]), 0.0, 1)
        return config

    @property
    def runs(self) -> dict[str, tuple[float, int]]:
        """α and T of every attack, by its name in the files."""
        fixed = {f"alpha-{alpha:g}": (alpha, self.steps) for alpha in self.step_sizes}
        return fixed | {f"horizon-{steps}": (steps**-0.5, steps) for steps in self.horizons}

    def attack(self, model: keras.Model, step_size: float, steps: int) -> uae.MinMaxAttack:
        """Algorithm 1 with this α and T."""
        names = ("similarity", "multiplier_step_size", "step_rule", "initial_radius", "epsilon")
        settings = {name: getattr(self, name) for name in names}
        return uae.MinMaxAttack(model, step_size=step_size, steps=steps, **settings)


def pieces(config: Config) -> Iterator[Piece]:
    """The autoencoder of every seed, and each of its attacks."""
    for seed in config.seeds:
        training = config.epochs * size(config.train_size)
        yield Piece("training", seed, "original", training, train_original)
        for name, (_, steps) in config.runs.items():
            work = config.attack_size * attack_work(config.similarity, steps)
            yield Piece("attack", seed, name, work, attack, mark="asr")


def attack(job: Job[Config]) -> dict[str, Any]:
    """One attack, and the curve of the images whose values were finite to the end."""
    x = attacked(job)
    attack = job.config.attack(job.model("original"), *job.config.runs[job.name])
    found = find_uaes(job, attack, x, trace=True)
    finite = ~found.frozen
    curves = {"curve": curve(found.trace["gap"][finite, :-1])} if finite.any() else {}
    return {**found_figures(x, found), **curves}


def curve(gaps: np.ndarray) -> dict[str, Any]:
    """‖L‖² at some iterations, evenly on a logarithmic scale, from ‖L‖ of every image `(n, T)`.

    By the names in `CURVES`, median and the band of 80 % of the images, and the median of the least
    so far.
    """
    square = gaps**2
    places = np.unique(np.geomspace(1, gaps.shape[1], CURVE_POINTS).round().astype(int)) - 1
    low, median, high = np.percentile(square[:, places], (10, 50, 90), axis=0)
    least = np.median(np.minimum.accumulate(square, axis=1)[:, places], axis=0)
    lines = (places + 1, low, median, high, least)
    return {name: line.tolist() for name, line in zip(CURVES, lines, strict=True)}


def slope(x: Any, y: Any) -> float | None:
    """The exponent p of y ≈ C·x^p by least squares of the logarithms; `None` of fewer than two."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    positive = (x > 0) & (y > 0)
    if positive.sum() < 2:
        return None
    return float(np.polyfit(np.log(x[positive]), np.log(y[positive]), 1)[0])


def late_slope(curve: dict[str, Any]) -> float | None:
    """The exponent with which the least ‖L‖² so far falls in the second half of a curve."""
    half = len(curve["iteration"]) // 2
    return slope(curve["iteration"][half:], curve["least"][half:])


def labels(config: Config) -> dict[str, str]:
    """Names in the files → in tables, in the figure and on the bar."""
    called = {"original": "Autoencoder"}
    for name, (alpha, steps) in config.runs.items():
        fixed = name.startswith("alpha")
        called[name] = f"α = {alpha:.3g}" if fixed else f"α = {alpha:.2g}, T = {steps}"
    return called


def summarize(records: Records) -> dict[str, Any]:
    """By attack: the curve, mean over the seeds, and figures as `{"mean", "std", "count"}`.

    "least" is the median over the images of the least ‖L‖² of all iterations, "first" that of the
    first one, "slope" the exponent with which the least so far falls in the second half of the
    curve. "horizons" is the exponent with which "least" falls with T where α = 1/√T.
    """
    rows: dict[str, dict[str, Any]] = {}
    lasts: dict[int, float] = {}
    for name in names(records, "attack"):
        found = [row for row in by_seed(records, "attack", name).values() if "curve" in row]
        if not found:
            continue
        curves = [row["curve"] for row in found]
        rows[name] = {
            "curve": {key: np.mean([each[key] for each in curves], 0).tolist() for key in CURVES},
            "first": spread(each["median"][0] for each in curves),
            "least": spread(each["least"][-1] for each in curves),
            "slope": spread(map(late_slope, curves)),
            "asr": spread(row["asr"] for row in found),
        }
        if name.startswith("horizon"):
            lasts[rows[name]["curve"]["iteration"][-1]] = rows[name]["least"]["mean"]
    return {"rows": rows, "horizons": slope(list(lasts), list(lasts.values()))}


COLUMNS = (
    Column("first ‖L‖²", "first", std=True),
    Column("least ‖L‖²", "least", std=True),
    Column("∝ t to the", "slope", ".2f"),
    Column("ASR", "asr", ".1%", std=True),
)
LEGEND = (
    "‖L‖²: squared stationarity gap of Theorem 1, median over the images: that of the first "
    "iterate and the least of all iterations. ∝ t to the: exponent with which the least so far "
    "falls in the second half of the iterations, on a logarithmic scale; the theorem has −1/2 for "
    "the least of T iterations over T, where α is of the order 1/√T."
)


def tables(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """Fixed step sizes, and those that suit T."""
    titles = {
        "alpha": f"Step sizes α, T = {config.steps} · {config.where}",
        "horizon": "α = 1/√T, for several T",
    }
    shown = {
        start: [(labels(config)[n], row) for n, row in summary["rows"].items() if start in n]
        for start in titles
    }
    return [sheet(titles[start], COLUMNS, rows) for start, rows in shown.items() if rows]


def verdicts(config: Config, summary: dict[str, Any]) -> list[str]:
    """What each α comes to, whether the rate is that of the theorem, what it assumes."""
    lines = [
        f"{labels(config)[name]}: the least ‖L‖² so far falls from {mean(row['first']):.3g} to "
        f"{mean(row['least']):.3g}, in the second half of the iterations as t to the "
        f"{written(row['slope'], '.2f')}."
        for name, row in summary["rows"].items()
        if name.startswith("alpha")
    ]
    if (rate := summary["horizons"]) is not None:
        verdict = "at least as fast as" if rate <= RATE + CLEAR else "more slowly than"
        lines.append(
            f"With α = 1/√T, the least ‖L‖² of T iterations falls as T to the "
            f"{written(rate, '.2f')}: {verdict} Theorem 1 promises, −0.5."
        )
    if config.similarity not in ("gaussian", "l2", "cosine", "feature_scattering"):
        lines.append(
            "Other than the theorem assumes, the errors of MINE do not fall with T: every estimate "
            "trains as long as any other."
        )
    return lines


def draw(job: Job[Config], path: Path) -> None:
    """‖L‖² over t for every α, and its least over T where α = 1/√T; with 1/√t to compare."""
    names, rows = labels(job.config), job.run.summary["rows"]
    fixed = {name: row["curve"] for name, row in rows.items() if name.startswith("alpha")}
    ends = [row["curve"] for name, row in rows.items() if name.startswith("horizon")]
    with plots.canvas(path, (11, 4.6), 1, 2) as (_, (left, right)):
        for place, (name, line) in enumerate(fixed.items()):
            color, t = COLORS[place % len(COLORS)], line["iteration"]
            left.fill_between(t, line["low"], line["high"], color=color, alpha=0.12, lw=0)
            left.plot(t, line["median"], color=color, lw=1, alpha=0.6)
            left.plot(t, line["least"], color=color, lw=2, label=names[name])
        if fixed:
            _reference(left, [line["iteration"] for line in fixed.values()], fixed.values())
        if ends:
            last = [line["iteration"][-1] for line in ends]
            right.plot(last, [line["least"][-1] for line in ends], "o-", color=BLUE, lw=2)
            _reference(right, [last], ends, place=-1)
        left.set_title("‖L(δ, c)‖²: bold the least so far, band 10 to 90 %")
        right.set_title("least ‖L‖² of T iterations, α = 1/√T")
        for axes, over in ((left, "iteration t"), (right, "iterations T")):
            axes.set(xlabel=over, xscale="log", yscale="log")
            axes.grid()
            plots.legend(axes, "lower left")


def _reference(axes: Axes, iterations: Any, curves: Any, place: int = 0) -> None:
    """C/√t through the first point of the highest curve."""
    t = np.array(sorted({each for line in iterations for each in line}), float)
    height = max(curve["least"][place] for curve in curves)
    label = "∝ 1/√t" if place == 0 else "∝ 1/√T"
    axes.plot(t, height * np.sqrt(t[0] / t), color=GREY, lw=1.4, ls="--", label=label)


EXPERIMENT = Experiment(
    name="convergence",
    config=Config,
    pieces=pieces,
    labels=labels,
    summarize=summarize,
    tables=tables,
    legend=LEGEND,
    title=lambda config: (
        f"Convergence of the MinMax attack: {config.dataset}, convolutional autoencoder"
    ),
    introduction=lambda config: (
        "Theorem 1 measures how far δ and c are from a solution by L(δ, c) = (δ − P[δ − ∇_δ F], "
        "c − P[c + ∇_c F]), F(δ, c) = c·f⁺(x + δ) + I(x, x + δ), P the projection on what is "
        "allowed. As F is linear in c and c may be as large as it likes, the second part is −f⁺. "
        f"{config.attack_size} images are attacked."
    ),
    verdicts=verdicts,
    figures={
        "convergence": Figure(
            "Stationarity gap over the iterations, and over T, next to 1/√t", draw
        )
    },
    published=lambda config: {"step_rule": "raw"},
)

main = EXPERIMENT.main

if __name__ == "__main__":
    raise SystemExit(main())
