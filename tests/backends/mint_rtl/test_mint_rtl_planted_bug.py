"""A deliberate mistake in the RTL is found by verify, at the right place."""

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, chain
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.builder import RTL, built_core, sources
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.executable import MintRtlExecutable

PROGRAM = chain(
    [Input("x", (3,), bits=2), Dense("fc", np.array([[1, 1, 1], [1, 1, 2]])), Lif("lif", theta=np.array(6))],
    timesteps=2,
)
INPUT = np.array([[1, 2, 1]])


@pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)
def test_strict_threshold_in_the_rtl_is_found_by_verify(tmp_path):
    for path in sources():
        (tmp_path / path.name).write_text(path.read_text().replace("pre_reset >= theta_i", "pre_reset > theta_i"))
    assert "pre_reset > theta_i" in (tmp_path / "mint_pe.sv").read_text()
    assert "pre_reset >= theta_i" in (RTL / "mint_pe.sv").read_text()
    buffers = Buffers(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64)
    config = CoreConfig.of(8, 8, 16, buffers)
    library = built_core(config, tmp_path / "cache", tmp_path)
    with MintRtlExecutable(PROGRAM, {"lif": config}, {config: library}, buffers, zero_skip=True) as executable:
        verdict = compare(run_oracle(PROGRAM, INPUT), executable.run(INPUT))
    assert str(verdict.first) == "node 'lif', timestep 1, sample 0, element (0,): spike expected 1, got 0"
    assert verdict.differences > 0
