"""Run one job: read it, let Lava run all samples in one go, write the result."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import shim
from .supervision import Supervision

shim.install()

from lava.magma.core.run_conditions import RunSteps  # noqa: E402 - Lava imports only after the shim
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402

from .network import Network  # noqa: E402


def run_job(job: Path, result: Path, supervision: Supervision) -> None:
    """Run the job file ``job``; ``result`` appears whole or not at all."""
    with np.load(job, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    description = json.loads(str(arrays.pop("description")))
    network = Network(description, arrays, result.parent / "recorded")
    steps = network.rows + description["steps_after"]

    network.first.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    supervision.guard(network.first.runtime._messaging_infrastructure.actors)  # Lava offers no public way
    started = time.perf_counter()
    network.first.run(condition=RunSteps(num_steps=steps))
    seconds = time.perf_counter() - started
    supervision.release()
    network.first.stop()

    values: dict[str, Any] = {}
    for name, recorder in network.recorders.items():
        values.update({f"{name}/{key}": recorder.read(key) for key in recorder.keys})
    report = {"steps": steps, "seconds": seconds, "versions": versions()}
    values["report"] = np.array(json.dumps(report))
    partial = result.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez(stream, **values)
    os.replace(partial, result)


def versions() -> dict[str, str]:
    """Versions of what ran."""
    packages = {name: importlib.metadata.version(name) for name in ("lava-nc", "numpy", "scipy")}
    return {**packages, "python": platform.python_version()}
