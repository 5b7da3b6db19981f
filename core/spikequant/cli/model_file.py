"""The file that ``run`` is given: a program of our own, or what an importer makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikequant.cli.common import load_program, parse_options
from spikequant.cli.import_options import importer_for, known_options, taken, tell, timed, word_of
from spikequant.errors import UsageError
from spikequant.importer import Finding, ImportedModel
from spikequant.importing import has_profile, is_claimed, read_file
from spikequant.program import Program


@dataclass(frozen=True)
class ModelFile:
    """A network in a file.

    Attributes:
        network: The program, or the model in floats.
        importer: Who read it; empty for a program of our own.
        options: Words of ``--option`` that were not the importer's.
        findings: What the importer has to say.
    """

    network: Program | ImportedModel
    importer: str
    options: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def open_model(
    path: Path, importer: str | None, words: Mapping[str, Any], timesteps: int | None, options: tuple[str, ...]
) -> ModelFile:
    """Read a file, and tell what was found on the way.

    A file with a quantization profile is our own, unless an importer is given.

    Args:
        path: The file.
        importer: Who is to read it.
        words: Options of every importer, see :func:`~spikequant.cli.import_options.import_options`.
        timesteps: Of ``--timesteps``, for importers that have such an option.
        options: Words of ``--option``; an importer takes those that it knows.

    Raises:
        UsageError: Options of importers are given for a program of our own.
        SpikequantError: It cannot be read.
    """
    own = importer is None and has_profile(path)
    if own and (given := taken(words)):
        raise UsageError(
            f"{path} has a quantization profile, which states every rule of its program; leave out"
            f" {word_of(min(given))}, or give --importer to run its half in floats"
        )
    if own or (importer is None and not taken(words) and not is_claimed(path)):
        return ModelFile(load_program(path), "", options)
    known = known_options(path, importer)
    mine = tuple(text for text in options if text.partition("=")[0] in known)
    reader = importer_for(path, importer, taken(timed(words, timesteps, known), parse_options(mine)))
    read = read_file(reader, path)
    tell(read.findings)
    rest = tuple(text for text in options if text not in mine)
    network = read if isinstance(read, ImportedModel) else read.program
    return ModelFile(network, reader.name, rest, read.findings)
