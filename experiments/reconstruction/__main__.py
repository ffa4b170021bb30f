"""`python -m experiments.reconstruction`."""

import sys

from experiments.reconstruction.protocol import main

sys.exit(main())
