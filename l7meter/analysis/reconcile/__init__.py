"""The provider's own figures against ours."""

from l7meter.analysis.reconcile.comparing import Reconciliation, reconcile
from l7meter.analysis.reconcile.providers import providers
from l7meter.analysis.reconcile.reading import Bill, read_bill

__all__ = ["Bill", "Reconciliation", "providers", "read_bill", "reconcile"]
