"""Clients that curl cannot be: octets given on standard input, sent as they are, and how to read."""

from __future__ import annotations

import argparse
import socket
import sys
import time


def main() -> None:
    """Send standard input on one connection, then read to the end or to `--read` octets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--window", type=int, help="octets of receive buffer")
    parser.add_argument("--idle", type=float, default=0.0, help="seconds before the first read")
    parser.add_argument("--read", type=int, default=1 << 30, help="octets, then close")
    args = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        if args.window:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, args.window)
        connection.settimeout(10)
        connection.connect((args.address, args.port))
        connection.sendall(sys.stdin.buffer.read())
        time.sleep(args.idle)
        got = 0
        while got < args.read and (piece := connection.recv(min(4096, args.read - got))):
            got += len(piece)


if __name__ == "__main__":
    main()
