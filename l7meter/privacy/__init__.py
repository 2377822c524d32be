"""What must not be kept of a person never reaches the disk: policies, keys, and the frames they change.

Applied at ingest behind attribution and before anything is written. Knows the schema, and no other room.
"""

from __future__ import annotations

from l7meter.privacy.applying import Privacy
from l7meter.privacy.decisions import PERSONAL, listing, table
from l7meter.privacy.keys import Key, Keys, Pseudonym, new_key, rotate
from l7meter.privacy.policy import WORDS, Policy, policy_from
from l7meter.privacy.selecting import selection, untold

__all__ = ["PERSONAL", "WORDS", "Key", "Keys", "Policy", "Privacy", "Pseudonym", "listing", "new_key", "policy_from", "rotate", "selection", "table", "untold"]  # fmt: skip
