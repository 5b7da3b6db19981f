"""The RTL is clean under the strictest lint, for every width."""

import os

import pytest

from spikequant_mint_rtl.builder import TOP, sources
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.toolchain import find_toolchain, run_tool, tools_here

pytestmark = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


CONFIGS = [
    CoreConfig(8, 8, 24),
    CoreConfig(4, 4, 16, weight_rows=2304),
    CoreConfig(2, 2, 32, weight_rows=4608, sum_rows=256),
    CoreConfig(2, 16, 32, weight_rows=4097, spike_depth_log2=22, sum_rows=1),
    CoreConfig(8, 2, 16, weight_rows=8, spike_depth_log2=4, sum_rows=4),
    CoreConfig(8, 8, 24, uq=True),
    CoreConfig(2, 2, 16, weight_rows=4608, uq=True),
    CoreConfig(4, 16, 32, uq=True),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_lint_reports_nothing(config):
    tools = find_toolchain()
    environment = {**os.environ, "VERILATOR_ROOT": str(tools.root)}
    command = [tools.verilator, "--lint-only", "-Wall", "--quiet", "--top-module", TOP, *config.parameters, *sources()]
    assert run_tool(command, environment) == ""
