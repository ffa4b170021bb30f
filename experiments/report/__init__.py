"""One page of many runs, and the tables of the documentation.

python -m experiments.report out
python -m experiments.report out --output reports.html
python -m experiments.report results --docs .
"""
