"""Keys and signatures: ed25519 (RFC 8032) in PEM files, signatures as one line of base64."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l7meter.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LOG = logging.getLogger(__name__)
_MAKE = "'l7meter fund key FILE' makes one"


def new_key(path: Path) -> None:
    """Make a key: the private one (PEM, PKCS #8) for its owner alone (mode 0600), the public one beside it with `.pub`.

    Raises `UsageError` where either is there already, or cannot be written.
    """  # fmt: skip
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(f"{path.name}.pub")
    for each in (path, public):
        if each.exists() or each.is_symlink():
            raise UsageError(f"{each}: is there already, and a key is never overwritten; name another file")  # fmt: skip
    key = Ed25519PrivateKey.generate()
    _create(path, 0o600, key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))  # fmt: skip
    _create(public, 0o644, key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip


def _create(path: Path, mode: int, octets: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(octets)
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be written: {error.strerror or error}") from error


def private_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a PEM file; a warning is logged where others than its owner may read it.

    Raises `UsageError` for a file that is none, or has a key of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    octets = _read(path)
    if b"PUBLIC KEY" in octets:
        raise UsageError(f"{path}: is a public key, which cannot sign; give the private one")
    key = _loaded(path, "private", lambda: load_pem_private_key(octets, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: manifests are signed with ed25519 keys, this is {_kind(key)}; {_MAKE}")  # fmt: skip
    if (mode := path.stat().st_mode & 0o777) & 0o077:
        LOG.warning("%s: others can read this private key (mode %04o); 'chmod 600' keeps it yours", path, mode)  # fmt: skip
    return key


def sign(key: Ed25519PrivateKey, octets: bytes) -> bytes:
    """The signature's file: base64 in one line."""
    return base64.b64encode(key.sign(octets)) + b"\n"


def verifier(path: Path) -> Callable[[Path, bytes], str | None]:
    """A function that says what is wrong with a signature's file over some octets, by the public key of a PEM file.

    Raises `UsageError` for a file that is no such key.
    """  # fmt: skip
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    octets = _read(path)
    if b"PRIVATE KEY" in octets:
        raise UsageError(f"{path}: is a private key, which its owner keeps; give the public one, {path.name}.pub")  # fmt: skip
    key = _loaded(path, "public", lambda: load_pem_public_key(octets))
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path}: manifests are signed with ed25519 keys, this is {_kind(key)}; ask the fund for its key")  # fmt: skip

    def fault(file: Path, signed: bytes) -> str | None:
        try:
            said = file.read_bytes()
        except FileNotFoundError:
            return "the manifest is not signed: there is no such file"
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        try:
            signature = base64.b64decode(said, validate=False)
            # 64 octets leave four bits of the last letter idle: other letters would mean the same
            if base64.b64encode(signature) + b"\n" != said:
                return "is no signature: not one line of base64"
            key.verify(signature, signed)
        except (ValueError, InvalidSignature):
            return f"the manifest is not what the owner of {path.name} signed"
        return None

    return fault


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read: {error.strerror or error}") from error


def _loaded(path: Path, which: str, load: Callable[[], Any]) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load()
    except TypeError as error:
        raise UsageError(f"{path}: the key has a password, which nobody could give at night; {_MAKE} without") from error  # fmt: skip
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path}: is no {which} key in PEM; {_MAKE}") from error


def _kind(key: object) -> str:
    """`RSAPrivateKey`, ... : what the library calls it."""
    return type(key).__name__.strip("_")
