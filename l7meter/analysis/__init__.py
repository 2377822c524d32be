"""Questions put to the store."""

from l7meter.analysis.catalogue import Query, catalogue, load, run
from l7meter.analysis.quality import quality

__all__ = ["Query", "catalogue", "load", "quality", "run"]
