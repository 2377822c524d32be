"""The manifest of a period's statements: which files there are, with what octets, and who says so.

`manifest.json` lists all files by name with size and SHA-256; `manifest.sig` is an ed25519 signature (RFC 8032) over
the octets of that file, base64 in one line. docs/fund-formats.md says how to verify both without l7meter.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from l7meter.statements.signing import new_key as new_key
from l7meter.statements.signing import private_key, sign, verifier
from l7meter.statements.writing import put

SCHEMA = "l7meter.manifest/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
Kind = Literal["missing", "changed", "unlisted", "unreadable", "manifest", "signature"]


class Problem(NamedTuple):
    """One thing that is not as the manifest says: its kind, the file within the folder, and a sentence."""

    kind: Kind
    where: str
    message: str


def write(folder: Path, document: Mapping[str, Any], files: Iterable[str], key: Path | None = None) -> None:  # fmt: skip
    """Write the manifest over files of a folder, and sign it with the key of a file.

    `document` is any statement of the period: it names the fund, the period, the policy and the store; `files` are paths within
    the folder. Without a key, a signature of an earlier manifest is removed. Raises `UsageError` for a key that cannot sign,
    before anything is written, `OSError` for a file that cannot be read.
    """  # fmt: skip
    signer = private_key(key) if key is not None else None
    stands = document["evidence"]
    manifest = {
        "schema": SCHEMA,
        "fund": document["fund"]["name"],
        "period": document["period"],
        "files": [{"name": name, **_of(folder / name)} for name in sorted({PurePosixPath(each).as_posix() for each in files})],
        "policy_sha256": stands["policy"]["sha256"],
        "store": stands["store"],
    }  # fmt: skip
    octets = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    (folder / SIGNATURE).unlink(missing_ok=True)
    put(folder / MANIFEST, octets)
    if signer is not None:
        put(folder / SIGNATURE, sign(signer, octets))


def check(folder: Path, public_key: Path | None = None) -> list[Problem]:
    """What of a folder is not as its manifest says, in the order of names; with a public key also whether its owner signed it.

    Without one, the manifest is taken at its word. Raises `UsageError` for a file that is no ed25519 public key.
    """  # fmt: skip
    signed = verifier(public_key) if public_key is not None else None
    try:
        octets = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return [Problem("missing", MANIFEST, "the folder has no manifest; ask for the whole folder anew")]  # fmt: skip
    except OSError as error:
        return [Problem("unreadable", MANIFEST, f"cannot be read: {error.strerror or error}")]
    problems: list[Problem] = []
    if signed is not None and (fault := signed(folder / SIGNATURE, octets)) is not None:
        problems.append(Problem("signature", SIGNATURE, fault))
    try:
        listed = _listed(octets)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return [*problems, Problem("manifest", MANIFEST, f"is no {SCHEMA}: {error or type(error).__name__}")]  # fmt: skip
    found = [*_compared(folder, listed), *_unlisted(folder, listed, public_key)]
    return problems + sorted(found, key=lambda each: each.where)


def _of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"sha256": digest, "bytes": file.tell()}


def _listed(octets: bytes) -> dict[str, tuple[str, int]]:
    manifest = json.loads(octets)
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ValueError("it does not say so")
    found: dict[str, tuple[str, int]] = {}
    for each in manifest["files"]:
        name, digest, size = each["name"], each["sha256"], each["bytes"]
        if not isinstance(name, str) or not isinstance(digest, str) or not isinstance(size, int):
            raise ValueError(f"file {name!r} is not listed with its SHA-256 and bytes")
        if name in found:
            raise ValueError(f"file {name!r} is listed twice")
        found[name] = digest, size
    return found


def _compared(folder: Path, listed: Mapping[str, tuple[str, int]]) -> Iterator[Problem]:
    for name, (digest, size) in listed.items():
        if _outside(name):
            yield Problem("manifest", name, "the manifest names a file outside of its folder")
            continue
        try:
            now = _of(folder / name)
        except FileNotFoundError:
            yield Problem("missing", name, f"is not there: {size} octets that the manifest lists")
        except (OSError, ValueError) as error:
            yield Problem("unreadable", name, f"cannot be read: {error}")
        else:
            if now["bytes"] != size:
                yield Problem("changed", name, f"{now['bytes']} octets, not {size}")
            elif now["sha256"] != digest:
                yield Problem("changed", name, f"SHA-256 {now['sha256']}, not {digest}")


def _outside(name: str) -> bool:
    """A manifest whose signature nobody asked for may say anything: `../../etc/passwd`."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or str(path) != name


def _unlisted(folder: Path, listed: Mapping[str, object], public_key: Path | None) -> Iterator[Problem]:  # fmt: skip
    own = {folder / MANIFEST, folder / SIGNATURE}
    key = public_key.resolve() if public_key is not None else None  # it may lie beside them
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            name = path.relative_to(folder).as_posix()
            if name not in listed and path not in own and path.resolve() != key:
                yield Problem("unlisted", name, "the manifest does not list it")
