"""Where the directory of a run was; see `experiments.engine.records`."""

from collections.abc import Callable
from typing import Any

from experiments import config as settings
from experiments.engine import records
from experiments.engine.records import Records, versions, write_json

__all__ = ["Records", "Run", "versions", "write_json"]


class Run(records.Run):
    """As of `experiments.engine`, from a resolved configuration."""

    def __init__(self, config: settings.ExperimentConfig, summarize: Callable[[Records], Any]):
        if config.output is None:
            raise ValueError("`config` of Run must be resolved. Received: output=None.")
        stored = {"experiment": config.experiment, **config.as_json()}
        super().__init__(config.output, stored, summarize, incidental=config.incidental)
