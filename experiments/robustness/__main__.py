"""`python -m experiments.robustness`."""

import sys

from experiments.robustness.protocol import main

sys.exit(main())
