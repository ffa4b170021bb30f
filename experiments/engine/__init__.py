"""What runs an experiment, which is data: settings, pieces of work, tables, figures, verdicts.

An experiment is one file, `experiments/NAME.py`, that holds an `Experiment` (experiment.py) and
ends in `main = EXPERIMENT.main`; docs/contributing.md has one that runs. Its parts:

    config     a frozen dataclass: a field is a flag, its docstring the help (config.py)
    pieces     what is done once, in this order, whatever stops the job (job.py, work.py)
    summarize  spread and gains over the seeds, from the records (summary.py)
    tables     columns that find and write a figure of each row (tables.py)
    verdicts   a sentence for a claim (verdicts.py); departures from the paper tell themselves
    figures    pictures of the report (report.py, plots.py)

`work.py` skips the pieces whose record is there: a job may stop at any time and goes on with the
same command. Several seeds go side by side, each in a process (side_by_side.py). `job.model(name)`
and `job.uaes(name)` are what an earlier piece of the same seed has kept, from memory or from their
file. The time left is that of the sum of `Piece.work`, in samples of a training step or of an
iteration of an attack. A run is a directory (`records.py`):
config.json, metrics.json with the records and their summary, report.md, figures, and a folder for
each seed.
"""
