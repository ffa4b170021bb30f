"""Where the marks of figures were; see `experiments.engine.plots`."""

from experiments.engine.plots import *  # noqa: F403
