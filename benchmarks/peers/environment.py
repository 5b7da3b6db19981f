"""Environments of their own for peers, made once from pinned requirements and kept in the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

PEERS = Path(__file__).parent


def peer_python(name: str) -> Path:
    """Return the interpreter of a peer's environment; it is made when it is not there or its pins have changed."""
    pins = PEERS / f"{name}.txt"
    folder = Path(platformdirs.user_cache_dir("spikequant")) / "peers" / name
    python, made = folder / "bin" / "python", folder / "made-from.txt"
    if made.is_file() and made.read_bytes() == pins.read_bytes():
        return python
    print(f"making the environment of {name} in {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(pins)]
    if subprocess.run(install, check=False).returncode:
        sys.exit(f"the environment of {name} could not be made from {pins}; see pip's messages above")
    shutil.copy(pins, made)
    return python
