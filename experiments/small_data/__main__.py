"""`python -m experiments.small_data`."""

import sys

from experiments.small_data.protocol import main

sys.exit(main())
