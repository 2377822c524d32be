"""Questions put to the store."""

from l7meter.analysis.catalogue import Query, catalogue, load, run

__all__ = ["Query", "catalogue", "load", "run"]
