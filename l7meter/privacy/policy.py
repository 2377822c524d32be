"""What of a person may reach the disk: one policy, checked before anything is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from l7meter.errors import UsageError
from l7meter.privacy.addresses import KEPT_BITS
from l7meter.privacy.decisions import AGENT, NETWORK
from l7meter.privacy.keys import Keys

Addresses = Literal["full", "truncated", "pseudonymous", "none"]
Kept = Literal["keep", "drop"]
Referrers = Literal["keep", "origin", "drop"]
UserNames = Literal["keep", "pseudonymous", "drop"]
WORDS: dict[str, tuple[str, ...]] = {
    "addresses": get_args(Addresses),
    "queries": get_args(Kept),
    "referrers": get_args(Referrers),
    "user_names": get_args(UserNames),
    "agents": get_args(Kept),
    "fingerprints": get_args(Kept),
    "rejects": get_args(Kept),
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is kept of each kind of personal data (docs/privacy.md); the default keeps all.

    `rejects` is the text of lines that are no records: it holds whatever the line held, so it is
    dropped under every policy that drops or changes anything else, whatever `rejects` says.
    """

    addresses: Addresses = "full"
    key_file: Path | None = None
    queries: Kept = "keep"
    referrers: Referrers = "keep"
    user_names: UserNames = "keep"
    agents: Kept = "keep"
    fingerprints: Kept = "keep"
    rejects: Kept = "keep"

    @property
    def keeps_records(self) -> bool:
        """Whether records are kept as they are."""
        return all(getattr(self, name) == words[0] for name, words in WORDS.items() if name != "rejects")  # fmt: skip

    @property
    def keeps_rejected_text(self) -> bool:
        """Whether the text of rejected lines is kept."""
        return self.keeps_records and self.rejects == "keep"

    @property
    def has_pseudonyms(self) -> bool:
        """Whether it needs keys."""
        return "pseudonymous" in (self.addresses, self.user_names)

    def check(self) -> None:
        """Raise `UsageError` for unknown words, and for a key file that is missing, faulty or open to others."""
        for name, words in WORDS.items():
            if (said := getattr(self, name)) not in words:
                near = get_close_matches(str(said), words, 1)
                hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(words)}"
                raise UsageError(f"privacy: {name} = {said}: unknown word; {hint}")
        self.keys()

    def keys(self) -> Keys | None:
        """The keys of its pseudonyms; None where it makes none. Raises `UsageError` as `Keys.read` does."""
        if not self.has_pseudonyms:
            return None
        if self.key_file is None:
            raise UsageError("privacy: pseudonyms need a key file; make one with 'l7meter privacy new-key FILE' and name it (--privacy-key-file, key_file)")  # fmt: skip
        return Keys.read(self.key_file)

    def manifest(self) -> dict[str, Any]:
        """What it does, as JSON can hold it: no key, and no path."""
        return _manifest(self, self.keys())

    @property
    def id(self) -> str:
        """Sixteen digits of a hash of `manifest`: equal ids, equal treatment."""
        return _id(self.manifest())

    def final_columns(self) -> tuple[str, ...]:
        """Concluded columns that cannot be concluded again from what is stored: keep them as they are.

        They were concluded before anything was taken away; a second conclusion would find nothing, or
        another network.
        """
        network = self.addresses != "full" or self.user_names != "keep" or self.agents != "keep"
        verified = self.addresses != "full" or self.agents != "keep"
        return (
            *(NETWORK if network else ()),
            *(AGENT if self.agents != "keep" else ()),
            *(("agent_verification",) if verified else ()),
        )


def policy_from(settings: Mapping[str, Any]) -> Policy:
    """A checked policy of settings by their names; those that are None or left out keep.

    Raises `UsageError` for names and words there are not, and as `Policy.check` does.
    """
    known = {field.name for field in fields(Policy)}
    if unknown := sorted(set(settings) - known):
        raise UsageError(f"privacy: unknown setting {unknown[0]}: there are {', '.join(sorted(known))}")  # fmt: skip
    given = {name: value for name, value in settings.items() if value is not None}
    if "key_file" in given:
        given["key_file"] = Path(given["key_file"])
    policy = Policy(**given)
    policy.check()
    return policy


def _manifest(policy: Policy, keys: Keys | None) -> dict[str, Any]:
    said: dict[str, Any] = {name: str(getattr(policy, name)) for name in WORDS}
    said["rejects"] = "keep" if policy.keeps_rejected_text else "drop"
    if policy.addresses == "truncated":
        said["kept_bits"] = {"ipv4": KEPT_BITS[4], "ipv6": KEPT_BITS[16]}
    if keys:
        said["pseudonyms"] = "hmac-sha256-96"
        said["keys"] = keys.ids()
    return said


def _id(manifest: Mapping[str, Any]) -> str:
    return sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
