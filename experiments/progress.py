"""Where the progress bar was; see `experiments.engine.progress`."""

from experiments.engine.progress import JobProgress

__all__ = ["JobProgress"]
