"""Keys of pseudonyms: a file of them, each valid from a day, and the pseudonyms they make.

A pseudonym is HMAC-SHA256 (RFC 2104) of the value, cut to 96 bits, behind the id of its key:
`pseudonym:5b0c93d1:0f6e...`. Ten thousand million values collide with a probability below 10⁻⁹.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from numpy.typing import NDArray

from l7meter.errors import UsageError
from l7meter.privacy.addresses import read as read_address

OCTETS = 32
MARK = "pseudonym:"
_DIGITS = 24  # 96 bits
_PSEUDONYM = re.compile(rf"{MARK}[0-9a-f]{{8}}:[0-9a-f]{{{_DIGITS}}}")
_LINE = re.compile(rf"(\S+)\s+([0-9A-Fa-f]{{{2 * OCTETS}}})")
_HEAD = (
    "# Keys of l7meter's pseudonyms: FIRST-DAY KEY. Whoever reads this can tell whose they are.\n"
)


@dataclass(frozen=True, order=True)
class Key:
    """A key and the first day (UTC) of the records it is for. `repr` does not show the key."""

    first_day: date
    secret: bytes = field(repr=False)
    id: str = field(init=False, compare=False)  # tells it from others, and tells nothing of it
    _keyed: HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keyed", HMAC(self.secret, SHA256()))
        # no pseudonym is made of a text without NUL
        object.__setattr__(self, "id", self._digits(b"id")[:8])

    def address(self, text: str) -> str:
        """The pseudonym of an address however it is written, or of what stands in its place.

        A pseudonym stays what it is, so that a second application changes nothing.
        """
        if is_pseudonym(text):
            return text
        octets = read_address(text)
        return self._made(b"text\0" + _utf8(text) if octets is None else b"address\0" + octets)

    def name(self, text: str) -> str:
        """The pseudonym of a user name; one stays what it is."""
        return text if is_pseudonym(text) else self._made(b"name\0" + _utf8(text))

    def _made(self, value: bytes) -> str:
        return f"{MARK}{self.id}:{self._digits(value)[:_DIGITS]}"

    def _digits(self, value: bytes) -> str:
        keyed = self._keyed.copy()  # 1.0 µs a value; hmac.digest takes 2.8 µs
        keyed.update(value)
        return keyed.finalize().hex()


def is_pseudonym(text: str) -> bool:
    """Whether a text is written as a pseudonym is."""
    return text.startswith(MARK) and _PSEUDONYM.fullmatch(text) is not None


class Pseudonym(NamedTuple):
    """What a value is called under one key, for records of `first_day` to the day before `until`."""

    text: str
    key_id: str
    first_day: date | None  # None: since ever, the first key also serves what is older
    until: date | None  # None: no end yet


class Keys:
    """Keys in the order of their days. Raises `UsageError` where there are none."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise UsageError("no key: make one with 'l7meter privacy new-key FILE'")
        self._keys = tuple(sorted(keys))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a key file: `FIRST-DAY KEY-HEX(32 octets)` a line; `#` begins a comment.

        Raises `UsageError` for a file that is missing, faulty, or not its owner's alone. No message
        holds any of a key.
        """
        found: list[Key] = []
        for number, line in enumerate(_private_text(path).splitlines(), 1):
            if not (content := line.partition("#")[0].strip()):
                continue
            key = _key(content)
            if key is None:
                raise UsageError(f"{path}: line {number}: not FIRST-DAY KEY, as in 2026-01-31 and {2 * OCTETS} hexadecimal digits; add keys with 'l7meter privacy rotate'")  # fmt: skip
            for other in found:
                if key.first_day == other.first_day or key.id == other.id:
                    raise UsageError(f"{path}: line {number}: a second key of {other.first_day}; take out one of the two lines")  # fmt: skip
            found.append(key)
        if not found:
            raise UsageError(f"{path}: holds no key; make one in a new file with 'l7meter privacy new-key'")  # fmt: skip
        return cls(found)

    def ids(self) -> dict[str, str]:
        """First day of each key by its id: what may be published."""
        return {key.id: key.first_day.isoformat() for key in self._keys}

    def at(self, place: int) -> Key:
        """The key with this place."""
        return self._keys[place]

    def places(self, ts: pl.Series) -> NDArray[np.int64]:
        """The place of the key of each record by its `ts` (UTC); the first where it is older, or null."""
        if len(self._keys) == 1:
            return np.zeros(ts.len(), np.int64)
        first = [(key.first_day - date(1970, 1, 1)).days for key in self._keys]
        days = ts.dt.date().to_physical().fill_null(first[0]).to_numpy()
        return np.maximum(np.searchsorted(first, days, side="right") - 1, 0)

    def pseudonyms(self, address: str) -> list[Pseudonym]:
        """What an address is called under every key."""
        return self._under_each([key.address(address) for key in self._keys])

    def pseudonyms_of_name(self, name: str) -> list[Pseudonym]:
        """What a user name is called under every key."""
        return self._under_each([key.name(name) for key in self._keys])

    def _under_each(self, texts: Sequence[str]) -> list[Pseudonym]:
        days: list[date | None] = [None, *(key.first_day for key in self._keys[1:]), None]
        return [
            Pseudonym(text, key.id, days[place], days[place + 1])
            for place, (key, text) in enumerate(zip(self._keys, texts, strict=True))
        ]


def new_key(path: Path, first_day: date | None = None) -> Key:
    """Make a key file with one key, its owner's alone. Raises `UsageError` where the file exists."""
    key = Key(first_day or datetime.now(UTC).date(), secrets.token_bytes(OCTETS))
    try:
        _create(path, _HEAD + _written(key))
    except FileExistsError as error:
        raise UsageError(f"{path}: exists already, and is left as it is; add a key to it with 'l7meter privacy rotate {path}'") from error  # fmt: skip
    except OSError as error:
        raise UsageError(f"{path}: cannot be made: {error.strerror or error}") from error
    return key


