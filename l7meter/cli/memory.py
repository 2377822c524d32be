"""What a command asks of its runtime: allocators that give back what they took, and little idle work."""

from __future__ import annotations

import ctypes
import gc
import os

M_ARENA_MAX = -8  # malloc.h of glibc
YOUNG = 50_000  # objects after which cycles are sought among them; Python's 700 cost a tenth of a second to import


def bound() -> None:
    """Few arenas, for glibc and for Polars' jemalloc; to be called before Polars is imported.

    A 10 GB log takes 0.9 GB of memory instead of 1.1 (make bench).
    """
    gc.set_threshold(YOUNG)
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # NumPy's: its threads spin, nothing here asks for them
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:2,dirty_decay_ms:2000,muzzy_decay_ms:0")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
