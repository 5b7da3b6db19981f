"""The tools, their environments, and jobs in them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import PEERS, peer_python
from spikequant.nir_profile import PlainForm


@dataclass(frozen=True)
class Tool:
    """A tool that reads and writes NIR.

    Attributes:
        name: As its people write it.
        version: That its environment pins.
        environment: Name of the pins in benchmarks/peers.
        form: The plain file that suits it best.
        words: The options of ``spikequant export`` that make it.
    """

    name: str
    version: str
    environment: str = "interchange-a"
    form: PlainForm = field(default_factory=lambda: PlainForm(unit_gain=True))
    words: str = "--plain --unit-gain"

    @property
    def key(self) -> str:
        """Its name in file names."""
        return self.name.lower()


TOOLS = (
    Tool("snnTorch", "1.0.0"),
    Tool("Norse", "1.1.0"),
    Tool("SpikingJelly", "2.0.0"),
    Tool("Sinabs", "3.1.3", "interchange-b", PlainForm("1.0.4"), "--plain --nir-version 1.0.4"),
)


def job(tool: Tool, what: str, folder: Path, jobs: list[Mapping[str, Any]] | None = None) -> dict[str, str]:
    """Run or make files in the tool's environment; return for each name an empty text, or why it failed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.json").write_text(json.dumps(jobs or []))
    command = [peer_python(tool.environment), PEERS / "interchange", what, tool.key, folder]
    with (folder / f"{what}.log").open("w") as log:
        if subprocess.run(list(map(str, command)), check=False, stdout=log, stderr=log).returncode:
            sys.exit(f"{tool.name} failed; see {log.name}")
    results: dict[str, str] = json.loads((folder / "results.json").read_text())
    return results
