"""What early versions of nir and early exporters wrote otherwise, brought to the fields of today.

Source: the ``ir.py`` and ``read.py`` of nir 0.0.2 to 0.0.4: numbered nodes beside ``edges`` at the root of the file,
``weights`` for ``weight``, ``v_th`` (before it ``theta``) for ``v_threshold``, ``LeakyIntegrator`` for ``LI``, and a
``Linear`` that has a bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikequant.errors import NirError
from spikequant_nir.findings import Notes, shown
from spikequant_nir.raw import PARAMETERS

CLASSES = {"LeakyIntegrator": "LI", "Integrator": "I", "NIR": "NIRGraph"}
FIELDS = {"weights": "weight", "strides": "stride", "v_th": "v_threshold", "theta": "v_threshold"}


def old_root(data: Mapping[str, Any], notes: Notes) -> Mapping[str, Any] | None:
    """Return the graph of a file that has it at its root, or ``None``."""
    key = next((key for key in ("nodes", "units") if isinstance(data.get(key), Mapping)), None)
    if key is None or "edges" not in data:
        return None
    notes.mend(
        "",
        "its nodes are at the root of the file, as nir 0.0 wrote them",
        "they are taken for the graph; neurons of nir 0.0 reset by subtraction (--reset subtract)",
    )
    return {"type": "NIRGraph", "nodes": data[key], "edges": data["edges"]}


def old_class(kind: str, name: str, notes: Notes) -> str:
    """Return today's word for a class.

    Raises:
        NirError: The class is unknown.
    """
    if kind not in CLASSES:
        raise NirError(
            f"node '{name}' is a '{shown(kind)}', which NIR does not know; known are {', '.join(sorted(PARAMETERS))}"
        )
    notes.mend(name, f"it is of the old class {kind}", f"it is taken for {CLASSES[kind]}")
    return CLASSES[kind]


def class_by_fields(group: Mapping[str, Any], has_source: bool, name: str, notes: Notes) -> str:
    """Return the class of a node without type, where its fields leave only one.

    Raises:
        NirError: They leave none, or several.
    """
    present = set(group) - {"metadata", "type"}
    fits = [
        kind
        for kind, (needed, allowed) in PARAMETERS.items()
        if set(needed) <= present <= {*needed, *allowed} and present
    ]
    if set(fits) == {"Input", "Output"}:
        fits = ["Output" if has_source else "Input"]
    if "Conv1d" in fits:
        axes = getattr(group["weight"], "ndim", 0)
        fits = [kind for kind, rank in (("Conv1d", 3), ("Conv2d", 4)) if axes == rank]
    if len(fits) != 1:
        could = f"could be {' or '.join(sorted(fits))}" if fits else "are those of no class"
        raise NirError(f"node '{name}' has no type, and its fields {could}; export the network again")
    notes.mend(name, "it has no type", f"it is taken for {fits[0]}, whose fields it has")
    return fits[0]


def renamed_fields(kind: str, fields: dict[str, Any], name: str, notes: Notes) -> tuple[str, dict[str, Any]]:
    """Return class and fields of a node under today's names."""
    needed = PARAMETERS[kind][0]
    for old, new in FIELDS.items():
        if old in fields and new in needed and new not in fields:
            notes.mend(name, f"its field '{new}' has the old name '{old}'", "it is taken")
            fields = {new if key == old else key: value for key, value in fields.items()}
    if kind == "Linear" and "bias" in fields:
        notes.mend(name, "it is a Linear with a bias, as nir 0.0 had", "it is taken for an Affine")
        kind = "Affine"
    return kind, fields


def without_types(kind: str, fields: dict[str, Any], name: str, notes: Notes) -> dict[str, Any]:
    """Return a node's fields without the shapes that some exporters write beside them; all shapes are worked out."""
    allowed = {key for keys in PARAMETERS[kind] for key in keys}
    for key in ("input_type", "output_type"):
        if key in fields and key not in allowed:
            notes.mend(name, f"it has a field '{key}', which NIR does not keep", "it is left out")
    kept = {key: value for key, value in fields.items() if key in allowed or key not in ("input_type", "output_type")}
    packed = kept.get("input_type")
    if isinstance(packed, Mapping):  # as nir has it in memory: {"input": shape}
        kept = {key: value for key, value in kept.items() if key != "input_type"}
        kept |= {"input_type": packed["input"]} if "input" in packed else {}
    return kept
