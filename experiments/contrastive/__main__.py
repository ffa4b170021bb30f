"""`python -m experiments.contrastive`."""

import sys

from experiments.contrastive.protocol import main

sys.exit(main())
