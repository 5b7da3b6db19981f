"""Checkpoints as safetensors with a JSON side: tensors apart, numbers and structure in the header. Never a pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from spikequant.errors import RunError
from spikequant.files import reason, replacing

Json = dict[str, Any]
_TENSOR = "__tensor__"
_KEYS = "__integer_keys__"


def save_checkpoint(path: Path, content: Json) -> None:
    """Write nested dicts and lists of tensors, numbers, strings and ``None``; whole or not at all.

    Raises:
        RunError: The file cannot be written, for example on a full disk; an older one stays as it was.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = _packed(content, tensors, "")
    tensors.setdefault("__none__", torch.zeros(1))
    try:
        with replacing(path) as partial:
            save_file(tensors, partial, metadata={"structure": json.dumps(structure)})
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
    except (OSError, SafetensorError) as error:
        raise RunError(f"checkpoint {path} cannot be written: {reason(error)}; make room and try again") from error


def load_checkpoint(path: Path, device: str = "cpu") -> Json:
    """Read what :func:`save_checkpoint` wrote.

    Raises:
        RunError: The file is missing, truncated or of another kind.
    """
    try:
        with safe_open(path, framework="pt", device=device) as archive:
            written = (archive.metadata() or {}).get("structure")
            content = None if written is None else _unpacked(json.loads(written), archive)
    except (OSError, SafetensorError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"checkpoint {path} cannot be read: {reason(error)}; train again or restore it") from error
    if not isinstance(content, dict):
        raise RunError(f"checkpoint {path} does not hold a table; train again or restore it")
    return content


def _packed(value: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {_TENSOR: name}
    if isinstance(value, dict):
        packed = {str(key): _packed(item, tensors, f"{name}/{key}") for key, item in value.items()}
        return {_KEYS: packed} if value and all(isinstance(key, int) for key in value) else packed
    if isinstance(value, (list, tuple)):
        return [_packed(item, tensors, f"{name}/{index}") for index, item in enumerate(value)]
    return value


def _unpacked(value: Any, archive: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, archive) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return archive.get_tensor(value[_TENSOR])
    if _KEYS in value:
        return {int(key): _unpacked(item, archive) for key, item in value[_KEYS].items()}
    return {key: _unpacked(item, archive) for key, item in value.items()}
