"""Do UAEs beat noise of the same size where data are few and an autoencoder overfits?

Every seed has a set of training images of its own. An autoencoder is trained on it, then again
from scratch on the images and as many additions: duplicates, the UAEs of several attacks, and for
each of these noise whose L2 norm is, image by image, that of the UAE: Gaussian, uniform, random
signs, and the UAE's own perturbation with its values on other pixels. Test error and what a linear
classifier makes of the code are compared set by set, with confidence intervals.

    python -m experiments.small_data
    python -m experiments.small_data --dataset mnist --train-size 1000 --seeds 0 1
    python -m experiments.small_data --dataset mnist --settings epsilon_0.1 --seeds 2 3 4 5 6 7

Of many settings one seems good by chance: choose on some seeds, confirm on others.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy import stats

import keras_uae as uae
from experiments.data import COUNTS, Split, load
from experiments.engine import plots, training
from experiments.engine.attacking import attack_figures, attack_work, find_uaes
from experiments.engine.config import Choice, ExperimentConfig, size
from experiments.engine.experiment import Experiment
from experiments.engine.job import Job, Piece
from experiments.engine.plots import BLUE, GREEN, GREY, ORANGE, RED, STYLE
from experiments.engine.report import Figure
from experiments.engine.steps import Trainer, code_accuracy
from experiments.engine.summary import Records, gains_over, paired, spreads
from experiments.engine.tables import NONE, Column, Sheet, sheet
from experiments.small_data_rows import DUPLICATE, KINDS, SETTINGS, Row, noise_like
from keras_uae.similarity import names as similarity_names
from models import RECIPES, Recipe

# whose loss is all that there is to their training, and whose code is one layer
MODELS = ("dense", "sparse", "conv")
TARGETS = {"self": "x + δ restores x + δ", "clean": "x + δ restores x"}
CONFIDENCE = 0.95
MEASURED = ("test_error", "train_error", "accuracy", "asr", "l2", "seconds")
TEXTS = {
    "uae": "UAE",
    "gaussian": "Gaussian noise",
    "uniform": "uniform noise",
    "signs": "random signs",
    "shuffled": "shuffled δ",
}


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """Do UAEs beat noise of the same size where an autoencoder overfits?"""

    choosing = (*ExperimentConfig.choosing, "model")

    train_size: int | None = 100
    """Training images of a set. Seed s has images s·n to (s + 1)·n of the data set."""
    epochs: int | None = None  # type: ignore[assignment]
    """None: trainings are counted in steps."""
    model: Annotated[str, Choice(MODELS)] = "dense"
    """Autoencoder."""
    settings: tuple[Annotated[str, Choice(SETTINGS)], ...] = tuple(SETTINGS)
    """Attacks to try, of experiments/small_data_rows.py."""
    targets: tuple[Annotated[str, Choice(TARGETS)], ...] = tuple(TARGETS)
    """What a model trained on x + δ restores: self (x + δ, as the paper does), clean (x), or
    both, one training each."""
    steps: int = 2000
    """Training steps of the original model."""
    retraining_steps: int = 6000
    """Training steps of all others."""
    batch_size: int = 20
    """Images a training step."""
    similarity: Annotated[str, Choice(similarity_names())] = "gaussian"
    """What the attack minimises, where a setting does not say; auto, conv, random and bivariate are
    estimates of MINE."""

    @classmethod
    def for_preset(
        cls, preset: str = "quick", dataset: str = "digits", model: str = "dense", **settings: Any
    ) -> Self:
        """As of every experiment, and how large the sets are and how long they are trained on."""
        digits = dataset == "digits"
        steps = {"smoke": (30, 60), "quick": (2000, 6000)}.get(preset, (6000, 18_000))
        mine = {
            "train_size": 100 if digits else 1000,
            "steps": steps[0],
            "retraining_steps": steps[1],
            "batch_size": 20 if digits or model not in RECIPES else RECIPES[model].batch_size,
        }
        chosen = {"dataset": dataset, "model": model}
        return super().for_preset(preset, **{**chosen, **mine, **settings})

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.model, self.preset

    @property
    def where(self) -> str:
        """What stands in the titles of tables."""
        sets = ", ".join(map(str, self.seeds))
        return f"{self.dataset}, {self.model}, sets of {self.train_size}: {sets}"

    @property
    def recipe(self) -> Recipe:
        """The model and its training."""
        return RECIPES[self.model]

    def load(self) -> Split:
        """The data set as far as the last of the sets.

        Raises:
            ValueError: It has no such set, or is unknown.
        """
        count, sets = size(self.train_size), max(self.seeds) + 1
        most = COUNTS.get(self.dataset, (count * sets, 0))[0] // sets
        if count > most:
            raise ValueError(
                f"`train_size` of {type(self).__name__} must be at most {most}, so that there are "
                f"{sets} sets, from that of seed 0 to that of seed {sets - 1}. "
                f"Received: train_size={count}, dataset={self.dataset!r}."
            )
        return load(self.dataset, data_dir=self.data_dir, train_size=count * sets)

    def complete(self, data: Split) -> Self:
        """This configuration as it is: `train_size` is that of a set.

        Raises:
            ValueError: A setting does not suit the data.
        """
        self.check_images(data)
        model = self.recipe.build(data.x_train.shape[1:])
        for name in self.settings:
            self.attack(name, model)
        return self

    def set_of(self, data: Split, seed: int) -> Split:
        """The training images of a seed, and all test images."""
        count = size(self.train_size)
        part = slice(seed * count, (seed + 1) * count)
        return data._replace(x_train=data.x_train[part], y_train=data.y_train[part])

    def attack(self, setting: str, model: keras.Model) -> uae.MinMaxAttack:
        """The attack of a setting."""
        settings = {"similarity": self.similarity, **SETTINGS[setting].attack}
        return uae.MinMaxAttack(model, **settings)

    @property
    def rows(self) -> dict[str, Row]:
        """The trainings of a seed but the original, by name and in the order of the work."""
        rows = [
            Row(setting, target, kind)
            for setting in self.settings
            for target in self.targets
            for kind in ("uae", *KINDS)
        ]
        return {"duplicate": DUPLICATE, **{row.name: row for row in rows}}


def pieces(config: Config) -> Iterator[Piece]:
    """The original of every seed, and the trainings of its rows with their attacks."""
    for seed in config.seeds:
        yield Piece("training", seed, "original", config.steps * config.batch_size, train_original)
        for name, row in config.rows.items():
            setting = SETTINGS[row.setting]
            found = setting.rounds * setting.examples * size(config.train_size)
            attacks = found * _image_work(config, row) if row.kind == "uae" else 0
            work = config.retraining_steps * config.batch_size + attacks
            yield Piece("training", seed, name, work, retrain)


def _image_work(config: Config, row: Row) -> int:
    attack = SETTINGS[row.setting].attack
    return attack_work(str(attack.get("similarity", config.similarity)), attack.get("steps", 40))


def train_original(job: Job[Config]) -> dict[str, Any]:
    """The autoencoder of a set."""
    data = job.config.set_of(job.data, job.seed)
    trainer = _trainer(job, data)
    _run(job, trainer, data.x_train, data.x_train, job.config.steps)
    job.keep(trainer.model)
    return _measured(trainer.model, data)


def retrain(job: Job[Config]) -> dict[str, Any]:
    """A new model, trained on the images of the set and on what its row adds, round after round.

    It has the initial weights of the original, which is attacked first; in further rounds it is
    attacked itself.
    """
    row, data = job.config.rows[job.name], job.config.set_of(job.data, job.seed)
    x, trainer, figures = data.x_train, _trainer(job, data), {}
    for place, steps in enumerate(round_steps(job.config, row)):
        model = job.model("original") if place == 0 and row.kind == "uae" else trainer.model
        added, success = additions(job, x, row, model, place)
        repeated = np.tile(x, (len(added) // len(x), 1, 1, 1))
        if row.kind == "uae" and place == 0:
            figures = attack_figures(repeated, added, success)
        targets = repeated if row.target == "clean" else added
        _run(job, trainer, np.concatenate([x, added]), np.concatenate([x, targets]), steps)
    return {**_measured(trainer.model, data), **figures}


def additions(
    job: Job[Config], x: np.ndarray, row: Row, model: keras.Model, place: int
) -> tuple[np.ndarray, np.ndarray]:
    """The additions of a round, `examples` for each of x one after another, and which are UAEs.

    `model` is attacked for UAEs. Noise is like those that the same setting has made before.
    """
    if row.kind == "duplicate":
        return x, np.zeros(len(x), bool)
    paths = example_paths(job, row, place)
    if row.kind == "uae":
        parts = [
            find_uaes(
                job,
                job.config.attack(row.setting, model),
                x,
                path=path,
                # no two examples of an image have the same δ₀
                seed=job.seed + 1_000_003 * (place + 7 * example),
                work=_image_work(job.config, row),
            )
            for example, path in enumerate(paths)
        ]
        found = uae.UAEs.concatenate(parts)
        return found.x, found.success
    z = np.concatenate([uae.UAEs.load(path).x for path in paths])
    key = (job.seed, place, list(KINDS).index(row.kind))
    repeated = np.tile(x, (len(paths), 1, 1, 1))
    return noise_like(repeated, z, row.kind, key), np.zeros(len(z), bool)


def example_paths(job: Job[Config], row: Row, place: int) -> list[Path]:
    """Where the UAEs of a round are, a file for each example of an image.

    Those of the first round are of the original model, and the same for all targets.
    """
    model = "original" if place == 0 else f"{row.target}-{place}"
    examples = range(SETTINGS[row.setting].examples)
    return [job.path(f"{row.setting}-{model}-{example}_uae.npz") for example in examples]


def round_steps(config: Config, row: Row) -> list[int]:
    """The training steps of every round: all of them together are those of the duplicates."""
    borders = np.linspace(0, config.retraining_steps, SETTINGS[row.setting].rounds + 1)
    return np.diff(borders.round().astype(int)).tolist()


def _trainer(job: Job[Config], data: Split) -> Trainer:
    """An untrained model; within a seed all are the same."""
    shape, batch_size = data.x_train.shape[1:], job.config.batch_size
    return Trainer(job.config.recipe, shape, batch_size=batch_size, seed=job.seed)


def _run(
    job: Job[Config], trainer: Trainer, inputs: np.ndarray, targets: np.ndarray, steps: int
) -> None:
    trainer.run(
        inputs, targets, steps=steps, advance=lambda images: job.progress.advance(images, job.label)
    )


def _measured(model: keras.Model, data: Split) -> dict[str, Any]:
    return {**training.errors(model, data), "accuracy": code_accuracy(model, data)}


def labels(config: Config) -> dict[str, str]:
    """Names in the files → on the bar."""
    names = {"original": "Original", "duplicate": "Duplicate control"}
    for name, row in config.rows.items():
        if row.kind in TEXTS:
            names[name] = f"{SETTINGS[row.setting].label} · {row.target} · {TEXTS[row.kind]}"
    return names


def summarize(records: Records) -> dict[str, Any]:
    """By row: figures as `{"mean", "std", "count"}`, and for UAEs how they compare.

    `versus` has for each control the fraction by which the test error is lower, `error`, and by how
    much the accuracy of the code is higher, `accuracy`, as `interval` gives them, set by set.
    """
    summary: dict[str, Any] = {}
    for name in dict.fromkeys(record["name"] for record in records):
        summary[name] = spreads(records, "training", name, *MEASURED)
        parts = name.split("-")
        controls = Row(*parts).controls if len(parts) == 3 else {}
        if controls:
            summary[name]["versus"] = {
                control: {
                    "error": interval(gains_over(records, name, other)),
                    "accuracy": interval(
                        one - two
                        for one, two in paired(records, "training", name, other, "accuracy")
                    ),
                }
                for control, other in controls.items()
            }
    return summary


def interval(values: Iterable[float]) -> dict[str, Any] | None:
    """Mean of differences and its 95 % confidence interval by Student's t.

    `low` and `high` are `None` of a single value.
    """
    values = list(values)
    if not values:
        return None
    mean, count = float(np.mean(values)), len(values)
    found: dict[str, Any] = {"mean": mean, "low": None, "high": None, "count": count}
    if count > 1:
        error = float(stats.sem(values))
        width = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
        found |= {"low": mean - width, "high": mean + width}
    return found


def verdict(versus: dict[str, Any], figure: str, controls: Sequence[str]) -> str:
    """Whether a setting is "better" or "worse" than all the controls, or neither: "open".

    Better means that no interval reaches 0; without intervals nothing is known.
    """
    found = [versus[control][figure] for control in controls if control in versus]
    if not found or any(each is None or each["low"] is None for each in found):
        return "open"
    if all(each["low"] > 0 for each in found):
        return "better"
    return "worse" if all(each["high"] < 0 for each in found) else "open"


CONTROLS = (
    Column("test error", "test_error", ".5f", std=True),
    Column("training error", "train_error", ".5f", std=True),
    Column("accuracy", "accuracy", ".1%", std=True),
)
FIGURES = {
    "error": (
        "Test error",
        (
            Column("ASR", "asr", ".0%"),
            Column("L2 of δ", "l2", ".2f"),
            Column("UAE", "test_error", ".5f"),
        ),
    ),
    "accuracy": ("Accuracy of the code", (Column("UAE", "accuracy", ".1%"),)),
}
HEADINGS = {
    "duplicate": "vs duplicate",
    "gaussian": "vs Gaussian",
    "uniform": "vs uniform",
    "signs": "vs signs",
    "shuffled": "vs shuffled",
}
LEGEND = (
    "vs: by how much UAEs are better (+) or worse (−) than the duplicate control and than noise of "
    "the same L2 norm, image by image: Gaussian, uniform, signs at random, and δ itself with its "
    "values on other pixels of the image (shuffled). Mean over the sets ± half of the 95 % "
    "confidence interval; in % of the test error, and in percentage points of the test accuracy of "
    "logistic regression on the code. ASR and L2 of δ are those of the first round."
)


def tables(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """The controls, then for each target what is restored and what the code is worth."""
    names = {"original": "Original", "duplicate": "Duplicate control"}
    controls = [(text, summary[name]) for name, text in names.items() if name in summary]
    found = [sheet(f"Controls · {config.where}", CONTROLS, controls)]
    for target, restored in TARGETS.items():
        rows = [(SETTINGS[s].label, row) for s, row in _of_target(config, summary, target).items()]
        for figure, (title, columns) in FIGURES.items() if target in config.targets else ():
            compared = [_versus(control, figure) for control in HEADINGS]
            heading = f"{title} · {restored} · {config.where}"
            found.append(sheet(heading, [*columns, *compared], rows))
    return found


def _of_target(config: Config, summary: dict[str, Any], target: str) -> dict[str, dict[str, Any]]:
    """The rows of UAEs with this target, by setting."""
    names = {setting: Row(setting, target, "uae").name for setting in config.settings}
    return {setting: summary[name] for setting, name in names.items() if name in summary}


def _versus(control: str, figure: str) -> Column:
    return Column(
        HEADINGS[control], lambda row: difference(row["versus"].get(control, {}).get(figure))
    )


def difference(found: dict[str, Any] | None) -> str:
    """A mean with half of its interval, in hundredths: "+1.2 ± 0.4"."""
    if found is None:
        return NONE
    text = f"{100 * found['mean']:+.1f}".replace("-", "−")
    if found["low"] is None:
        return text
    return f"{text} ± {100 * (found['high'] - found['low']) / 2:.1f}"


def verdicts(config: Config, summary: dict[str, Any]) -> list[str]:
    """For each target and figure, which settings beat every noise; and how far to trust that."""
    lines = []
    for target in config.targets:
        versus = {s: row["versus"] for s, row in _of_target(config, summary, target).items()}
        for figure, (title, _) in FIGURES.items():
            judged = _judged(versus, figure)
            lines.append(f"{TARGETS[target]}, {title[0].lower()}{title[1:]}: {judged}")
    tests = len(config.settings) * len(config.targets) * len(FIGURES)
    if tests > 1:
        lines.append(
            f"These are {tests} comparisons. Of as many in which nothing differs, one in "
            f"{2 / (1 - CONFIDENCE):.0f} has an interval above 0 for any one noise: what is best "
            "here is to be confirmed on sets that it was not chosen on."
        )
    return lines


def _judged(versus: dict[str, Any], figure: str) -> str:
    count, noises = len(versus), tuple(KINDS)
    every = ("duplicate", *noises)
    if all(row["duplicate"][figure]["low"] is None for row in versus.values()):
        over, best = (
            [s for s, row in versus.items() if all(row[c][figure]["mean"] > 0 for c in controls)]
            for controls in (("duplicate",), every)
        )
        return (
            f"on the only set {len(over)} of {count} settings are better than the duplicate "
            f"control, and {len(best)} than every noise of their size as well{_named(best)}. One "
            "set decides nothing."
        )
    over, better, worse = (
        [s for s, row in versus.items() if verdict(row, figure, controls) == wanted]
        for controls, wanted in (
            (("duplicate",), "better"),
            (every, "better"),
            (every[1:], "worse"),
        )
    )
    said = f"{len(over)} of {count} settings beat the duplicate control; "
    if better:
        names = "; ".join(SETTINGS[setting].label for setting in better)
        return f"{said}every noise of its size as well do {names}."
    than_noise = f", and {len(worse)} are worse than all of them" if worse else ""
    return f"{said}none beats every noise of its size as well{than_noise}."


def _named(settings: Sequence[str]) -> str:
    return f": {', '.join(SETTINGS[each].label for each in settings)}" if settings else ""


COLORS = {"gaussian": BLUE, "uniform": ORANGE, "signs": GREEN, "shuffled": RED}
SHIFTS = (-0.24, -0.08, 0.08, 0.24)
TITLES = {"error": "test error lower by (%)", "accuracy": "accuracy of the code higher by (points)"}


def draw(job: Job[Config], path: Path) -> None:
    """By how much UAEs are better than noise of their size, with 95 % confidence intervals."""
    config, summary = job.config, job.run.summary
    settings = [SETTINGS[name].label for name in config.settings]
    height = 0.36 * len(settings) + 1.3
    with rc_context(STYLE):
        figure = Canvas(figsize=(11, height * len(config.targets)), layout="constrained")
        grid = figure.subplots(len(config.targets), len(TITLES), squeeze=False, sharey=True)
        for line, target in zip(grid, config.targets, strict=True):
            rows = _of_target(config, summary, target).values()
            for axes, (name, title) in zip(line, TITLES.items(), strict=True):
                for shift, noise in zip(SHIFTS, COLORS, strict=True):
                    found = [row["versus"].get(noise, {}).get(name) for row in rows]
                    _differences(axes, found, shift, COLORS[noise], f"than {TEXTS[noise]}")
                axes.axvline(0, color=GREY, lw=1.4, ls="--")
                axes.set_title(f"{title}, target {target}")
                axes.grid(axis="x")
        grid[0, 0].set_yticks(range(len(settings)), settings)
        # the first setting on top; the panels share the axis
        grid[0, 0].set_ylim(len(settings) - 0.5, -0.5)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(COLORS))
        plots.save(figure, path)


def _differences(
    axes: Axes, found: list[dict[str, Any] | None], shift: float, color: str, label: str
) -> None:
    """Means with their intervals, a line for each setting, `shift` below it; `None` is left out."""
    known = [(place + shift, each) for place, each in enumerate(found) if each is not None]
    if not known:
        return
    places, values = zip(*known, strict=True)
    means = [100 * each["mean"] for each in values]
    # a single value has no interval
    widths = [
        100 * (each["high"] - each["mean"]) if each["low"] is not None else 0 for each in values
    ]
    mark: dict[str, Any] = {"fmt": "o", "ms": 4.5, "lw": 1.6, "color": color, "label": label}
    axes.errorbar(means, places, xerr=widths, **mark)


EXPERIMENT = Experiment(
    name="small_data",
    config=Config,
    pieces=pieces,
    labels=labels,
    summarize=summarize,
    tables=tables,
    legend=LEGEND,
    title=lambda config: f"Small data: {config.dataset}, {config.model} autoencoder",
    introduction=lambda config: (
        f"Each of {len(config.seeds)} sets has {config.train_size} training images of its own. An "
        f"autoencoder is trained on them for {config.steps} steps, and again from scratch on them "
        f"and their additions for {config.retraining_steps}. Noise has the L2 norm of the UAE of "
        "the same image."
    ),
    verdicts=verdicts,
    figures={
        "gains": Figure("UAEs next to noise of the same size, with 95 % confidence intervals", draw)
    },
)

main = EXPERIMENT.main

if __name__ == "__main__":
    sys.exit(main())
