"""`python -m experiments.ablation`."""

import sys

from experiments.ablation.protocol import main

sys.exit(main())
