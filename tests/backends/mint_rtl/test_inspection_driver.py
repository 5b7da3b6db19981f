"""The driver pyverilator gives what the fast driver gives, and does not inherit the package's mistakes."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from spikequant.errors import BackendError, PluginError, UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Leak, Lif, Readout, chain
from spikequant.registry import registry
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.inspection import shim
from spikequant_mint_rtl.inspection.build import inspected_core
from spikequant_mint_rtl.inspection.model import open_model
from spikequant_mint_rtl.inspection.names import Names, state_names

READY = MintRtlBackend().availability().ready and importlib.util.find_spec("pyverilator") is not None
pytestmark = pytest.mark.skipif(not READY, reason="mint_rtl: verilator, g++ or pyverilator is missing")


def small_program():
    rng = np.random.default_rng(3)
    return chain(
        [
            Input("x", (2, 4, 4), bits=3, coding="per_step"),
            Conv2d("conv", rng.integers(-90, 90, (5, 2, 3, 3)), rng.integers(-40, 40, 5)),
            Lif("lif1", theta=np.array(150), u_bits=8, leak=Leak.by_shift(1, "floor")),
            Flatten("flat"),
            Dense("fc", rng.integers(-90, 90, (130, 20))),
            Lif("lif2", theta=np.array(60), u_bits=8, leak=Leak.by_shift(2, "toward_zero")),
            Dense("fc2", rng.integers(-90, 90, (3, 130))),
            Readout("out"),
        ],
        timesteps=3,
    )


@pytest.fixture(scope="module")
def model():
    opened = open_model(inspected_core(CoreConfig()))
    yield opened
    opened.close()


@pytest.mark.parametrize("zero_skip", [True, False])
def test_trace_and_counts_are_those_of_the_fast_driver(zero_skip):
    program = small_program()
    inputs = np.random.default_rng(4).integers(0, 8, (3, 2, 2, 4, 4))
    traces = []
    for driver in ("verilator", "pyverilator"):
        with MintRtlBackend(driver=driver, zero_skip=zero_skip).compile(program) as executable:
            traces.append(executable.run(inputs))
    fast, slow = traces
    verdict = compare(fast, slow)
    assert verdict.identical, verdict
    assert compare(run_oracle(program, inputs), slow).identical
    assert slow.counts == fast.counts
    assert slow.counts.fires > 0


def test_without_a_record_only_readouts_are_kept():
    program = small_program()
    inputs = np.random.default_rng(5).integers(0, 8, (3, 1, 2, 4, 4))
    with MintRtlBackend(driver="pyverilator").compile(program) as executable:
        trace = executable.run(inputs, record=False)
    assert trace.spikes == {}
    assert np.array_equal(trace.outputs["out"], run_oracle(program, inputs).outputs["out"])


def test_an_unknown_driver_is_named():
    with pytest.raises(UsageError, match=r"^backend 'mint_rtl': driver is 'icarus'; it must be one of verilator, pyv"):
        MintRtlBackend(driver="icarus")


def test_a_backend_without_drivers_says_which_options_it_has():
    with pytest.raises(PluginError, match=r"^backend 'reference' has no option 'driver'; its options are: "):
        registry().make("backend", "reference", {"driver": "pyverilator"})


def test_a_closed_executable_says_so():
    executable = MintRtlBackend(driver="pyverilator").compile(small_program())
    executable.close()
    executable.close()
    with pytest.raises(BackendError, match=r"^the executable is closed; compile the program again$"):
        executable.run(np.zeros((3, 1, 2, 4, 4), int))


def test_the_missing_package_is_named_with_its_command(monkeypatch):
    shim.pyverilator.cache_clear()
    monkeypatch.setattr(shim.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"^driver 'pyverilator' needs .* not installed; pip install 'spikequant\["):
        MintRtlBackend(driver="pyverilator").compile(small_program())


def test_writes_keep_the_bits_that_the_port_has(model):
    """PyVerilator itself leaves 253 and more in narrower ports."""
    model.write("host_sel_i", -3)
    assert model.read("host_sel_i") == 5
    model.io.host_addr_i = -1
    assert model.read("host_addr_i") == 0xFFFFFF
    model.write("host_addr_i", 0)
    model.write("host_sel_i", 0)


def test_internal_signals_are_there_in_pyverilators_own_form(model):
    model.write("mint_core__DOT__u_ctrl__DOT__t_q", 3)
    assert model.internals.u_ctrl.t_q == 3
    model.write("mint_core__DOT__u_ctrl__DOT__t_q", 0)
    assert model.clock.verilator_name == "clk_i"


def test_values_of_lanes_are_signed_and_changed_alone(model):
    names = Names(model)
    for lane, value in ((0, -128), (1, 127), (127, -1)):
        names.field("potential", lane).write(model, value)
    assert [names.field("potential", lane).read(model) for lane in (0, 1, 2, 127)] == [-128, 127, 0, -1]
    with pytest.raises(UsageError, match=r"^128 does not fit .*potential_q': 8 bits hold -128\.\.127$"):
        names.field("potential", 0).write(model, 128)


def test_two_models_of_one_library_do_not_share_time(model):
    model.clock.tick()
    other = open_model(inspected_core(CoreConfig()))
    other.write("host_addr_i", 7)
    assert model.read("host_addr_i") == 0
    other.close()
    model.clock.tick()


def test_states_are_those_of_the_rtl():
    from spikequant_mint_rtl.builder import RTL

    states = state_names(RTL)
    assert states[0] == "Idle"
    assert len(set(states)) == len(states) > 5


def test_the_package_does_not_import_by_itself_on_this_python_but_does_here():
    code = "import pyverilator"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (alone.returncode != 0) == (sys.version_info >= (3, 11)), alone.stderr
    code = (
        "import sys; from spikequant_mint_rtl.inspection.shim import pyverilator;"
        "print(pyverilator().PyVerilator.__name__, 'tclwrapper' in sys.modules)"
    )
    ours = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert ours.stdout == "PyVerilator False\n", ours.stderr


def test_steering_gtkwave_says_what_to_do_instead(model, tmp_path):
    with pytest.raises(BackendError, match=r"^PyVerilator cannot steer GTKWave here; open the \.vcd file"):
        shim.pyverilator().tclwrapper.TCLWrapper("gtkwave")


def test_a_damaged_library_is_named(tmp_path):
    (tmp_path / "core.so").write_bytes(b"nothing")
    with pytest.raises(BackendError, match=r"^the built core .*core\.so does not load: .*; delete it to build anew$"):
        open_model(tmp_path / "core.so")
