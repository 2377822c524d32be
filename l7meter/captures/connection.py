"""One TCP connection: who opened it, what is spoken on it, and whose packets are whose.

Packets of a connection count for the exchange during which they passed: from the end of the one
before to its own end, the handshake for the first and what follows the last for the last. The sum is
that of all packets, exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from l7meter.captures import records
from l7meter.captures.base import Endpoint, Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.run import Past, Run, Skipped
from l7meter.captures.speech import Speech, says_client
from l7meter.captures.sums import Sums
from l7meter.captures.tcp import ACK, FIN, RST, SPACE, SYN, Held, Piece, Segment, Stream
from l7meter.captures.window import Integers

START = 32  # octets of a first segment that may tell who sent it
Row = dict[str, Any]


class Connection:
    """Packets in, rows out. `opener` sent the first packet that was captured."""

    def __init__(self, opener: Endpoint, other: Endpoint, at: Moment) -> None:
        self.ends = (opener, other)
        self.first = self.last = at
        self.wire = [0, 0]  # by end
        self.streams = (Stream(), Stream())  # by end
        self.isn: list[int | None] = [None, None]
        self.over = False  # closed on both sides, or reset
        self.by_columns = False  # at least in part
        self._client: int | None = None  # which end
        self._speech = Speech()
        self._closed = [False, False]  # by end
        self._done: list[tuple[Row, list[int]]] = []  # with the wire octets when it ended
        self._counted = [0, 0]  # wire octets that rows have, by end
        self._messages = 0

    @classmethod
    def again(cls, past: Past) -> Connection:
        """The connection as it would be, had it taken all of its packets."""
        made = cls(*past.ends, past.first)
        made.last, made.wire, made.over, made.by_columns = past.last, past.wire, True, True
        for end, stream in enumerate(made.streams):
            stream.ended(
                past.following[end], past.octets[end], past.acknowledged[end], past.closed[end]
            )
        made.isn = [(each - 1) % SPACE for each in past.following]
        made._client = 0
        made._speech.asks(b"GET / HTTP/1.1\r\n")
        made._speech.from_start = True
        for end in (0, 1):
            made._close(end, past.closed[end], clean=True)
        made._done.append((past.row, past.upto))
        made._counted = past.before
        made._messages = sum(past.octets)
        return made

    def segment(self, sender: int, segment: Segment, wire: int, at: Moment) -> Iterator[Row]:
        """Take a segment; gives the rows that are whole by now."""
        self.last = at
        self.wire[sender] += wire
        stream, other = self.streams[sender], self.streams[1 - sender]
        bare = not (segment.length or segment.flags & (SYN | FIN | RST))
        if bare and stream.started and stream.whole and other.whole:
            if segment.ack is not None:
                other.acknowledged(segment.ack)
            return
        self._orient(sender, segment)
        for piece in stream.segment(segment, at):
            self._piece(sender, piece)
        if segment.ack is not None:
            other.acknowledged(segment.ack)
        for piece in other.other_passed(at):
            self._piece(1 - sender, piece)
        for end in (sender, 1 - sender):
            if (closed := self.streams[end].closed) and not self._closed[end]:
                self._close(end, closed, clean=True)
        if segment.flags & RST:
            for end in (sender, 1 - sender):
                if not self._closed[end]:
                    for piece in self.streams[end].end(at):
                        self._piece(end, piece)
                    self._close(end, at, clean=False)
        self.over = all(self._closed)
        yield from self._whole(self._speech.finished())

    def goes_on(self, sender: int, seq: int) -> bool:
        """Whether data of this sequence number are the next ones, with nothing open before them."""
        whole = self.streams[1 - sender].whole and not any(self._closed)
        return whole and self.streams[sender].goes_on(seq)

    def takes(self, run: Run) -> bool:
        """Whether nothing about the connection asks for each packet of a run that goes on."""
        begun = self.streams[1 - run.sender].started or not run.opposite.any()
        return begun and self._speech.told  # else an acknowledgement begins the other stream

    def run(self, run: Run) -> Iterator[Row]:
        """Take a run of segments; gives the rows that are whole by now."""
        end, speech = run.sender, self._speech
        stream, side = self.streams[end], self._side(end)
        before = list(self.wire)
        data, sizes = run.data.tolist(), run.sizes.tolist()
        place, done = 0, 0
        while place < len(data):
            within = bisect_right(sizes, done + speech.expects(side), place)
            upto = max(within, place + 1)
            row, size = data[upto - 1], sizes[upto - 1] - done
            stream.passed(size)
            if within > place:  # content throughout: nobody looks at it
                speech.content(side, size, run.moment(row))
            else:
                speech.piece(side, Piece(run.payload(row), 0, run.moment(row)))
            place, done = upto, done + size
            if exchanges := speech.finished():
                passed = run.wire_passed(int(run.came[upto - 1]))
                self.wire[end] = before[end] + passed[0]
                self.wire[1 - end] = before[1 - end] + passed[1]
                yield from self._whole(exchanges)
        if run.held or len(run.late):
            stream.holds(run.segment(row) for row in run.late.tolist())
        self._finish(run, before)

    def awaits(self, sender: int) -> tuple[int, list[Held]] | None:
        """The sequence number of an end's next octet, and what it holds behind a hole.

        None where what follows cannot just be put in order.
        """
        if any(self._closed) or not self.streams[1 - sender].whole:
            return None
        return self.streams[sender].awaits()

    @property
    def holds(self) -> bool:
        """Whether something waits for octets before it."""
        return not all(stream.whole for stream in self.streams)

    def may_skip(self, run: Run, answer: int) -> bool:
        """Whether exchanges that tile a stretch can be taken for granted: nothing is under way."""
        other = self.streams[1 - run.sender]
        ready = self._client == run.sender and other.goes_on(answer) and not other.ahead
        return ready and self._speech.asks(run.payload(int(run.data[0])))

    def skip(self, run: Run, skipped: Skipped) -> Iterator[Row]:
        """Pass a stretch whose exchanges others have made records of."""
        yield from (self._with_wire(*row) for row in self._done)
        self._done.clear()
        end = run.sender
        for of, octets in ((end, skipped.asked), (1 - end, skipped.answered)):
            self.streams[of].passed(octets)
        self._messages += skipped.asked + skipped.answered
        passed = [
            [self.wire[end] + client, self.wire[1 - end] + server]
            for client, server in skipped.wire
        ]
        passed = [each[:: -1 if end else 1] for each in passed]  # by end
        if len(passed) > 1:
            self._counted = passed[0]
        self._done.append((skipped.last, passed[-1]))
        self._finish(run, self.wire)

    def wire_since(self, client: Integers, server: Integers) -> tuple[Integers, Integers]:
        """Wire octets of each exchange, from what had passed at its end since the stretch began."""
        ends = self._client or 0, 1 - (self._client or 0)
        counted = self._done[-1][1] if self._done else self._counted
        before = [self.wire[end] - counted[end] for end in ends]
        made = []
        for passed, open_ in zip((client, server), before, strict=True):
            each = passed.copy()
            each[1:] -= passed[:-1]
            each[0] += open_
            made.append(each)
        return made[0], made[1]

    def who(self) -> tuple[str, int, str, int]:
        """Address and port of the client and of the server."""
        client = self._client or 0
        return (*self._named(client), *self._named(1 - client))

    def _finish(self, run: Run, before: list[int]) -> None:
        """What a stretch leaves behind: octets of all its packets, and the last acknowledgements."""
        self.by_columns = True
        end = run.sender
        self.wire[end] = before[end] + int(run.wire[~run.opposite].sum())
        self.wire[1 - end] = before[1 - end] + int(run.wire[run.opposite].sum())
        self.last = run.moment(len(run.rows) - 1)
        for of, opposite in ((end, True), (1 - end, False)):
            ack = run.highest_ack(opposite=opposite)
            if ack is not None:
                self.streams[of].acknowledged(ack)

    def end(self, sums: Sums) -> Iterator[Row]:
        """The rows that are left; what the connection adds up to goes into the sums."""
        for end in (0, 1):
            for piece in self.streams[end].end(self.last):
                self._piece(end, piece)
        speech = self._speech
        for end in (0, 1):
            if not self._closed[end]:
                self._close(end, self.last, clean=False)
        yield from self._whole(speech.end())
        yield from self._last_rows()
        payload = sum(stream.octets for stream in self.streams)
        remainder = sum(speech.remainder)
        assert payload == self._messages + speech.overhead + speech.hidden + remainder, (
            f"{self.ends}: {payload} octets of payload, but {self._messages} of messages, "
            f"{speech.overhead} between them, {speech.hidden} closed, {remainder} left"
        )
        sums.connections += 1
        sums.exact_connections += not self.by_columns
        sums.payload_bytes += payload
        sums.message_bytes += self._messages + speech.overhead
        sums.tunnel_bytes += speech.hidden
        sums.remainder_bytes += remainder
        sums.wire_bytes += sum(self.wire)
        sums.missing_bytes += sum(stream.missing for stream in self.streams)
        for stream in self.streams:
            sums.limits.update(stream.limits)

    # Who is who

    def _orient(self, sender: int, segment: Segment) -> None:
        """Tell the client by the handshake, else by the first octets, else by the lower port."""
        if segment.flags & SYN:
            self.isn[sender] = segment.seq
            self._speech.from_start = None not in self.isn
            if self._client is None or not self._speech.told:
                self._client = 1 - sender if segment.flags & ACK else sender
        if self._client is None and segment.length:
            asks = says_client(segment.payload[:START])
            if asks is None:
                asks = self.ends[sender][1] >= self.ends[1 - sender][1]
            self._client = sender if asks else 1 - sender

    def _piece(self, end: int, piece: Piece) -> None:
        self._speech.piece(self._side(end), piece)

    def _close(self, end: int, at: Moment, *, clean: bool) -> None:
        self._closed[end] = True
        self._speech.close(self._side(end), at, clean=clean)

    def _side(self, end: int) -> Side:
        return Side.ORIG if end == (self._client or 0) else Side.RESP

    # Rows

    def _whole(self, exchanges: list[Exchange]) -> Iterator[Row]:
        for one in exchanges:
            if not (one.request_start or one.response_start):  # h2c's, when nobody answered it
                continue
            self._messages += one.request_size + one.response_size
            self._done.append((records.exchange(one), list(self.wire)))
            if len(self._done) > 1:
                yield self._with_wire(*self._done.pop(0))

    def _last_rows(self) -> Iterator[Row]:
        """The last exchange, what the connection is if there was none, and what is left over."""
        closed: list[Row] = []
        speech, last = self._speech, self.last
        if speech.tls:
            row = records.unread("tls", self.first, last, speech.octets, speech.missing)
            closed.append(row | records.tls(speech.tls))
        elif speech.tunnel and speech.tunnel_from:
            closed.append(records.unread("tunnel", speech.tunnel_from, last, speech.tunnel, speech.missing))  # fmt: skip
        if any(speech.remainder) or not (self._done or closed or self._messages):
            missing = None if closed else speech.missing
            closed.append(records.unread("remainder", self.first, last, speech.remainder, missing))
        rows = [row for row, _ in self._done] + closed
        for place, row in enumerate(rows):
            known = self._done[place][1] if place < len(self._done) else self.wire
            yield self._with_wire(row, self.wire if place == len(rows) - 1 else known)
        self._done.clear()

    def _with_wire(self, row: Row, wire: list[int]) -> Row:
        """The row with its own packets' octets, and who spoke to whom."""
        client = self._client or 0
        mine = [now - before for now, before in zip(wire, self._counted, strict=True)]
        self._counted = list(wire)
        row["client_wire_bytes"], row["server_wire_bytes"] = mine[client], mine[1 - client]
        row.setdefault("url_scheme", "http" if row["exchange_kind"] == "http" else None)
        records.behind(row, self._speech.client)
        return records.between(row, self.ends[client], self.ends[1 - client])

    def _named(self, end: int) -> tuple[str, int]:
        packed, port = self.ends[end]
        return records.address(packed), port
