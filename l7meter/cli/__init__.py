"""The command line: each command reads its arguments, makes one call, and prints."""

from l7meter.cli.app import main, run

__all__ = ["main", "run"]
