"""Which signals inside the core can be seen: marked for Verilator, then found in the model it writes.

PyVerilator looks for internal signals where Verilator no longer puts them, and finds none. Here the
chosen ones are kept by a Verilator configuration file and read off the generated header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

WRITABLE = tuple((module, "*_q") for module in ("mint_pe", "uq_pe", "mint_ctrl", "mint_agu", "mint_scan", "mint_regs"))
READABLE = (
    ("mint_scan", "beat_*_o"),
    *(("mint_core", name) for name in ("theta", "bias", "weights")),
)
PATTERNS = tuple(dict.fromkeys(pattern for _, pattern in (*WRITABLE, *READABLE)))

PORT = re.compile(r"VL_(IN|OUT)\w*\(&(\w+),(\d+),0(?:,\d+)?\);")
MEMBER = re.compile(r"^\s*(?:[CSIQ]Data|VlWide<\d+>)/\*(\d+):0\*/ (mint_core__DOT__\w+);$", re.MULTILINE)
INDEX = re.compile(r"__BRA__(\d+)__KET__")


@dataclass(frozen=True)
class Internal:
    """A signal inside the core.

    Attributes:
        member: Its name in Verilator's model.
        alias: Its name for PyVerilator, which takes no brackets.
        width: Bits.
    """

    member: str
    alias: str
    width: int

    @property
    def path(self) -> str:
        """Its name in the RTL, without the top module: ``u_array.g_lane[3].g_mint.u_pe.acc_q``."""
        return readable_path(self.member)


def control_file() -> str:
    """Return the Verilator configuration that keeps the signals."""
    lines = ["`verilator_config"]
    for rule, chosen in (("public_flat_rw", WRITABLE), ("public_flat_rd", READABLE)):
        lines += [f'{rule} -module "{module}" -var "{pattern}"' for module, pattern in chosen]
    return "\n".join(lines) + "\n"


def readable_path(member: str) -> str:
    """Return a member's name as the RTL has it.

    >>> readable_path("mint_core__DOT__u_array__DOT__g_lane__BRA__3__KET____DOT__u_pe__DOT__acc_q")
    'u_array.g_lane[3].u_pe.acc_q'
    """
    return INDEX.sub(r"[\1]", member).replace("__DOT__", ".").partition(".")[2]


def internals_of(folder: Path, top: str) -> list[Internal]:
    """Return the visible signals of a verilated model in ``folder``."""
    text = (folder / f"V{top}___024root.h").read_text(encoding="utf-8")
    found = []
    for high, member in MEMBER.findall(text):
        last = member.rpartition("__DOT__")[2]
        if "__" not in last and any(fnmatchcase(last, pattern) for pattern in PATTERNS):
            found.append(Internal(member, INDEX.sub(r"_\1", member), int(high) + 1))
    return found


def ports_of(folder: Path, top: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return names and widths of the inputs and of the outputs of a verilated model."""
    text = (folder / f"V{top}.h").read_text(encoding="utf-8")
    found = [(kind, name, int(high) + 1) for kind, name, high in PORT.findall(text)]
    return (
        [(name, width) for kind, name, width in found if kind == "IN"],
        [(name, width) for kind, name, width in found if kind == "OUT"],
    )
