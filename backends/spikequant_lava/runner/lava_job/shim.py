"""Let an unchanged lava-nc 0.10.0 import on Python 3.11 and 3.12."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

BROKEN = ("lava.magma.compiler.var_model", "ByteEncoder")


def install() -> None:
    """Import Lava's ``var_model`` with one dataclass made hashable.

    Python 3.11 refuses an unhashable instance as a dataclass default. Lava uses an instance of the
    dataclass ``ByteEncoder`` so; with ``unsafe_hash`` it is accepted, as 3.10 accepts it. No file of
    Lava is changed, and ``dataclasses.dataclass`` is put back at once. On 3.10 nothing is done.
    """
    if sys.version_info < (3, 11) or BROKEN[0] in sys.modules:
        return
    original: Any = dataclasses.dataclass

    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        if cls is None:
            return original(**options)
        if (cls.__module__, cls.__name__) == BROKEN:
            return original(cls, unsafe_hash=True, **options)
        return original(cls, **options)

    setattr(dataclasses, "dataclass", dataclass)  # noqa: B010 - a plain assignment is what type checkers refuse
    try:
        __import__(BROKEN[0])
    finally:
        setattr(dataclasses, "dataclass", original)  # noqa: B010
