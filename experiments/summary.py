"""Where the summary was; see `experiments.engine.summary`."""

from experiments.engine.summary import *  # noqa: F403
