"""What a circuit's area is counted in: transistors by default, or um^2 with a user's Liberty library."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from spikequant.errors import UsageError, one_line
from spikequant.files import reason

LIBRARY = "library.lib"  # the name under which Yosys meets the user's file
CLOCK_PS = 2500
FLOP, RESET_FLOP = 16, 20  # transistors: Yosys's figure, and ours with a reset
SPAD_UM2_32NM = 4197.0  # 1 KB, one port of a byte, CACTI 7, 32 nm
_NODE_NM = 32


@dataclass(frozen=True)
class Technology:
    """How gates and memories become area.

    Attributes:
        name: What it is called beside every figure.
        liberty: Content of the library; ``None`` for the transistor estimate.
        node_nm: Feature size of the library, where the user said it.
    """

    name: str = "transistor estimate"
    liberty: bytes | None = None
    node_nm: float | None = None

    @property
    def unit(self) -> str:
        """Unit of every area."""
        return "transistors" if self.liberty is None else "um^2"

    @property
    def identity(self) -> str:
        """What decides the synthesis result, beside the circuit."""
        return "cmos" if self.liberty is None else hashlib.sha256(self.liberty).hexdigest()

    @property
    def mapping(self) -> tuple[str, ...]:
        """Yosys commands from generic gates to cells."""
        if self.liberty is None:
            flops = " ".join(f"-cell $_DFF_{kind}_ x" for kind in ("P", "PN0", "PN1"))
            map_flops, map_gates = f"dfflegalize {flops}", "abc"
        else:
            map_flops, map_gates = f"dfflibmap -liberty {LIBRARY}", f"abc -liberty {LIBRARY} -D {CLOCK_PS}"
        tidy = ("opt_expr", "opt_merge", "opt_clean")
        return (map_flops, *tidy, map_gates, "opt_clean")

    @property
    def count(self) -> str:
        """Yosys command that prints the cells of the netlist and their area as JSON."""
        return "stat -tech cmos -json" if self.liberty is None else f"stat -liberty {LIBRARY} -json"

    def memory(self, bits: int) -> float | None:
        """Return the area of a static memory of ``bits`` bits; ``None`` where nothing is known about the node."""
        if self.liberty is None:
            return 6.0 * bits
        if self.node_nm is None:
            return None
        return bits / 8192 * SPAD_UM2_32NM * (self.node_nm / _NODE_NM) ** 2

    @property
    def assumptions(self) -> dict[str, str]:
        """What each figure rests on, in words: for ``logic`` and for ``memory``."""
        if self.liberty is None:
            return {
                "logic": "Yosys 'stat -tech cmos' after its own optimization, no library: transistors of static CMOS "
                f"gates, {FLOP} a flip-flop, {RESET_FLOP} with asynchronous reset (our figure; Yosys has none), no "
                "sizing, wires or clock tree.",
                "memory": "6T cells, no periphery: 6 transistors per bit.",
            }
        logic = (
            f"cells of the Liberty library '{self.name}' after Yosys dfflibmap and abc -D {CLOCK_PS} (400 MHz asked "
            "for, not checked); Liberty names no unit of area, um^2 is assumed; no wires, clock tree or filling."
        )
        known = f"CACTI 7: {SPAD_UM2_32NM:.0f} um^2 for 1 KB with a port of one byte at {_NODE_NM} nm"
        if self.node_nm is None:
            return {"logic": logic, "memory": f"not comparable: {known}, and the library's node is unknown; --node NM."}
        scaled = f"{known}, scaled by ({self.node_nm:g}/{_NODE_NM})^2 and in proportion to the capacity"
        return {"logic": logic, "memory": f"{scaled} (too much for large memories, which are denser)."}


def read_technology(path: Path | None, node_nm: float | None = None) -> Technology:
    """Return the transistor estimate, or the technology of a Liberty file (``.lib`` or ``.lib.gz``).

    Raises:
        UsageError: The file cannot be read or holds no Liberty library, or a node was given without one.
    """
    if path is None:
        if node_nm is not None:
            raise UsageError("--node is the feature size of a Liberty library; give --liberty FILE too")
        return Technology()
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"--liberty {path} cannot be read: {reason(error)}; give a .lib or .lib.gz file") from error
    found = re.search(rb"^\s*library\s*\(\s*\"?([^\")\r\n]+?)\"?\s*\)", content, re.MULTILINE)
    if found is None:
        raise UsageError(f"--liberty {path} holds no 'library (NAME)'; give a Liberty file (.lib or .lib.gz)")
    return Technology(one_line(found[1].decode(errors="replace"), 60), content, node_nm)
