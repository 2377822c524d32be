"""Mapping a line of the samples changes its address and its times, and no other octet."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from samples.lines import FORMS, address_of, epoch_of, rewrite

# 2026-11-22 23:59:58 UTC, moved by four seconds
SHIFT, EPOCH = 4, 1795391998
BEFORE_AND_AFTER = {
    "clf": (
        b'127.20.5.1 - 127.20.5.1 [22/Nov/2026:23:59:58 +0000] "GET /127.20.5.1 HTTP/1.1" 200 5 "-" "a"\n',
        b'2001:db8::7 - 127.20.5.1 [23/Nov/2026:00:00:02 +0000] "GET /127.20.5.1 HTTP/1.1" 200 5 "-" "a"\n',
    ),
    "vhost": (
        b'a.example.org:443 127.20.5.1 - - [23/Nov/2026:00:59:58 +0100] "GET /" 200 5 "-" "a"\n',
        b'a.example.org:443 2001:db8::7 - - [23/Nov/2026:01:00:02 +0100] "GET /" 200 5 "-" "a"\n',
    ),
    "l7meter": (
        b"1795391998.250\t0.001\t127.20.5.1\t4000\t127.20.5.1\n",
        b"1795392002.250\t0.001\t2001:db8::7\t4000\t127.20.5.1\n",
    ),
    "json": (
        b'{"time":"2026-11-22T23:59:58+00:00","msec":"1795391998.250","remote_addr":"127.20.5.1"}\n',
        b'{"time":"2026-11-23T00:00:02+00:00","msec":"1795392002.250","remote_addr":"2001:db8::7"}\n',
    ),
    "caddy": (
        b'{"ts":1795391998.2500123,"request":{"remote_ip":"127.20.5.1","client_ip":"127.20.5.1"}}\n',
        b'{"ts":1795392002.2500123,"request":{"remote_ip":"2001:db8::7","client_ip":"2001:db8::7"}}\n',
    ),
    "haproxy": (
        b'Nov 22 23:59:59 lb1 haproxy[9]: 127.20.5.1:4000 [22/Nov/2026:23:59:58.250] a b/c "GET /"\n',
        b'Nov 23 00:00:03 lb1 haproxy[9]: 2001:db8::7:4000 [23/Nov/2026:00:00:02.250] a b/c "GET /"\n',
    ),
    "squid": (
        b"1795391998.250      0 127.20.5.1 TCP_HIT/200 5 GET http://127.20.5.1/ - HIER_NONE/- a\n",
        b"1795392002.250      0 2001:db8::7 TCP_HIT/200 5 GET http://127.20.5.1/ - HIER_NONE/- a\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", sorted(FORMS))
def test_only_the_address_and_the_times_change(form):
    before, after = BEFORE_AND_AFTER[form]
    assert address_of(before, FORMS[form]) == "127.20.5.1"
    assert epoch_of(before, FORMS[form]) == EPOCH
    assert rewrite(before, FORMS[form], "2001:db8::7", SHIFT) == after


def test_a_line_without_a_client_has_no_address():
    line = b"Nov 22 23:59:59 lb1 haproxy[9]: Proxy git stopped (cumulated conns: FE: 4, BE: 0).\n"
    assert address_of(line, FORMS["haproxy"]) is None
