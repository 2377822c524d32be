"""Who and what: the concluded columns of the record.

Each room works on distinct values (addresses, agents, targets) once and the result is spread over
the rows. `attribution_id` names the reference data and rules that made the conclusions.
"""

from l7meter.attribution.attribution import Attribution
from l7meter.attribution.explaining import explain, reference_data
from l7meter.attribution.memo import Memo

__all__ = ["Attribution", "Memo", "explain", "reference_data"]
