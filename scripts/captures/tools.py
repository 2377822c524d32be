"""Client software that comes from a package index, in a virtual environment beside the system's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("aioquic", "httpx[http2]", "websockets")  # HTTP/3, HTTP/2, WebSocket


def install() -> Path:
    """Give the folder of the environment, made on the first run."""
    folder = Path(tempfile.gettempdir()) / "l7meter-capture-tools"
    if not (folder / "ready").exists() and not os.environ.get("L7METER_CAPTURE_LAB"):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *PACKAGES], check=True)
        (folder / "ready").touch()
    return folder
