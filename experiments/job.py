"""What the parts of an experiment share while it runs."""

from typing import NamedTuple

import numpy as np

from experiments.attacks import AttackConfig
from experiments.datasets import Split
from experiments.progress import JobProgress
from experiments.run import Run
from experiments.summary import labels


class Job(NamedTuple):
    """A run under way: its settings, its data, and where its results and its progress go."""

    config: AttackConfig
    data: Split
    run: Run
    progress: JobProgress
    invocation: str  # the command line

    @property
    def images(self) -> np.ndarray:
        """The training images that are augmented."""
        return self.data.x_train[: self.config.attack_size]

    def label(self, seed: int, name: str) -> str:
        """How the progress bar calls a piece of work."""
        return f"seed {seed} · {labels(self.config.similarity)[name]}"
