"""What cannot be emitted is refused before a file is written."""

from dataclasses import replace

import numpy as np
import pytest

from spikequant.errors import BackendError, PluginError, RefusedError, UsageError
from spikequant.exporter import export_to
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Leak, Lif, chain
from spikequant.registry import registry
from spikequant_mint_rtl.emission import exporter as module
from spikequant_mint_rtl.emission.exporter import MintRtlExporter
from spikequant_mint_rtl.toolchain import tools_here

needs_tools = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


def program(**changes):
    lif = Lif("lif", theta=np.array(3), u_bits=4, **changes)
    return chain([Input("x", (4,), bits=1), Dense("fc", np.eye(4, dtype=np.int64), bits=2), lif], 2)


def test_a_node_that_the_core_does_not_run_is_named(tmp_path):
    refused = program(leak=Leak.by_shift(1, "nearest"))
    message = r"^backend 'mint_rtl' refuses the program: node 'lif': rounds its leak to nearest, .*$"
    with pytest.raises(RefusedError, match=message):
        export_to(MintRtlExporter(), refused, np.ones((1, 4), int), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@needs_tools
def test_nothing_is_written_when_rtl_and_oracle_differ(tmp_path, monkeypatch):
    def spoiled(given, inputs):
        trace = run_oracle(given, inputs)
        potentials = {name: array.copy() for name, array in trace.potentials.items()}
        potentials["lif"][1, 0, 2] += 1
        return replace(trace, potentials=potentials)

    monkeypatch.setattr(module, "run_oracle", spoiled)
    message = (
        r"^the simulated accelerator differs from the oracle: 1 differences \(.*\);"
        r" first: node 'lif', timestep 1, sample 0, element \(2,\): potential expected \d+, got \d+; please report it$"
    )
    with pytest.raises(BackendError, match=message):
        export_to(MintRtlExporter(), program(), np.ones((1, 4), int), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match=r"^.* exists and is no empty folder; delete it or give another$"):
        export_to(MintRtlExporter(), program(), np.ones((1, 4), int), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_exporter_is_offered_under_its_name():
    assert registry().get("exporter", "mint-rtl") is MintRtlExporter


def test_options_are_the_backends():
    with pytest.raises(
        PluginError, match=r"^exporter 'mint-rtl' has no option 'bogus'; its options are: zero_skip, .*$"
    ):
        registry().make("exporter", "mint-rtl", {"bogus": 1})
    with pytest.raises(PluginError, match=r"lanes is 'x'; it must be one of mint, uq$"):
        registry().make("exporter", "mint-rtl", {"lanes": "x"})
