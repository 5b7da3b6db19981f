"""The hooks that a plugin can implement, one per contract, each with a complete example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from spikequant.backend import Backend
    from spikequant.dataset import Dataset
    from spikequant.learner import Learner
    from spikequant.network import Network
    from spikequant.neuron import Neuron
    from spikequant.quantizer import Quantizer
    from spikequant.selector import Selector

PROJECT = "spikequant"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
