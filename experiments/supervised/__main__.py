"""`python -m experiments.supervised`."""

import sys

from experiments.supervised.protocol import main

sys.exit(main())
