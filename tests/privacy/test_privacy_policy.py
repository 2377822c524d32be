"""Policies: checked words, stable ids, and what cannot be concluded again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from l7meter.errors import UsageError
from l7meter.privacy import WORDS, Policy, policy_from, rotate


@pytest.mark.parametrize("setting", WORDS)
def test_unknown_words_are_told(setting: str) -> None:
    with pytest.raises(UsageError, match=rf"privacy: {setting} = dorp: .*drop|none"):
        policy_from({setting: "dorp"})


def test_unknown_settings_are_told() -> None:
    with pytest.raises(UsageError, match="unknown setting adresses: there are addresses, agents"):
        policy_from({"adresses": "none"})


def test_settings_left_out_or_none_keep(key_file: Path) -> None:
    assert policy_from({"queries": None}) == Policy()
    given = policy_from({"addresses": "pseudonymous", "key_file": str(key_file)})
    assert given == Policy(addresses="pseudonymous", key_file=key_file)


def test_ids_tell_policies_apart_and_are_stable(key_file: Path) -> None:
    policies = [Policy(**{name: word}, key_file=key_file) for name, words in WORDS.items() for word in words[1:]]  # type: ignore[arg-type]  # fmt: skip
    policies.append(Policy())
    assert len({policy.id for policy in policies}) == len(policies)
    assert Policy(key_file=key_file).id == Policy().id  # keys that are not used say nothing
    # text of rejects goes anyway
    assert Policy(queries="drop", rejects="drop").id == Policy(queries="drop").id


def test_a_rotation_shows_in_id_and_manifest(key_file: Path) -> None:
    policy = Policy(addresses="pseudonymous", key_file=key_file)
    before = policy.manifest()
    assert list(before["keys"].values()) == ["2026-01-01", "2026-06-01"]
    assert json.loads(json.dumps(before)) == before
    first = policy.id
    rotate(key_file, date(2026, 7, 1))
    assert policy.id != first
    assert str(key_file) not in json.dumps(policy.manifest())


@pytest.mark.parametrize(
    ("settings", "some"),
    [
        ({}, set()),
        ({"queries": "drop", "referrers": "drop"}, set()),
        ({"addresses": "truncated"}, {"client_network", "organization", "agent_verification"}),
        ({"user_names": "drop"}, {"organization"}),
        ({"agents": "drop"}, {"agent_name", "agent_details", "agent_verification", "organization"}),
    ],
)
def test_final_columns(settings: dict[str, Any], some: set[str]) -> None:
    final = set(Policy(**settings).final_columns())
    assert bool(final) is bool(some)
    assert some <= final
    assert not final & {"purl", "package_name", "url_path", "is_download", "server_bytes"}
