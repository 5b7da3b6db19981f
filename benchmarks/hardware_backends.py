"""Speed of the two hardware backends on a trained network: cycles and time an image, milliseconds a timestep.

    python -m benchmarks.hardware_backends [--samples 50]

Random 4-bit 784-400-10 on real MNIST images, T = 4; every trace is compared with the oracle first.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.data import images
from benchmarks.integer_inference import TIMESTEPS, network
from spikequant.oracle import run_oracle
from spikequant.registry import registry
from spikequant.verify import compare


def main() -> None:
    """Print one row per backend and mode; exit 1 when a trace differs from the oracle's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50)
    samples = parser.parse_args().samples
    program, x = network(), images(samples).reshape(-1, 784)
    expected = run_oracle(program, x)
    for name, options in (("mint_rtl", {}), ("mint_rtl", {"zero_skip": False}), ("lava", {})):
        with registry().make("backend", name, options).compile(program) as executable:
            executable.run(x[:1])
            start = time.perf_counter()
            trace = executable.run(x)
            seconds = time.perf_counter() - start
        verdict = compare(expected, trace)
        if not verdict.identical:
            sys.exit(f"{name}: {verdict}")
        cycles = trace.counts.cycles
        per_image = "" if cycles is None else f"  {cycles / samples:9,.0f} cycles an image,"
        rate = "" if cycles is None else f" {cycles / seconds / 1e3:7,.0f} kcycles/s,"
        image = 1e3 * seconds / samples
        print(
            f"{name:9} {options or ''!s:20}{per_image}{rate} {image:7.2f} ms an image, {image / TIMESTEPS:.2f} a step"
        )


if __name__ == "__main__":
    main()
