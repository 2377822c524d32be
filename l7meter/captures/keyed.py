"""A capture with the secrets of its TLS and QUIC connections: read as ever, and once by tshark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import polars as pl

from l7meter.captures.engine import Capture
from l7meter.captures.replaced import replace
from l7meter.captures.sums import Sums
from l7meter.captures.tshark import Reading


class Keyed:
    """Stands where a `Capture` does. UsageError where tshark is not `tshark.available`.

    `pieces` are the capture's decompressed octets in order, `path` its file, which tshark reads for
    itself (uncompressed, or compressed by what tshark knows: gzip, Zstandard, LZ4); `keys` a key
    log, or None where the capture holds its own (pcapng). What tshark cannot give stays as it is.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        path: str | Path,
        keys: str | Path | None,
        *,
        engine: str = "columnar",
    ) -> None:
        self._capture = Capture(pieces, engine=engine)
        self._reading = Reading(path, Path(keys) if keys is not None else None)

    @property
    def engine(self) -> str:
        """The capture's."""
        return self._capture.engine

    @property
    def sums(self) -> Sums:
        """The capture's, with the octets of opened messages among the messages'."""
        return self._capture.sums

    @property
    def problem(self) -> str | None:
        """What is wrong with the capture, and with its opening; None while all is well."""
        problems = [each for each in (self._capture.problem, self._reading.problem) if each]
        return "; ".join(problems) or None

    def frames(self) -> Iterator[pl.DataFrame]:
        """Frames of `records.SCHEMA`, with exchanges in place of connections that could be opened."""
        with closing(self._reading.connections()) as opened:
            yield from replace(self._capture.frames(), opened, self.sums)
            for _ in opened:  # to its end, so that `problem` is final
                pass
