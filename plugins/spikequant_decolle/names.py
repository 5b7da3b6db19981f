"""Names of the program's nodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerNames:
    """The nodes of one layer."""

    trace: str
    weights: str
    neurons: str
    pool: str
    flatten: str


def layer_names(index: int) -> LayerNames:
    """Return the names of layer ``index``, from 0; files count from 1.

    >>> layer_names(0).trace
    'trace1'
    """
    k = index + 1
    return LayerNames(f"trace{k}", f"weights{k}", f"lif{k}", f"pool{k}", f"flatten{k}")
