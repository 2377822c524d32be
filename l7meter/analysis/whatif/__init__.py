"""What a remedy would save, on the requests that were measured."""

from l7meter.analysis.whatif.answer import Answer
from l7meter.analysis.whatif.scope import DIMENSIONS, Selection

__all__ = ["DIMENSIONS", "Answer", "Selection"]
