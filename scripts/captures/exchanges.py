"""Phenomena of HTTP/1.x messages (RFC 9112), each on a healthy network."""

from __future__ import annotations

from captures.lab import Lab
from captures.registry import phenomenon

LIST, SHORT = "/pages/list.html", "/pages/short.html"
SMALL, MEDIUM = "/packages/small.bin", "/packages/medium.bin"


def head(method: str, path: str, *fields: str, version: str = "HTTP/1.1") -> bytes:
    """The octets of a request head."""
    lines = [f"{method} {path} {version}", "Host: example.org", *fields, "", ""]
    return "\r\n".join(lines).encode()


@phenomenon("keep-alive", "curl, nginx")
def keep_alive(lab: Lab) -> None:
    """Five exchanges on one connection, one of them a 404; then a second connection with one."""
    with lab.capture("keep-alive"):
        lab.curl(LIST, SHORT, "/pages/missing.html", MEDIUM, SHORT)
        lab.curl(SHORT)


@phenomenon("pipelining", "raw socket, nginx")
def pipelining(lab: Lab) -> None:
    """GET, HEAD, GET and GET sent in one segment before any answer."""
    agent = "User-Agent: pipeline/1"
    wanted = [head("GET", LIST, agent), head("HEAD", MEDIUM, agent), head("GET", SHORT, agent)]
    with lab.capture("pipelining"):
        lab.octets(b"".join(wanted) + head("GET", SMALL, agent, "Connection: close"))


@phenomenon("chunked", "curl, nginx, Python http.server behind it")
def chunked(lab: Lab) -> None:
    """Chunked responses, from a chunked upstream and by gzip on the fly, and a chunked upload."""
    with lab.capture("chunked"):
        lab.curl("/upstream/pieces", "--compressed", "/gzip/list.html")
        upload = ["-T", "upload.bin", "-H", "Transfer-Encoding: chunked", "-H", "Expect:"]
        lab.curl(*upload, "/upstream/upload")


@phenomenon("head-304-204", "curl, nginx")
def head_304_204(lab: Lab) -> None:
    """Responses without content whatever their fields say: HEAD, 304 and 204."""
    with lab.capture("head-304-204"):
        lab.curl("-I", MEDIUM, SHORT)
        lab.curl("-H", "If-None-Match: *", MEDIUM, "/empty", SHORT)
        lab.curl(SHORT)


@phenomenon("range-206", "curl, nginx")
def range_206(lab: Lab) -> None:
    """One range, two ranges as multipart/byteranges, and a range that cannot be satisfied (416)."""
    with lab.capture("range-206"):
        lab.curl("-r", "100-1899", MEDIUM)
        lab.curl("-r", "0-99,500-899", MEDIUM)
        lab.curl("-r", "900000-", MEDIUM)


@phenomenon("expect-100-continue", "curl, nginx, Python http.server behind it")
def expect_continue(lab: Lab) -> None:
    """An upload that waits for 100 (Continue), then one that does not ask."""
    with lab.capture("expect-100-continue"):
        lab.curl("-T", "upload.bin", "-H", "Expect: 100-continue", "/upstream/upload")
        lab.curl("-d", "a=b", "/upstream/form")


@phenomenon("close-delimited-http10", "curl, nginx, Python http.server behind it")
def close_delimited(lab: Lab) -> None:
    """HTTP/1.0 responses that end with the connection: without a length, then with one."""
    with lab.capture("close-delimited-http10"):
        lab.curl("--http1.0", "/upstream/pieces")
        lab.curl("--http1.0", LIST)


@phenomenon("http09", "raw socket, nginx")
def http09(lab: Lab) -> None:
    """HTTP/0.9: a request of one line, a response without a head."""
    with lab.capture("http09"):
        lab.octets(f"GET {SHORT}\r\n".encode())


@phenomenon("aborted-download", "curl, raw socket, nginx with limit_rate")
def aborted_download(lab: Lab) -> None:
    """The client closes in the middle of a slow body: once by FIN, once by RST with octets unread."""
    with lab.capture("aborted-download"):
        lab.curl("-m", "1.5", "/slow/large.bin")
        lab.octets(head("GET", "/slow/medium.bin"), "--read", "5000")


@phenomenon("bad-request", "raw socket, nginx")
def bad_request(lab: Lab) -> None:
    """Octets that are no HTTP (400), then a head too large to be served (414)."""
    with lab.capture("bad-request"):
        lab.octets(b"\x16\x03nothing HTTP could mean\r\n\r\n")
        lab.octets(head("GET", "/" + "a" * 9000))
