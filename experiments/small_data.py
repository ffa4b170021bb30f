"""Do UAEs beat noise of the same size where data are few and an autoencoder overfits?

Every seed has a set of training images of its own. An autoencoder is trained on it, then again
from scratch on the images and as many additions: duplicates, the UAEs of several attacks, and for
each of these noise whose L2 norm is, image by image, that of the UAE. Test error and what a linear
classifier makes of the code are compared set by set, with confidence intervals.

    python -m experiments.small_data
    python -m experiments.small_data --dataset mnist --train-size 1000 --seeds 0 1
    python -m experiments.small_data --dataset mnist --settings epsilon_0.1 --seeds 2 3 4 5 6 7

Of many settings one seems good by chance: choose on some seeds, confirm on others.
"""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import keras
import numpy as np
from scipy import stats

import keras_uae as uae
from experiments.data import COUNTS, Split, load
from experiments.engine import plots, training
from experiments.engine.attacking import attack_figures, attack_work, find_uaes
from experiments.engine.config import Choice, ExperimentConfig, size
from experiments.engine.experiment import Experiment, Figure
from experiments.engine.job import Job, Piece
from experiments.engine.plots import GREY
from experiments.engine.steps import Trainer, code_accuracy
from experiments.engine.summary import Records, gains_over, names, paired, spreads
from experiments.engine.tables import NONE, Column, Sheet, sheet
from experiments.small_data_rows import DUPLICATE, KINDS, SETTINGS, Row, noise_like
from keras_uae.similarity import names as similarity_names
from models import RECIPES, Recipe

# whose loss is all that there is to their training, and whose code is one layer
MODELS = ("dense", "sparse", "conv")
TARGETS = {"self": "x + δ restores x + δ", "clean": "x + δ restores x"}
CONFIDENCE = 0.95
MEASURED = ("test_error", "train_error", "accuracy", "asr", "l2", "seconds")
CONTROLS = {"original": "Original", "duplicate": "Duplicate control"}


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
        mine: dict[str, Any] = {"dataset": dataset, "model": model}
        mine |= {"steps": 6000, "retraining_steps": 18_000} if preset == "paper" else {}
        mine |= {"steps": 30, "retraining_steps": 60} if preset == "smoke" else {}
        if dataset != "digits":
            mine |= {"train_size": 1000, "batch_size": RECIPES[model].batch_size}
        return super().for_preset(preset, **{**mine, **settings})

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
        """The data set as far as the last of the sets."""
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
        """As it is: `train_size` is that of a set."""
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
        parts = itertools.product(self.settings, self.targets, ("uae", *KINDS))
        return {row.name: row for row in (DUPLICATE, *itertools.starmap(Row, parts))}


def pieces(config: Config) -> Iterator[Piece]:
    """The original of every seed, and the trainings of its rows with their attacks."""
    for seed in config.seeds:
        yield Piece("training", seed, "original", config.steps * config.batch_size, train_original)
        for name, row in config.rows.items():
            setting = SETTINGS[row.setting]
            work = config.retraining_steps * config.batch_size
            if row.kind == "uae":
                found = setting.rounds * setting.examples * size(config.train_size)
                work += found * _image_work(config, row)
            yield Piece("training", seed, name, work, retrain)


def _image_work(config: Config, row: Row) -> int:
    attack = SETTINGS[row.setting].attack
    return attack_work(str(attack.get("similarity", config.similarity)), attack.get("steps", 40))


def train_original(job: Job[Config]) -> dict[str, Any]:
    """The autoencoder of a set."""
    data = job.config.set_of(job.data, job.seed)
    trainer, x = _trainer(job, data), data.x_train
    trainer.run(x, x, steps=job.config.steps, advance=_advance(job))
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
        inputs = np.concatenate([x, added])
        targets = np.concatenate([x, repeated]) if row.target == "clean" else inputs
        trainer.run(inputs, targets, steps=steps, advance=_advance(job))
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


def _advance(job: Job[Config]) -> Callable[[int], None]:
    return lambda images: job.progress.advance(images, job.label)


def _measured(model: keras.Model, data: Split) -> dict[str, Any]:
    return {**training.errors(model, data), "accuracy": code_accuracy(model, data)}


def labels(config: Config) -> dict[str, str]:
    """Names in the files → on the bar."""
    kinds = {"uae": "UAE", **{name: kind.label for name, kind in KINDS.items()}}
    return CONTROLS | {
        name: f"{SETTINGS[row.setting].label} · {row.target} · {kinds[row.kind]}"
        for name, row in config.rows.items()
        if row.kind in kinds
    }


def summarize(records: Records) -> dict[str, Any]:
    """By row: figures as `{"mean", "std", "count"}`, and for UAEs how they compare.

    `versus` has for each control the fraction by which the test error is lower, `error`, and by how
    much the accuracy of the code is higher, `accuracy`, as `interval` gives them, set by set.
    """
    summary: dict[str, Any] = {}
    for name in names(records, "training"):
        summary[name] = spreads(records, "training", name, *MEASURED)
        if name.endswith("-uae"):
            others = Row(*name.split("-")).controls
            summary[name]["versus"] = {
                control: _versus(records, name, other) for control, other in others.items()
            }
    return summary


def _versus(records: Records, name: str, other: str) -> dict[str, Any]:
    accuracies = paired(records, "training", name, other, "accuracy")
    return {
        "error": interval(gains_over(records, name, other)),
        "accuracy": interval(one - two for one, two in accuracies),
    }


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
    found = [versus[control][figure] for control in controls]
    if any(each is None or each["low"] is None for each in found):
        return "open"
    better, worse = min(each["low"] for each in found) > 0, max(each["high"] for each in found) < 0
    return "better" if better else "worse" if worse else "open"


