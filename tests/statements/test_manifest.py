"""The manifest of statements: each octet that is another one is told, by the file's name."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from statement_documents import document

from l7meter.errors import UsageError
from l7meter.statements import manifest
from l7meter.statements.manifest import MANIFEST, SIGNATURE, Problem

FILES = {"example-ltd.json": b'{"a": 1}\n', "example-ltd/summary.csv": b"a\n1\n", "focus.csv": b""}
DOCS = Path(__file__).parents[2] / "docs" / "fund-formats.md"
PASSWORD = b"example"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "fund.pem"
    manifest.new_key(path)
    return path


def public(key: Path) -> Path:
    return key.with_name("fund.pem.pub")


def fill(folder: Path, key: Path | None = None) -> Path:
    for name, octets in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(octets)
    manifest.write(folder, document(), reversed(FILES), key)
    return folder


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    return fill(tmp_path / "2026-10", key)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    return fill(tmp_path_factory.mktemp("statements") / "2026-10", key)


def told(folder: Path, public_key: Path | None = None) -> list[tuple[str, str]]:
    return [(each.kind, each.where) for each in manifest.check(folder, public_key)]


def test_what_it_says(folder: Path) -> None:
    assert json.loads((folder / MANIFEST).read_bytes()) == {
        "schema": "l7meter.manifest/1",
        "fund": "Example Registry Fund",
        "period": {"first_day": "2026-10-01", "last_day": "2026-10-31", "days": 31},
        "files": [
            {"name": "example-ltd.json", "sha256": "e8c628edc9968ef0c668f54e0ba2636b35503357eb1aca0ddc828aeace432f67", "bytes": 9},
            {"name": "example-ltd/summary.csv", "sha256": "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc", "bytes": 4},
            {"name": "focus.csv", "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bytes": 0},
        ],
        "policy_sha256": "cd" * 32,
        "store": {"snapshot": 7, "files": 3, "digest": "blake3:ab"},
    }  # fmt: skip


def test_a_folder_as_it_was_written(folder: Path, key: Path) -> None:
    assert manifest.check(folder) == []
    assert manifest.check(folder, public(key)) == []


def test_the_public_key_may_lie_beside_the_files(folder: Path, key: Path) -> None:
    shutil.copy(public(key), folder)
    assert manifest.check(folder, folder / public(key).name) == []
    assert told(folder) == [("unlisted", "fund.pem.pub")]


@contextmanager
def flipped(path: Path, place: int, bit: int) -> Iterator[None]:
    before = path.read_bytes()
    octets = bytearray(before)
    octets[place % len(octets)] ^= 1 << bit
    path.write_bytes(octets)
    try:
        yield
    finally:
        path.write_bytes(before)


@given(st.sampled_from([*(name for name, octets in FILES.items() if octets), MANIFEST, SIGNATURE]), st.integers(0), st.integers(0, 7))  # fmt: skip
def test_one_flipped_bit_of_any_file_is_told(shared: Path, key: Path, name: str, place: int, bit: int) -> None:  # fmt: skip
    with flipped(shared / name, place, bit):
        found = told(shared, public(key))
    assert found[0] == (("signature", SIGNATURE) if name in (MANIFEST, SIGNATURE) else ("changed", name))  # fmt: skip
    assert len(found) == 1 or name == MANIFEST
    assert manifest.check(shared, public(key)) == []


def test_each_bit_of_the_signature_counts(shared: Path, key: Path) -> None:
    """The last letter of its base64 has four bits that mean nothing, and its line feed none that does."""
    size = len((shared / SIGNATURE).read_bytes())
    for place in range(size):
        for bit in range(8):
            with flipped(shared / SIGNATURE, place, bit):
                assert told(shared, public(key)) == [("signature", SIGNATURE)]


def test_files_that_are_missing_longer_or_not_listed(folder: Path) -> None:
    (folder / "focus.csv").unlink()
    (folder / "example-ltd.json").write_bytes(b'{"a": 1} \n')
    (folder / "example-ltd" / "more.csv").write_bytes(b"")
    assert manifest.check(folder) == [
        Problem("changed", "example-ltd.json", "10 octets, not 9"),
        Problem("unlisted", "example-ltd/more.csv", "the manifest does not list it"),
        Problem("missing", "focus.csv", "is not there: 0 octets that the manifest lists"),
    ]


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "focus.csv").unlink()
    (folder / "focus.csv").mkdir()
    assert told(folder) == [("unreadable", "focus.csv")]


def test_no_manifest(tmp_path: Path) -> None:
    assert told(tmp_path) == [("missing", MANIFEST)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "l7meter.manifest/2", "files": []}',
        '{"schema": "l7meter.manifest/1"}',
        '{"schema": "l7meter.manifest/1", "files": [1]}',
        '{"schema": "l7meter.manifest/1", "files": [{"name": "a", "sha256": "b", "bytes": "1"}]}',
        '{"schema": "l7meter.manifest/1", "files": [{"name": "a", "sha256": "b", "bytes": 1}, {"name": "a", "sha256": "c", "bytes": 1}]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    assert told(tmp_path) == [("manifest", MANIFEST)]


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside", "./a", "a\0b"])
def test_a_manifest_reads_nothing_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"")
    inner = tmp_path / "in"
    inner.mkdir()
    listed = [{"name": name, "sha256": "0", "bytes": 0}]
    (inner / MANIFEST).write_text(json.dumps({"schema": manifest.SCHEMA, "files": listed}))
    ((kind, where),) = told(inner)
    assert (kind, where) == ("unreadable" if "\0" in name else "manifest", name)


def test_the_signature_of_another_key(folder: Path, tmp_path: Path) -> None:
    manifest.new_key(tmp_path / "other.pem")
    (problem,) = manifest.check(folder, tmp_path / "other.pem.pub")
    assert problem == Problem("signature", SIGNATURE, "the manifest is not what the owner of other.pem.pub signed")  # fmt: skip


def test_an_unsigned_manifest_where_a_signature_is_wanted(tmp_path: Path, key: Path) -> None:
    assert told(fill(tmp_path / "unsigned"), public(key)) == [("signature", SIGNATURE)]


def test_an_earlier_signature_does_not_stay(folder: Path) -> None:
    manifest.write(folder, document(), FILES)
    assert not (folder / SIGNATURE).exists()
    assert manifest.check(folder) == []


def test_a_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "fund.pem"
    manifest.new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes(), public(path).read_bytes()
    with pytest.raises(UsageError, match=r"fund\.pem: is there already, and a key is never overwritten"):  # fmt: skip
        manifest.new_key(path)
    path.unlink()
    with pytest.raises(UsageError, match=r"fund\.pem\.pub: is there already"):
        manifest.new_key(path)
    assert not path.exists()
    path.symlink_to(tmp_path / "elsewhere")
    public(path).unlink()
    with pytest.raises(UsageError, match="is there already"):
        manifest.new_key(path)
    assert before[0].startswith(b"-----BEGIN PRIVATE KEY-----")
    assert before[1].startswith(b"-----BEGIN PUBLIC KEY-----")


def test_a_key_in_a_folder_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fund\.pem: the key cannot be written: No such file"):
        manifest.new_key(tmp_path / "nowhere" / "fund.pem")


def test_a_key_that_others_can_read_is_warned_of(tmp_path: Path, key: Path, caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    loose = tmp_path / "loose.pem"
    shutil.copy(key, loose)
    loose.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        fill(tmp_path / "a", key)
        assert caplog.messages == []
        fill(tmp_path / "b", loose)
    assert caplog.messages == [f"{loose}: others can read this private key (mode 0640); 'chmod 600' keeps it yours"]  # fmt: skip


def _pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:  # fmt: skip
    hidden = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, hidden)


PUBLIC = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)  # fmt: skip


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (_pem(rsa.generate_private_key(65537, 1024)), "signed with ed25519 keys, this is RSAPrivateKey; 'l7meter fund key FILE' makes one"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "signed with ed25519 keys, this is "),
        (_pem(ed25519.Ed25519PrivateKey.generate(), PASSWORD), "the key has a password"),
        (PUBLIC, "is a public key, which cannot sign"),
        (b"nothing", "is no private key in PEM"),
        (b"", "is no private key in PEM"),
        (None, "the key cannot be read: No such file"),
    ],
    ids=["rsa", "ec", "password", "public", "text", "empty", "missing"],
)  # fmt: skip
def test_keys_that_cannot_sign(tmp_path: Path, octets: bytes | None, message: str) -> None:
    path = tmp_path / "wrong.pem"
    if octets is not None:
        path.write_bytes(octets)
        path.chmod(0o600)
    folder = fill(tmp_path / "a")
    before = (folder / MANIFEST).stat().st_mtime_ns
    with pytest.raises(UsageError, match=re.escape(f"{path}: ") + ".*" + re.escape(message)):
        manifest.write(folder, document(), FILES, path)
    assert (folder / MANIFEST).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (_pem(ed25519.Ed25519PrivateKey.generate()), "is a private key, which its owner keeps"),
        (rsa.generate_private_key(65537, 1024).public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo), "this is RSAPublicKey; ask the fund for its key"),
        (b"nothing", "is no public key in PEM"),
    ],
    ids=["private", "rsa", "text"],
)  # fmt: skip
def test_keys_that_cannot_verify(shared: Path, tmp_path: Path, octets: bytes, message: str) -> None:
    path = tmp_path / "wrong.pub"
    path.write_bytes(octets)
    with pytest.raises(UsageError, match=re.escape(message)):
        manifest.check(shared, path)


def shell(folder: Path, commands: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-ec", commands], cwd=folder, capture_output=True, text=True, check=False)  # fmt: skip


def commands(word: str) -> str:
    """The commands of the page that use a program."""
    (block,) = [each for each in re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.S) if word in each]  # fmt: skip
    return block


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_alone_verifies_as_the_page_says(folder: Path, key: Path) -> None:
    shutil.copy(public(key), folder.parent)
    good = shell(folder, commands("openssl"))
    assert (good.returncode, good.stdout) == (0, "Signature Verified Successfully\n")
    with flipped(folder / MANIFEST, 100, 0):
        assert shell(folder, commands("openssl")).returncode == 1


@pytest.mark.skipif(None in (shutil.which("jq"), shutil.which("sha256sum")), reason="jq is not installed")  # fmt: skip
def test_sha256sum_verifies_as_the_page_says(folder: Path) -> None:
    assert shell(folder, commands("sha256sum")).returncode == 0
    with flipped(folder / "example-ltd.json", 0, 0):
        bad = shell(folder, commands("sha256sum"))
    assert bad.returncode == 1
    assert "example-ltd.json: FAILED" in bad.stdout
