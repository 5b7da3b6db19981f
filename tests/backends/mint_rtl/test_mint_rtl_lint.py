"""The RTL is clean under the strictest lint, for every width."""

import os

import pytest

from spikequant_mint_rtl.builder import TOP, CoreConfig, sources
from spikequant_mint_rtl.toolchain import find_toolchain, run_tool, tools_here

pytestmark = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


@pytest.mark.parametrize(
    "config", [CoreConfig(8, 8, 24), CoreConfig(4, 4, 16), CoreConfig(2, 2, 32), CoreConfig(2, 16, 32, 16, 22)]
)
def test_lint_reports_nothing(config):
    tools = find_toolchain()
    environment = {**os.environ, "VERILATOR_ROOT": str(tools.root)}
    command = [tools.verilator, "--lint-only", "-Wall", "--quiet", "--top-module", TOP, *config.parameters, *sources()]
    assert run_tool(command, environment) == ""
