"""`python -m experiments.selector_benchmark`; see experiments/benchmark/selector.py."""

from experiments.benchmark.selector import main

if __name__ == "__main__":
    raise SystemExit(main())
