"""Where this was; see `experiments.engine.information`."""

from experiments.engine.information import Measure, information, mutual_information, pairs

__all__ = ["Measure", "information", "mutual_information", "pairs"]
