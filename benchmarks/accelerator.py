"""The simulated MINT accelerator: cycles and processor time per image.

    python -m benchmarks.accelerator [NETWORK:BITS[:dense|:uq] ...]

Programs of tests/backends/mint_rtl/cifar_programs.py, trained for two steps only, on the first test image; and random
784-400-10 (``mnist``) on 50 images. T = 4.
Every trace is compared with the oracle first. Processor time is of a second run, which records nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks.data import images
from benchmarks.integer_inference import network as random_mlp
from spikequant.oracle import run_oracle
from spikequant.program import Program
from spikequant.registry import registry
from spikequant.verify import compare

sys.path.append(str(Path(__file__).parents[1] / "tests" / "backends" / "mint_rtl"))
from cifar_programs import cifar_program, rates

MODES: dict[str, dict[str, Any]] = {"": {}, "dense": {"zero_skip": False}, "uq": {"lanes": "uq"}}
ROWS = ["mnist:4", "mnist:4:dense", "vgg9:4", "vgg9:4:dense", "vgg9:4:uq", "vgg9:8", "vgg9:2", "vgg16:4", "resnet19:4"]


def made(network: str, bits: int) -> tuple[Program, NDArray[Any]]:
    """Return a program and values to run it on."""
    if network == "mnist":
        return random_mlp(), images(50).reshape(-1, 784)
    return cifar_program(network, bits, images=1)


def main() -> None:
    """Print one row per network, width and mode; exit 1 when a trace differs from the oracle's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=ROWS, metavar="NETWORK:BITS[:dense|:uq]")
    for row in parser.parse_args().rows:
        network, bits, mode = (*row.split(":"), "")[:3]
        program, values = made(network, int(bits))
        expected = run_oracle(program, values)
        with registry().make("backend", "mint_rtl", MODES[mode]).compile(program) as executable:
            verdict = compare(expected, executable.run(values))
            if not verdict.identical:
                sys.exit(f"{row}: {verdict}")
            start = time.process_time()
            cycles = executable.run(values, record=False).counts.cycles or 0
            seconds = time.process_time() - start
        fired = rates(expected.spikes).values()
        count = len(values)
        print(
            f"{row:14} {cycles / count:11,.0f} cycles  {1e3 * seconds / count:8,.1f} ms"
            f"  {cycles / seconds / 1e3:6,.0f} kcycles/s"
            f"  {100 * min(fired):.0f}-{100 * max(fired):.0f} % of neurons and steps fire by layer",
            flush=True,
        )


if __name__ == "__main__":
    main()
