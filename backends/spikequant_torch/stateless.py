"""Nodes without state, over all timesteps and samples at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant.errors import BackendError
from spikequant.program import Add, Concat, Conv2d, Dense, Flatten, Lateral, Node, Pool, PoolOr, Program
from spikequant_torch.exact import float_bound, float_dtype

Stateless = Callable[[Sequence[Tensor]], Tensor]


def stateless(program: Program, node: Node, device: torch.device) -> Stateless:
    """Return ``node`` as a function of values ``(steps, batch, *shape)``; steps is T, or 1 for a constant value."""
    dtype = float_dtype(float_bound(program, node))
    if dtype is None:
        raise BackendError(f"node '{node.name}' ({node.kind}) was built without being checked; call compile()")
    if isinstance(node, (Dense, Conv2d)):
        return _dense(node, dtype, device) if isinstance(node, Dense) else _conv(node, dtype, device)
    if isinstance(node, Pool):
        return _pool(node, dtype)
    if isinstance(node, Add):
        return lambda xs: torch.stack(_aligned(xs, dtype)).sum(0) if len(xs) > 2 else xs[0].to(dtype) + xs[1].to(dtype)
    if isinstance(node, Lateral):
        return _lateral(node, dtype)
    if isinstance(node, Concat):
        return lambda xs: torch.cat(_aligned(xs, dtype), dim=2)
    if isinstance(node, Flatten):
        return lambda xs: xs[0].flatten(2)
    raise BackendError(f"node '{node.name}' has kind {node.kind}, which the torch backend does not run")


def _dense(node: Dense, dtype: torch.dtype, device: torch.device) -> Stateless:
    codes = torch.tensor(node.codes, dtype=dtype, device=device)
    bias = None if node.bias is None else torch.tensor(node.bias, dtype=dtype, device=device)
    return lambda xs: F.linear(xs[0].to(dtype), codes, bias)


def _lateral(node: Lateral, dtype: torch.dtype) -> Stateless:
    def join(xs: Sequence[Tensor]) -> Tensor:
        x = xs[0].to(dtype)
        total = x.flatten(2).sum(2)
        return (total.reshape(*x.shape[:2], *[1] * (x.dim() - 2)) - x) * node.code

    return join


def _conv(node: Conv2d, dtype: torch.dtype, device: torch.device) -> Stateless:
    codes = torch.tensor(node.codes, dtype=dtype, device=device).contiguous(memory_format=torch.channels_last)
    bias = None if node.bias is None else torch.tensor(node.bias, dtype=dtype, device=device)
    rows, columns = node.padding
    apart = any(padding > reach for padding, reach in zip(node.padding, _reach(node), strict=True))
    within = (0, 0) if apart else node.padding

    def convolve(xs: Sequence[Tensor]) -> Tensor:
        x = _folded(xs[0].to(dtype))
        if apart:
            x = F.pad(x, (columns, columns, rows, rows)).contiguous(memory_format=torch.channels_last)
        out = F.conv2d(x, codes, bias, node.stride, within, node.dilation, node.groups)
        return _unfolded(out, xs[0])

    return convolve


def _reach(node: Conv2d) -> tuple[int, int]:
    """Return how far a window's last tap lies from its first.

    A padding beyond it makes windows of padding alone, for which oneDNN (torch 2.13, channels last, one
    column, stride 2 or 3) reads outside its memory and can end the process: those are padded apart.
    """
    return node.dilation[0] * (node.codes.shape[2] - 1), node.dilation[1] * (node.codes.shape[3] - 1)


def _pool(node: Pool, dtype: torch.dtype) -> Stateless:
    def pool(xs: Sequence[Tensor]) -> Tensor:
        x = _folded(xs[0].to(dtype))
        if isinstance(node, PoolOr):  # padding is at most half the kernel, so no window is padding alone
            out = F.max_pool2d(x, node.kernel, node.stride, node.padding)
        else:
            out = F.avg_pool2d(x, node.kernel, node.stride, node.padding, divisor_override=1)
        return _unfolded(out, xs[0])

    return pool


def _folded(x: Tensor) -> Tensor:
    """Fold the timesteps into the batch, channels innermost."""
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _unfolded(out: Tensor, x: Tensor) -> Tensor:
    """Give ``out`` the timesteps and the batch of ``x`` again; no copy."""
    return out.reshape(*x.shape[:2], *out.shape[1:])


def _aligned(xs: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Repeat what does not depend on time, so that all have as many steps."""
    steps = max(x.shape[0] for x in xs)
    return [x.to(dtype).expand(steps, *x.shape[1:]) for x in xs]
