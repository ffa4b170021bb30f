"""`python -m experiments.feature_selection`."""

import sys

from experiments.feature_selection.protocol import main

sys.exit(main())
