"""When each node's value comes out of Lava: delays that fit every edge, delayed ones and loops included.

Row r of a node is its value at timestep ``r % T`` of sample ``r // T``; Lava sends it at step ``r + lag + 1``. Lava's
Dense and Conv send one step after they receive, everything else in the same step. An edge therefore asks
for ``lag[target] >= lag[source] + steps[target] - delayed``; what is left over is bridged by a relay.
Around a loop the lags cancel: its processes' steps must not exceed its delayed edges, and nothing else matters.
"""

from __future__ import annotations

from collections.abc import Mapping

from spikequant.program import Node, Program, Weighted

Steps = dict[str, int]


def steps_taken(program: Program, late: tuple[type[Node], ...] = (Weighted,)) -> Steps:
    """Return for each dense and conv2d whether it may send a step late (1), or must send at once (0).

    Args:
        program: What is run.
        late: Kinds whose processes send a step late.

    As many as possible are late, because Lava's own processes are. Those in a loop that has
    fewer delayed edges than weights send at once, the first ones in topological order staying late.

    >>> import numpy as np
    >>> from spikequant.program import Dense, Input, Lif, chain
    >>> steps_taken(chain([Input("x", (2,)), Dense("fc", np.eye(2, dtype=int)), Lif("lif")], timesteps=1))
    {'fc': 1}
    """
    names = [node.name for node in program.order if isinstance(node, late)]
    all_late = dict.fromkeys(names, 1)
    if _fitted(program, all_late) is not None:
        return all_late
    chosen = dict.fromkeys(names, 0)
    for name in names:
        tried = {**chosen, name: 1}
        if _fitted(program, tried) is not None:
            chosen = tried
    return chosen


def lags_of(program: Program, steps: Mapping[str, int]) -> Steps:
    """Return the smallest lag of every node.

    Args:
        program: What is run.
        steps: What :func:`steps_taken` returned.

    Raises:
        ValueError: Some loop takes more steps than it has delayed edges.
    """
    found = _fitted(program, steps)
    if found is None:
        raise ValueError(f"no lags fit {dict(steps)}: some loop takes more steps than it has delayed edges")
    return found


def _fitted(program: Program, steps: Mapping[str, int]) -> Steps | None:
    """Longest paths, or none when a loop grows for ever."""
    lags = {node.name: steps.get(node.name, 0) for node in program.nodes}
    edges = [edge for node in program.order for edge in program.inputs_of(node.name)]
    for _ in range(len(lags) + 1):
        settled = True
        for edge in edges:
            least = lags[edge.source] + steps.get(edge.target, 0) - edge.delayed
            if lags[edge.target] < least:
                lags[edge.target], settled = least, False
        if settled:
            return lags
    return None
