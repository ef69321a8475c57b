"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes


def keep_freed_memory() -> None:
    """Let the GNU C library keep what is freed, up to 1 GiB, instead of giving it back to the system at once.

    An update frees some hundred megabytes that the next one wants again; fetched anew from the system, page by page,
    they cost 7 % of a CPU's time, and what a batch frees as its sentences end, some 4 % (docs/RESULTS.md). This is for
    commands, since it is the whole process's. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
    mallopt(m_trim_threshold, 1 << 30)
    mallopt(m_mmap_threshold, 32 << 20)  # the most it takes; what is larger goes back when it is freed, as before
