"""A real Lava for every test here: set up once if it is missing, never skipped."""

import os
import time
from pathlib import Path

import pytest

from spikequant_lava import environment
from spikequant_lava.selftest import check


@pytest.fixture(scope="session")
def lava_python() -> Path:
    environment.setup(check=check)
    return environment.current().python


class Leftovers:
    """Processes of jobs whose files lie in ``folder``, and shared memory that was not there before."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.before = self.segments()

    @staticmethod
    def segments() -> set[str]:
        return {name for name in os.listdir("/dev/shm") if name.startswith("psm_")}

    def processes(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.folder in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def wait_for(self, count: int, seconds: float = 30.0) -> list[int]:
        deadline = time.monotonic() + seconds
        while len(found := self.processes()) < count:
            assert time.monotonic() < deadline, f"only {len(found)} of {count} processes appeared"
            time.sleep(0.02)
        return found

    def assert_none(self, seconds: float = 10.0) -> None:
        """Other programs on the machine use shared memory too, so theirs gets time to go."""
        deadline = time.monotonic() + seconds
        while self.processes() or self.segments() - self.before:
            left = f"processes {self.processes()}, shared memory {sorted(self.segments() - self.before)}"
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


@pytest.fixture
def leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leftovers:
    """Put jobs under ``tmp_path`` so that their processes can be told from all others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Leftovers(tmp_path)
