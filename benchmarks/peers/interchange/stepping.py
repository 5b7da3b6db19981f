"""Step a torch module through time and keep what its layers put out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

Spikes = dict[str, np.ndarray]

RETURNED = "(returned)"
"""Name of what a network itself returns, beside those of its layers."""


def watch(net: nn.Module, layers: Sequence[str]) -> dict[str, list[torch.Tensor]]:
    """Return lists that fill with what the modules of these names put out."""
    seen: dict[str, list[torch.Tensor]] = {}
    for path, module in net.named_modules():
        name = path.split(".")[-1]
        if name in layers and not list(module.children() if type(module).__name__ == "GraphModule" else []):
            seen[name] = []
            module.register_forward_hook(lambda _m, _i, out, to=seen[name]: to.append(_first(out)))
    return seen


def step(net: Callable[..., Any], x: torch.Tensor, *, state: bool = True) -> torch.Tensor:
    """Return the outputs ``(T, ...)`` of a module that takes a timestep, and with ``state`` its state too."""
    held: Any = None
    out = []
    with torch.no_grad():
        for now in x:
            result = net(now, held) if state else net(now)
            if state and isinstance(result, tuple):
                result, held = result
            out.append(_first(result))
    return torch.stack(out)


def run_stateful(load: Callable[[], nn.Module], x: np.ndarray, layers: Sequence[str]) -> tuple[Spikes, bool]:
    """Run ``x`` of shape ``(T, N, *shape)`` as one batch or, where the network cannot, sample by sample.

    Returns:
        The spikes ``(T, N, *shape)`` of each layer that can be seen, what the network returned under
        :data:`RETURNED`, and whether a batch ran.
    """
    inputs = torch.from_numpy(x)
    try:
        return _once(load(), inputs, layers), True
    except Exception:
        one_by_one = [_once(load(), inputs[:, n], layers) for n in range(inputs.shape[1])]
        return {name: np.stack([part[name] for part in one_by_one], 1) for name in one_by_one[0]}, False


def _once(net: nn.Module, x: torch.Tensor, layers: Sequence[str]) -> Spikes:
    seen = watch(net, layers)
    out = step(net, x)
    found = {name: torch.stack(values).numpy() for name, values in seen.items() if len(values) == len(x)}
    return found | {RETURNED: out.numpy()}


def _first(value: Any) -> torch.Tensor:
    return (value[0] if isinstance(value, tuple) else value).detach()
