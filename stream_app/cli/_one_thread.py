"""To be imported before numpy: threads only get in the way of small matrices, and would add in
another order each time."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
