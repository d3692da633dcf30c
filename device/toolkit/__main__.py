"""`python -m toolkit` is `fairway`."""

import sys

from toolkit.cli import main

sys.exit(main())
