"""`python -m experiments.convergence`."""

import sys

from experiments.convergence.protocol import main

sys.exit(main())
