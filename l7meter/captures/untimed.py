"""Packets whose record says no time (pcapng's simple packet block)."""

from __future__ import annotations

import numpy as np

from l7meter.captures.window import NO_TIME, Window

UNTIMED = "packet without a time"  # nor one before it


def timed(window: Window, before: int) -> Window:
    """The window with a time for each packet: where none is said, that of the packet before it.

    So its order holds, and no packet is later than it was. `before` is the time of the packet
    before the window, or NO_TIME; then packets ahead of the first time are left out.
    """
    said = window.time != NO_TIME
    if said.all():
        return window
    latest = np.maximum.accumulate(np.where(said, np.arange(len(said)), -1))
    time = np.where(latest >= 0, window.time[latest], before)
    first = int(np.count_nonzero(time == NO_TIME))
    return Window(
        window.data,
        window.start[first:],
        window.captured[first:],
        window.length[first:],
        time[first:],
        window.link[first:],
        window.number + first,
    )
