"""Errors a user can act on: each names the thing, the place and the next step."""

from __future__ import annotations

# Exit codes beside 0 and 1, a bug (docs/run.md)
USAGE, UNREADABLE, REJECTED, BUSY = 2, 3, 4, 5


class L7MeterError(Exception):
    """Base of every error that is the input's or the user's; printed without a traceback."""

    exit_code = UNREADABLE


class UsageError(L7MeterError):
    """The request itself is off: an unknown name, options that contradict each other."""

    exit_code = USAGE


class SourceError(L7MeterError):
    """A source cannot be read, or no format claims it."""


class StoreError(L7MeterError):
    """The store is missing, not ours, damaged, or of another version."""


class Conflict(StoreError):
    """Another process changed the same part of the store meanwhile: nothing was done, and it may be tried again."""