OF_CONTROLS = (
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
HEADINGS = {"duplicate": "duplicate", **{name: kind.heading for name, kind in KINDS.items()}}


def tables(config: Config, summary: dict[str, Any]) -> list[Sheet]:
    """The controls, then for each target what is restored and what the code is worth."""
    controls = [(text, summary[name]) for name, text in CONTROLS.items() if name in summary]
    found = [sheet(f"Controls · {config.where}", OF_CONTROLS, controls)]
    for target in (each for each in TARGETS if each in config.targets):
        rows = [(SETTINGS[s].label, row) for s, row in _of_target(config, summary, target).items()]
        for figure, (title, columns) in FIGURES.items():
            compared = [
                _compared(f"vs {text}", control, figure) for control, text in HEADINGS.items()
            ]
            heading = f"{title} · {TARGETS[target]} · {config.where}"
            found.append(sheet(heading, [*columns, *compared], rows))
    return found


def _of_target(config: Config, summary: dict[str, Any], target: str) -> dict[str, dict[str, Any]]:
    """The rows of UAEs with this target, by setting."""
    names = {setting: Row(setting, target, "uae").name for setting in config.settings}
    return {setting: summary[name] for setting, name in names.items() if name in summary}


def _compared(heading: str, control: str, figure: str) -> Column:
    return Column(heading, lambda row: difference(row["versus"].get(control, {}).get(figure)))


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
    noises, count = tuple(KINDS), len(versus)
    if all(row["duplicate"][figure]["low"] is None for row in versus.values()):
        means = {
            s: {c: each[figure]["mean"] for c, each in row.items()} for s, row in versus.items()
        }
        over = [setting for setting, each in means.items() if each["duplicate"] > 0]
        best = _labels(setting for setting, each in means.items() if min(each.values()) > 0)
        return (
            f"on the only set {len(over)} of {count} settings are better than the duplicate "
            f"control, and {len(best)} than every noise of their size as well"
            f"{': ' * bool(best)}{', '.join(best)}. One set decides nothing."
        )

    def judged(wanted: str, *controls: str) -> list[str]:
        return [s for s, row in versus.items() if verdict(row, figure, controls) == wanted]

    over = judged("better", "duplicate")
    said = f"{len(over)} of {count} settings beat the duplicate control; "
    if better := judged("better", "duplicate", *noises):
        return f"{said}every noise of its size as well do {'; '.join(_labels(better))}."
    worse = judged("worse", *noises)
    than_noise = f", and {len(worse)} are worse than all of them" if worse else ""
    return f"{said}none beats every noise of its size as well{than_noise}."


def _labels(settings: Iterable[str]) -> list[str]:
    return [SETTINGS[each].label for each in settings]


TITLES = {"error": "test error lower by (%)", "accuracy": "accuracy of the code higher by (points)"}


def draw(job: Job[Config], path: Path) -> None:
    """By how much UAEs are better than noise of their size, with 95 % confidence intervals."""
    config, summary = job.config, job.run.summary
    settings, lines = [SETTINGS[name].label for name in config.settings], len(config.targets)
    size = (11, (0.36 * len(settings) + 1.3) * lines)
    shape: dict[str, Any] = {"squeeze": False, "sharey": True}
    with plots.canvas(path, size, lines, len(TITLES), **shape) as (figure, grid):
        for line, target in zip(grid, config.targets, strict=True):
            rows = _of_target(config, summary, target).values()
            for axes, (name, title) in zip(line, TITLES.items(), strict=True):
                shifts = np.linspace(-0.24, 0.24, len(KINDS))
                for shift, (noise, kind) in zip(shifts, KINDS.items(), strict=True):
                    found = [row["versus"].get(noise, {}).get(name) for row in rows]
                    mark = {"color": kind.color, "label": f"than {kind.label}"}
                    _differences(axes, found, shift, **mark)
                axes.axvline(0, color=GREY, lw=1.4, ls="--")
                axes.set_title(f"{title}, target {target}")
                axes.grid(axis="x")
        grid[0, 0].set_yticks(range(len(settings)), settings)
        # the first setting on top; the panels share the axis
        grid[0, 0].set_ylim(len(settings) - 0.5, -0.5)
        handles, texts = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=len(KINDS))


def _differences(axes: Any, found: list[dict[str, Any] | None], shift: float, **mark: Any) -> None:
    """Means with their intervals, a line for each setting, `shift` below it; `None` is left out."""
    known = [(place + shift, each) for place, each in enumerate(found) if each is not None]
    # a single value has no interval
    ends = [each["mean"] if each["low"] is None else each["high"] for _, each in known]
    means = 100 * np.array([each["mean"] for _, each in known])
    if known:
        mark |= {"xerr": 100 * np.array(ends) - means, "fmt": "o", "ms": 4.5, "lw": 1.6}
        axes.errorbar(means, [place for place, _ in known], **mark)


EXPERIMENT = Experiment(
    name="small_data",
    config=Config,
    pieces=pieces,
    labels=labels,
    summarize=summarize,
    tables=tables,
    legend="vs: by how much UAEs are better (+) or worse (−) than the duplicate control and than "
    "noise of the same L2 norm, image by image: Gaussian, uniform, signs at random, and δ itself "
    "with its values on other pixels of the image (shuffled). Mean over the sets ± half of the 95 "
    "% confidence interval; in % of the test error, and in percentage points of the test accuracy "
    "of logistic regression on the code. ASR and L2 of δ are those of the first round.",
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
