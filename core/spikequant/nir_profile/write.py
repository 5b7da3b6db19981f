"""Write an integer program as a ``.nir`` file."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import nir

from spikequant.errors import NirError
from spikequant.files import reason
from spikequant.nir_profile.graph import build_graph
from spikequant.nir_profile.neurons import Kinds
from spikequant.program import Program


def write_program(
    program: Program,
    path: str | os.PathLike[str],
    beyond_counts: Mapping[str, int] | None = None,
    kinds: Kinds | None = None,
) -> None:
    """Write ``program`` as a NIR file with quantization profile; the file appears whole or not at all.

    Args:
        program: What to write.
        path: The file, by habit ``NAME.nir``; an existing one is replaced.
        beyond_counts: How often each rule that plain NIR cannot say acted on the calibration data, by the
            rule's name; :func:`~spikequant.nir_profile.acted_counts` makes it from a run's counts.
        kinds: Mappings for spiking nodes of plugins, by kind.

    Raises:
        NirError: NIR or float32 cannot hold a node (the message names it), or the file cannot be written.
    """
    content = io.BytesIO()  # the HDF5 library itself crashes on a full disk
    nir.write(content, build_graph(program, beyond_counts, kinds))
    write_file(content, path)


def write_file(content: io.BytesIO, path: str | os.PathLike[str]) -> None:
    """Write ``content`` as the file ``path``, which appears whole or not at all.

    Raises:
        NirError: The file cannot be written.
    """
    target = Path(path)
    if not target.name:
        raise NirError(f"'{target}' names no file; end it with a file's name such as model.nir")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(content.getbuffer())
        partial.replace(target)
    except OSError as error:
        why = reason(error)
        raise NirError(f"{target}: it cannot be written ({why}); check the folder and the free space") from error
    finally:
        with suppress(OSError):
            partial.unlink()
