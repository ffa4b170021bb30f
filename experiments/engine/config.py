"""The settings that every experiment has, and how flags and a preset make them.

A preset is an instance, `Config.for_preset("smoke", dataset="mnist")`: it is what the flags
override, so that `--help` shows the values that will really run.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn, Self, TypeVar, get_args, get_type_hints

import tensorflow as tf
import tyro
from joblib import cpu_count
from tyro.constructors import PrimitiveConstructorSpec

from experiments.data import COUNTS, Split, load
from keras_uae._checks import Check, Integer, Number, check_choice, check_integer

PRESETS = ("smoke", "quick", "paper")


class Choice(PrimitiveConstructorSpec[str]):
    """A setting that is a name in a table: `model: Annotated[str, Choice(RECIPES)] = "conv"`.

    Help and the check of the name read it there; `others` says that there are more names, which
    something else checks.
    """

    def __init__(self, names: Iterable[str], *, others: bool = False):
        names = tuple(names)
        super().__init__(
            nargs=1,
            metavar="{" + ",".join([*names, *["…"] * others]) + "}",
            instance_from_str=lambda words: words[0],
            is_instance=lambda value: isinstance(value, str),
            str_from_instance=lambda value: [value],
        )
        object.__setattr__(self, "known", None if others else names)

    def __call__(self, owner: str, name: str, value: Any) -> Any:
        """`value` of the setting `name` of `owner`, if it is a known name."""
        known: tuple[str, ...] | None = getattr(self, "known", None)
        return value if known is None else check_choice(owner, name, value, known)


def check_settings(settings: Any) -> None:
    """The checks in the annotations of a dataclass hold; what counts something is at least 1."""
    kinds = get_type_hints(type(settings), include_extras=True)
    for field in dataclasses.fields(settings):
        _check(
            type(settings).__name__, field.name, kinds[field.name], getattr(settings, field.name)
        )


def _check(owner: str, name: str, kind: Any, value: Any) -> None:
    checks, several = _checks(kind), isinstance(value, tuple)
    for check in checks:
        for each in value if several else (value,):
            check(owner, name, each)
    if kind in (int, int | None) and value is not None:
        check_integer(owner, name, value, 1)
    names = any(isinstance(check, Choice) for check in checks)
    if several and (names or name == "seeds") and not len(value) == len(set(value)) > 0:
        raise ValueError(
            f"`{name}` of {owner} must be one or more different "
            f"{'names' if names else 'integers'}. Received: {name}={value}."
        )


# settings that several experiments have
Seeds = tuple[Annotated[int, Integer(0, 2**31 - 1)], ...]
Epsilons = tuple[Annotated[float, Number(0)], ...]


@dataclass(frozen=True)
class ExperimentConfig:
    """Settings that the experiments share; a subclass adds its own and says what presets are."""

    # the settings that the values of a preset depend on
    choosing: ClassVar[tuple[str, ...]] = ("preset", "dataset")
    # what may differ when a run is taken up again: it has no influence on the numbers
    incidental: ClassVar[tuple[str, ...]] = ("output", "data_dir", "processes", "quiet")

    dataset: Annotated[str, Choice(COUNTS, others=True)] = "digits"
    """The digits come with scikit-learn; all others, and any other image data set, are those of
    tensorflow-datasets."""
    preset: Annotated[str, Choice(PRESETS)] = "quick"
    """smoke: see it run, in a minute or two. quick: 10 000 samples (digits: all). paper: all
    samples and the paper's epochs. Every other flag overrides the preset."""
    seeds: Seeds = (0, 1, 2)
    """One run for each; the tables show mean ± standard deviation."""
    output: Path | None = None
    """Directory of the run; one that holds a part of it is continued. Default: a directory in
    out/EXPERIMENT that is named after data set and preset."""
    data_dir: Path | None = None
    """Directory of tensorflow-datasets. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    train_size: int | None = None
    """Take the first so many training samples. Default: all."""
    epochs: int = 10
    """Epochs of the original model."""
    processes: int = dataclasses.field(
        default_factory=lambda: 1 if tf.config.list_physical_devices("GPU") else cpu_count()
    )
    """Seeds at the same time, each in a process with its share of the cores and memory of its own.
    Default: as many as there are cores; with a GPU, which a process takes for itself, one."""
    quiet: bool = False
    """Print nothing but the final table."""

    @classmethod
    def for_preset(cls, preset: str = "quick", **settings: Any) -> Self:
        """The settings of a preset; `settings` override them, and those `choosing` decide too."""
        return cls(preset=preset, **{"seeds": (0,) if preset == "smoke" else (0, 1, 2), **settings})

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.preset

    @property
    def where(self) -> str:
        """What stands in the titles of tables."""
        return f"{self.dataset}, {self.preset} preset · seeds {', '.join(map(str, self.seeds))}"

    def check(self) -> None:
        """The settings can be, whatever the data; else a `ValueError`."""
        check_settings(self)

    def load(self) -> Split:
        """The data set."""
        return load(self.dataset, data_dir=self.data_dir, train_size=self.train_size)

    def complete(self, data: Split) -> Self:
        """This configuration with what only the data can tell; a `ValueError` if they disagree."""
        return dataclasses.replace(self, train_size=len(data.x_train))

    def refuse(self, name: str, must: str, received: str = "") -> NoReturn:
        """Raise a `ValueError` that says what a setting must be, and what came."""
        received = received or f"{name}={getattr(self, name)!r}"
        raise ValueError(f"`{name}` of {type(self).__name__} must {must}. Received: {received}.")

    def check_images(self, data: Split) -> None:
        """The data are images."""
        if data.x_train.ndim != 4:
            shape = f"with samples of shape {data.x_train.shape[1:]}"
            self.refuse("dataset", "hold images", f"dataset={self.dataset!r} {shape}")

    def as_json(self) -> dict[str, Any]:
        """The settings by name, as JSON would give them back."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))


def size(value: int | None) -> int:
    """A number of samples, where `None` stands for all until `complete` has counted them."""
    if value is None:
        raise ValueError("`value` of size must be of a complete configuration. Received: None.")
    return value


Config = TypeVar("Config", bound=ExperimentConfig)


def parse(kind: type[Config], args: Sequence[str], program: str) -> Config:
    """The settings of a command line: its flags in place of those of its preset.

    A `ValueError` says which cannot be; flags that do not parse, and help, end the program.
    """
    kinds = get_type_hints(kind, include_extras=True)
    fields: list[Any] = [(name, kinds[name] | None, None) for name in kind.choosing]
    first: Any = dataclasses.make_dataclass(kind.__name__, fields)
    settings: dict[str, Any] = {"prog": program, "args": args}
    found, _ = tyro.cli(first, **settings, add_help=False, return_unknown_args=True)
    chosen = {name: value for name, value in vars(found).items() if value is not None}
    for name, value in chosen.items():
        _check(kind.__name__, name, kinds[name], value)
    flags = (tyro.conf.FlagCreatePairsOff,)
    default = kind.for_preset(**chosen)
    config: Config = tyro.cli(kind, **settings, default=default, config=flags)
    config.check()
    return config


def _checks(kind: Any) -> list[Check]:
    """The checks in an annotation."""
    parts = [kind, *get_args(kind)]
    marks = [mark for part in parts for mark in getattr(part, "__metadata__", ())]
    return list(dict.fromkeys(filter(callable, marks)))
