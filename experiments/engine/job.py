"""A piece of work, and the run that it belongs to while it is under way."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras

import keras_uae as uae
import models  # noqa: F401  registers the layers of saved models
from experiments.data import Split
from experiments.engine.config import ExperimentConfig
from experiments.engine.progress import Progress
from experiments.engine.records import Run

_ALL = "all seeds"

Config = TypeVar("Config", bound=ExperimentConfig, covariant=True)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Piece:
    """A piece of work that is done once, whatever stops the job before and after.

    Stage, seed and name are the key of its record. One without `mark` is that of a piece that was
    interrupted and goes on in the middle; by default all is done anew. A piece that is not
    `recorded` is for the report, and done again until that is written.
    """

    stage: str
    seed: int | None  # `None` serves all of them
    name: str  # one of the experiment's labels
    work: int  # in samples of a training step, or of an iteration of an attack
    run: "Callable[[Job[Any]], Mapping[str, Any] | None]"  # returns the figures of the record
    mark: str = "seconds"
    recorded: bool = True

    @property
    def key(self) -> dict[str, Any]:
        """What its record is found by."""
        return {"stage": self.stage, "seed": self.seed, "name": self.name}

    def is_done(self, run: Run) -> bool:
        """Whether an earlier session has done it."""
        if not self.recorded:
            return run.path("report.md").exists()
        return self.mark in (run.find(**self.key) or {})


@dataclass(eq=False)
class Job(Generic[Config]):
    """A run under way: its settings, its data, its files, and the `piece` that is being done."""

    config: Config
    data: Split
    run: Run
    progress: Progress
    labels: Mapping[str, str]
    piece: Piece = Piece("report", None, "report", 0, lambda job: None)
    _kept: dict[tuple[Hashable, Hashable], Any] = field(default_factory=dict, init=False)

    def begin(self, piece: Piece) -> None:
        """`piece` is the one that is being done; what is in memory of an earlier seed is let go."""
        self.piece = piece
        seeds = (piece.seed, _ALL)
        self._kept = {key: each for key, each in self._kept.items() if key[0] in seeds}

    @property
    def seed(self) -> int:
        """The seed of the piece; 0 where it serves all of them."""
        return self.piece.seed or 0

    @property
    def name(self) -> str:
        """The name of the piece."""
        return self.piece.name

    @property
    def label(self) -> str:
        """How the piece is called on the bar."""
        parts = [] if self.piece.seed is None else [f"seed {self.piece.seed}"]
        parts.append(self.labels.get(self.name, self.name))
        return " · ".join([*parts, *[self.piece.stage] * (self.piece.stage != "training")])

    def path(self, file: str, seed: int | None = None) -> Path:
        """A file in the folder of a seed, by default that of the piece."""
        return self.run.path(f"seed-{self.seed if seed is None else seed}", file)

    def keep(self, model: keras.Model, name: str | None = None) -> None:
        """Save the model of a row, all of it or nothing, for later pieces and sessions.

        They read it from its file: the model itself may be trained on.
        """
        save_model(model, self.path(f"{name or self.name}.keras"))

    def model(self, name: str, seed: int | None = None) -> keras.Model:
        """The model of a row that was kept."""
        path = self.path(f"{name}.keras", seed)
        return self.once(name, lambda: self.run.read(path, keras.models.load_model), seed)

    def once(
        self,
        key: Hashable,
        make: Callable[[], Value],
        seed: int | None = None,
        *,
        for_all: bool = False,
    ) -> Value:
        """What `make` gives for a seed, by default that of the piece: made once, then in memory.

        What is `for_all` seeds stays there until the job ends.
        """
        place = _ALL if for_all else self.piece.seed if seed is None else seed, key
        if place not in self._kept:
            self._kept[place] = make()
        return self._kept[place]

    def uaes(self, name: str, seed: int | None = None) -> uae.UAEs:
        """The examples of a row, from their file."""
        return self.run.read(self.path(f"{name}_uae.npz", seed), uae.UAEs.load)


def save_model(model: keras.Model, path: Path) -> None:
    """Write all of a model or nothing."""
    temporary = path.with_suffix(".part.keras")
    try:
        model.save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
