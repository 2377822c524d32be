"""Phenomena where octets stop being HTTP/1.x: tunnels, WebSocket, HTTP/2, TLS, QUIC."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from captures import configs
from captures.exchanges import LIST, MEDIUM, SHORT, SMALL
from captures.lab import SERVER, Lab
from captures.registry import phenomenon

HERE = Path(__file__).parent


@phenomenon("connect-tunnel", "curl, Squid, nginx")
def connect_tunnel(lab: Lab) -> None:
    """CONNECT through a proxy, and plain HTTP inside of the tunnel; then a tunnel refused (503).
    The truth has the proxy's lines and the origin's, which sees the proxy as its client.
    """
    errors = lab.work / "squid/errors"
    shutil.copytree("/usr/share/squid/errors/templates", errors)
    (errors / "ERR_CONNECT_FAIL").write_text("<p>No connection to the origin.</p>\n")
    text = configs.squid(str(lab.work))
    (lab.work / "squid/squid.conf").write_text(text)
    lab.start("squid", "-N", "-f", "squid/squid.conf", port=configs.SQUID)
    proxy = ["curl", "-s", "-x", f"http://{SERVER}:{configs.SQUID}", "--proxytunnel"]
    proxy += ["-H", "Host: example.org", "-o", "body"]
    origin = f"http://{SERVER}:{configs.PLAIN}"
    with lab.capture("connect-tunnel", expression=f"tcp port {configs.SQUID}"):
        lab.run(*proxy, f"{origin}{LIST}", "-o", "body", f"{origin}{SMALL}")
        lab.run(*proxy, f"http://{SERVER}:9/")


@phenomenon("proxy-protocol", "curl, HAProxy, nginx")
def proxy_protocol(lab: Lab) -> None:
    """Behind a load balancer whose PROXY header names the client: two exchanges after version 1, one
    after version 2, one in TLS after version 2; captured between the balancer and nginx.
    """
    ports = {"plain": configs.PROXIED, "tls": configs.PROXIED_TLS}
    lab.nginx("proxied", configs.nginx(**ports, h2c=8092, balancer=SERVER), configs.PROXIED)
    (lab.work / "haproxy.cfg").write_text(configs.haproxy(SERVER))
    lab.start("haproxy", "-db", "-f", "haproxy.cfg", port=configs.BALANCED)
    expression = " or ".join(f"tcp port {port}" for port in ports.values())
    keylog = lab.out / "proxy-protocol.keylog"
    keylog.unlink(missing_ok=True)
    with lab.capture("proxy-protocol", expression=expression, device="lo", ns="server"):
        lab.curl(SHORT, SMALL, port=configs.BALANCED)
        lab.curl(LIST, port=configs.BALANCED_V2)
        secure = ["--http1.1", "-o", "body", f"https://example.org{SMALL}"]
        lab.curl(*secure, port=configs.BALANCED_TLS, keylog=keylog)


@phenomenon("websocket-upgrade", "websockets, nginx, websockets behind it")
def websocket_upgrade(lab: Lab) -> None:
    """101 (Switching Protocols) to WebSocket, messages, one of which looks like a request."""
    python, program = str(lab.tools / "bin/python"), str(HERE / "websocket.py")
    port = configs.WEBSOCKET
    lab.start(python, program, "serve", str(port), port=port)
    with lab.capture("websocket-upgrade"):
        lab.run(python, program, "talk", SERVER, str(configs.PLAIN))


@phenomenon("h2c-prior-knowledge", "httpx, nginx")
def h2c_prior_knowledge(lab: Lab) -> None:
    """HTTP/2 without TLS from the first octet; three streams at once on one connection."""
    program = [str(lab.tools / "bin/python"), str(HERE / "client_http2.py")]
    with lab.capture("h2c-prior-knowledge"):
        lab.run(*program, SERVER, str(configs.H2C), LIST, MEDIUM, "/pages/missing.html")


@phenomenon("h2c-upgrade", "curl, Apache")
def h2c_upgrade(lab: Lab) -> None:
    """HTTP/1.1 that is upgraded to HTTP/2 by 101, on two connections; Apache logs both the 101 and
    the exchange that went on in HTTP/2.
    """
    (lab.work / "apache/apache2.conf").write_text(configs.apache(str(lab.work)))
    config = str(lab.work / "apache/apache2.conf")
    lab.start("apache2", "-DFOREGROUND", "-f", config, port=configs.APACHE)
    with lab.capture("h2c-upgrade"):
        for path in (LIST, SMALL):
            lab.curl("--http2", path, port=configs.APACHE)


def _secure(lab: Lab, name: str, *versions: str) -> None:
    keylog = lab.out / f"{name}.keylog"
    keylog.unlink(missing_ok=True)
    command = ["curl", "-s", "-k", "--http1.1", *versions]
    command += ["--connect-to", f"::{SERVER}:{configs.TLS}"]
    for path in (LIST, SMALL, SHORT):
        command += ["-o", "body", f"https://example.org{path}"]
    with lab.capture(name):
        lab.run(*command, keylog=keylog)


@phenomenon("tls13", "curl, nginx")
def tls13(lab: Lab) -> None:
    """Three exchanges of HTTP/1.1 in TLS 1.3, with the secrets."""
    _secure(lab, "tls13", "--tlsv1.3")


@phenomenon("tls12", "curl, nginx")
def tls12(lab: Lab) -> None:
    """Three exchanges of HTTP/1.1 in TLS 1.2, with the secrets."""
    _secure(lab, "tls12", "--tlsv1.2", "--tls-max", "1.2")


@phenomenon("quic-h3", "aioquic, Caddy")
def quic_h3(lab: Lab) -> None:
    """Three exchanges of HTTP/3 on one connection in QUIC version 1, with the secrets."""
    (lab.work / "Caddyfile").write_text(configs.caddy(str(lab.work)))
    lab.start("caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile",
              port=configs.QUIC, udp=True)  # fmt: skip
    keylog, raw = lab.out / "quic-h3.keylog", lab.work / "logs/caddy.json"
    program = [str(lab.tools / "bin/python"), str(HERE / "client_http3.py")]
    with lab.truth("quic-h3"):
        with lab.record(lab.out / "quic-h3.pcap", expression=f"udp port {configs.QUIC}"):
            lab.run(*program, SERVER, str(configs.QUIC), str(keylog), LIST, SMALL, SHORT)
        rows = [json.loads(line) for line in raw.read_text().splitlines()]
        lines = [json.dumps(_caddy_row(row)) + "\n" for row in rows if "request" in row]
        (lab.logs / "caddy.jsonl").write_text("".join(lines))


def _caddy_row(row: dict[str, Any]) -> dict[str, Any]:
    """The truth's names for what Caddy's log says; it does not count octets of heads."""
    request = row["request"]
    return {
        "server": "caddy",
        "time": row["ts"],
        "remote_addr": request["remote_ip"],
        "remote_port": int(request["remote_port"]),
        "server_addr": SERVER,
        "server_port": configs.QUIC,
        "method": request["method"],
        "request_uri": request["uri"],
        "server_protocol": request["proto"],
        "status": row["status"],
        "bytes_sent": None,
        "body_bytes_sent": row["size"],
        "request_length": None,
        "host": request["host"],
        "user_agent": request["headers"].get("User-Agent", [None])[0],
        "connection": None,
        "connection_requests": None,
        "completion": None,
    }
