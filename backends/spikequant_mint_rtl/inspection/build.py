"""Build the core for inspection: PyVerilator's wrapper text around a model with visible registers.

PyVerilator's own ``build()`` is not used: it needs perl, fails on Verilator 5, and leaves internal
signals out. Its wrapper expects them as members of the model; the class written here has them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spikequant_mint_rtl.builder import RTL, TOP
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.inspection import visible
from spikequant_mint_rtl.inspection.library import Variant, built_variant
from spikequant_mint_rtl.inspection.shim import pyverilator, wrapper_text

MODEL = "mint_inspect"
FLAGS = ("-DVM_COVERAGE=0", "-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DVL_USER_FINISH", "-DVL_TIME_CONTEXT")
CLASS = """#include "V{top}.h"
#include "V{top}___024root.h"
struct Context {{
    VerilatedContext* const before = Verilated::threadContextp();
    VerilatedContext context;
    Context() {{ context.traceEverOn(true); }}
    ~Context() {{ Verilated::threadContextp(before); }}
}};
class V{model} : private Context, public V{top} {{
  public:
    V{model}() : V{top}{{&context}} {{ Verilated::threadContextp(before); }}
{members}
}};
"""


def inspected_core(config: CoreConfig, cache: Path | None = None, rtl: Path = RTL) -> Path:
    """Return the library of a core for :class:`~spikequant_mint_rtl.inspection.model.Model`.

    Raises:
        BackendError: PyVerilator or a tool is missing, a tool failed, or the cache cannot be written.
    """
    template = Path(str(pyverilator().template_cpp.__file__)).read_bytes()
    own = b"".join(Path(str(path)).read_bytes() for path in (__file__, visible.__file__))
    variant = Variant("inspect", ("--trace",), FLAGS, write_wrapper, (template, own), visible.control_file())
    return built_variant(variant, config, cache, rtl)


def inspected_cores(configs: Sequence[CoreConfig], cache: Path | None = None) -> list[Path]:
    """Return the library of each core; those to be built are built side by side."""
    with ThreadPoolExecutor(max(1, min(len(configs), os.cpu_count() or 1))) as pool:
        return list(pool.map(lambda config: inspected_core(config, cache), configs))


def write_wrapper(folder: Path) -> Path:
    """Write the model class and PyVerilator's entry points beside the verilated model; return the C++ file."""
    internals = visible.internals_of(folder, TOP)
    inputs, outputs = visible.ports_of(folder, TOP)
    (folder / f"V{MODEL}.h").write_text(_model_class(internals), encoding="utf-8")
    text = wrapper_text(MODEL, inputs, outputs, [(item.alias, item.width) for item in internals])
    path = folder / "wrapper.cpp"
    path.write_text(text + _setters(internals), encoding="utf-8")
    return path


def _model_class(internals: list[visible.Internal]) -> str:
    """Return a class derived from the model, with a reference to each visible signal.

    It brings a context of its own: PyVerilator puts all models into the default one, to which Verilator
    lets none be added once time has passed. Its other entry points stay with the default context.
    """
    members = "\n".join(
        f"    decltype((rootp->{item.member})) {item.alias} = rootp->{item.member};" for item in internals
    )
    return CLASS.format(top=TOP, model=MODEL, members=members)


def _setters(internals: list[visible.Internal]) -> str:
    """Return entry points that write internal signals, in the form of PyVerilator's own for inputs."""
    lines = ['\nextern "C" {']
    for item in internals:
        if item.width > 64:
            arguments, body = "int word, uint64_t value", f"top->{item.alias}[word] = value;"
        else:
            kind = "uint64_t" if item.width > 32 else "uint32_t"
            arguments, body = f"{kind} value", f"top->{item.alias} = value;"
        lines.append(f"int set_{item.alias}(V{MODEL}* top, {arguments}) {{ {body} return 0; }}")
    return "\n".join([*lines, "}\n"])
