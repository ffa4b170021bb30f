"""`python -m experiments.selector_benchmark`; see experiments/benchmark/selector.py."""

import sys

from experiments.benchmark.selector import main

if __name__ == "__main__":
    sys.exit(main())
