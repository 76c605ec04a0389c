"""How Python serves two threads that must not wait for each other: engine and service."""

from __future__ import annotations

import gc
import sys

# The longest that one thread keeps the interpreter from the other, in seconds. A step of the engine
# can be shorter than Python's default of 5 ms.
SWITCH_INTERVAL_S = 0.0005


def settle() -> None:
    """Prepare for serving, once the model is loaded.

    Everything that exists now is taken out of garbage collection, for it stays. With PyTorch loaded
    a full one took 75 to 165 ms, in which nobody could say a word; what is allocated from now on is
    collected as ever, in well under a millisecond.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
