"""One page of many runs.

python -m experiments.report out
python -m experiments.report out --output reports.html
"""