def rotate(path: Path, first_day: date | None = None) -> Key:
    """Add a key to a file, for records from a day on (default: tomorrow, UTC).

    The file is replaced as a whole or not at all. Raises `UsageError` for a day that is not behind
    those of all keys there: records of it may be stored under another key.
    """
    day = first_day or datetime.now(UTC).date() + timedelta(days=1)
    keys = Keys.read(path)
    last = max(key.first_day for key in keys)
    if day <= last:
        raise UsageError(f"{path}: has a key from {last} on; a new one begins after that: give --from a later day")  # fmt: skip
    key = Key(day, secrets.token_bytes(OCTETS))
    real = path.resolve()  # a link stays one
    fresh = real.with_name(f"{real.name}.new")
    try:
        text = _private_text(path)
        _create(fresh, text + ("" if text.endswith("\n") else "\n") + _written(key))
        try:
            fresh.replace(real)
            _sync(real.parent)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise UsageError(f"{fresh}: exists: another rotation is at work, or was interrupted; if none is, remove it and run this again") from error  # fmt: skip
    except OSError as error:
        raise UsageError(f"{path}: cannot be replaced: {error.strerror or error}; it is as it was") from error  # fmt: skip
    return key


def _key(content: str) -> Key | None:
    if not (found := _LINE.fullmatch(content)):
        return None
    try:
        return Key(date.fromisoformat(found[1]), bytes.fromhex(found[2]))
    except ValueError:
        return None


def _private_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise UsageError(f"{path}: others than its owner may use it; say 'chmod 600 {path}', and rotate the key if they did")  # fmt: skip
            return file.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8; is it a key file?") from error
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such key file; make one with 'l7meter privacy new-key {path}'") from error  # fmt: skip
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _create(path: Path, text: str) -> None:
    """A new file of its owner's alone, durable; none where it cannot be written whole."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(key: Key) -> str:
    return f"{key.first_day.isoformat()} {key.secret.hex()}\n"


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
