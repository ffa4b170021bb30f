"""The report of a run, and one page of many runs.

    python -m experiments.report out
    python -m experiments.report out --output reports.html

The reports of the experiments are written with the functions that are imported here.
"""

from experiments.report.markdown import bullets, complete, pictures, provenance, sections, write

__all__ = ["bullets", "complete", "pictures", "provenance", "sections", "write"]
