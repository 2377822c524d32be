"""A message, and an exchange of two, as they went over the wire. All sizes are octets."""

from __future__ import annotations

from dataclasses import dataclass, field

from l7meter.captures.base import Moment
from l7meter.captures.heads import RequestLine, StatusLine


@dataclass(slots=True, eq=False)
class Message:
    """A message of HTTP/1.x as far as it was seen.

    `size` counts start line, fields, framed content and trailers; `body_size` content without
    chunk framing; `missing` the gaps inside, and the gap that ended it. `found` says that octets
    before it were passed over. `complete`: all of it was seen, to the end its framing names.
    """

    start: Moment
    end: Moment
    request: RequestLine | None = None
    status: StatusLine | None = None
    found: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    head_whole: bool = False
    head_size: int = 0
    size: int = 0
    body_size: int = 0
    missing: int = 0
    complete: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Exchange:
    """A request and its final response; of a side that was not seen all is None, empty or 0.

    Versions are "0.9", "1.0", "1.1"; octets that are no UTF-8 stand as their escapes. Field names
    are in lower case, values of one name joined with ", " (RFC 9110 5.3), trailers left out.
    Sizes are of messages as sent, as far as seen: start line, fields and content with its framing;
    body sizes are of content without framing. Interim responses (1xx) count in `response_size` and
    begin the response. Starts are the first octet's moment, ends the last one's that was seen.
    `missing` are octets of gaps inside a message, or of the gap that broke it off.
    `complete`: the whole final response was seen, and ended as its framing says.
    """

    method: str | None = None
    target: str | None = None
    version: str | None = None
    status: int | None = None
    response_version: str | None = None
    request_fields: dict[str, str] = field(default_factory=dict)
    response_fields: dict[str, str] = field(default_factory=dict)
    request_start: Moment | None = None
    request_end: Moment | None = None
    response_start: Moment | None = None
    response_end: Moment | None = None
    request_size: int = 0
    request_head_size: int = 0
    request_body_size: int = 0
    response_size: int = 0
    response_body_size: int = 0
    request_missing: int = 0
    response_missing: int = 0
    interim: int = 0  # responses (1xx) before the final one
    request_complete: bool = False
    complete: bool = False
    problem: str | None = None

    def say(self, *problems: str) -> None:
        """Add problems, each once, to what is said of the exchange."""
        if not problems:
            return
        said = self.problem.split("; ") if self.problem else []
        self.problem = "; ".join(dict.fromkeys([*said, *problems]))
