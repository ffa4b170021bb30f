"""One script per claim of the paper; run them with `python -m experiments.NAME`."""
