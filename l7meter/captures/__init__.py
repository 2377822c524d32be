"""Packet captures, as the records that a log of the same exchanges would give."""

from l7meter.captures.containers import first_time, is_capture
from l7meter.captures.engine import Capture
from l7meter.captures.keyed import Keyed
from l7meter.captures.sums import Sums

__all__ = ["Capture", "Keyed", "Sums", "first_time", "is_capture"]
