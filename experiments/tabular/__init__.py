"""The tabular data sets of Table 6: raw files or tensorflow-datasets in, a clean split out."""

from experiments.tabular.loading import TABULAR, load_tabular
from experiments.tabular.preparation import PROTOCOLS

__all__ = ["PROTOCOLS", "TABULAR", "load_tabular"]
