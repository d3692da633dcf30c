"""Python's collector of reference cycles, told to look seldom.

Records live for one batch and go by themselves; thousands of them are there at a time, and by its own
settings the collector would look through them all many times a batch: a tenth of a gateway's work.
"""

import gc
from typing import Final

_YOUNG: Final = 50_000  # objects made and still there, before it looks: three batches of records


def settle() -> None:
    """Leave alone what is loaded now, and look seldom at what comes; once, before the work begins."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
