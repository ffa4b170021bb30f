"""What the parts of an experiment share while it runs."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from experiments.config import ExperimentConfig
from experiments.data import Split
from experiments.progress import JobProgress
from experiments.run import Run

Config = TypeVar("Config", bound=ExperimentConfig, covariant=True)


class Job(NamedTuple, Generic[Config]):
    """A run under way: its settings, its data, and where its results and its progress go."""

    config: Config
    data: Split
    run: Run
    progress: JobProgress
    invocation: str  # the command line
    labels: Mapping[str, str]  # names of the rows in the files → in tables and on the bar

    def label(self, seed: int | None, name: str) -> str:
        """How the progress bar calls a piece of work; that of no seed serves all of them."""
        return self.labels[name] if seed is None else f"seed {seed} · {self.labels[name]}"
