"""Make the captures named by phenomenon, or those NAMEd: `python sample_pcaps/make.py [NAME ...]`.

Needs root, and on Debian nginx, curl, tcpdump and Wireshark's editcap and mergecap; Apache, Squid and
Caddy for the captures that name them. The programs are in `scripts/captures/`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captures.making import main  # noqa: E402

if __name__ == "__main__":
    main(ROOT / "sample_pcaps")
