"""Rules of a program that plain NIR cannot say, listed in the file so that a reader knows what it would lose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spikequant.counts import Counts
from spikequant.errors import NirError
from spikequant.nir_profile.neurons import BeyondMapping, Kinds, leak_is_exact
from spikequant.program import Input, Lif, Node, Program, Readout, SpikingNode

RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
OF_NEURONS = ("saturation", "wrap", "soft_reset", "leak_rounding", "leak_precision")
"""Rules of ``lif`` that a plugin's neuron may have too."""
COUNTED = {"saturation": "saturations", "wrap": "saturations", "soft_reset": "fires"}
"""Rules that a run counts, and the field of a node's counts."""


@dataclass(frozen=True)
class BeyondNir:
    """One rule that plain NIR cannot say.

    Attributes:
        rule: ``saturation``, ``wrap``, ``leak_rounding``, ``leak_precision``, ``soft_reset``,
            ``multi_bit_input``, ``delayed_edges``, ``readout_sum``; for a plugin's neuron ``kind:KIND``, and
            ``KIND:RULE`` for each rule of its own that its mapping names.
        nodes: Nodes that it holds for, in topological order.
        acted: How often it changed a value on the calibration data; ``None`` if not counted.
    """

    rule: str
    nodes: tuple[str, ...]
    acted: int | None = None


def beyond_nir(
    program: Program, acted: Mapping[str, int] | None = None, kinds: Kinds | None = None
) -> tuple[BeyondNir, ...]:
    """Return the rules of ``program`` that a reader of the plain graph would lose.

    Args:
        program: Any program.
        acted: How often each rule acted, by rule name; see :func:`acted_counts`.
        kinds: Mappings for spiking nodes of plugins, by kind; see
            :class:`~spikequant.nir_profile.neurons.BeyondMapping`.

    Raises:
        NirError: ``acted`` names a rule that the program does not have, or a count is negative.
    """
    found: dict[str, list[str]] = {}
    for node in program.order:
        for rule in dict.fromkeys((*_rules(program, node), *_mapped_rules(node, kinds or {}))):
            found.setdefault(rule, []).append(node.name)
    given = dict(acted or {})
    for rule, count in given.items():
        if rule not in found or count < 0:
            raise NirError(
                f"beyond_counts says that '{rule}' acted {count} times; the program's rules beyond NIR are"
                f" {', '.join(found) or 'none'}, and counts start at 0"
            )
    return tuple(BeyondNir(rule, tuple(nodes), given.get(rule)) for rule, nodes in found.items())


def acted_counts(program: Program, counts: Counts, kinds: Kinds | None = None) -> dict[str, int]:
    """Return how often each rule acted in a run, for those that :class:`~spikequant.counts.Counts` can tell.

    Args:
        program: The program that ran.
        counts: Counts of a run of it on calibration data.
        kinds: As for :func:`beyond_nir`.
    """
    return {
        item.rule: sum(getattr(counts.nodes[name], COUNTED[item.rule]) for name in item.nodes if name in counts.nodes)
        for item in beyond_nir(program, kinds=kinds)
        if item.rule in COUNTED
    }


def _rules(program: Program, node: Node) -> Iterator[str]:
    if any(edge.delayed for edge in program.inputs_of(node.name)):
        yield "delayed_edges"
    if isinstance(node, Input) and node.limits != (0, 1):
        yield "multi_bit_input"
    if isinstance(node, Readout):
        yield "readout_sum"
    if isinstance(node, Lif):
        yield "wrap" if node.overflow == "wrap" else "saturation"
        if node.reset.kind == "subtract":
            yield "soft_reset"
        yield from _leak_rules(node, program)
    elif isinstance(node, SpikingNode):
        yield f"kind:{node.kind}"


def _mapped_rules(node: Node, kinds: Kinds) -> Iterator[str]:
    mapping = kinds.get(node.kind)
    if not isinstance(node, SpikingNode) or not isinstance(mapping, BeyondMapping):
        return
    for rule in mapping.beyond_nir(node):
        if not RULE.fullmatch(rule):
            raise NirError(
                f"node '{node.name}' ({node.kind}): its mapping names a rule {rule[:80]!r} beyond NIR; a name is made"
                " of letters, digits and '_', at most 64"
            )
        yield rule if rule in OF_NEURONS else f"{node.kind}:{rule}"


def _leak_rules(node: Lif, program: Program) -> Iterator[str]:
    """Rounding that differs from the floor of the real potential, or fractions finer than the threshold's eps.

    Floors nest (floor(floor(h) / 2**k) = floor(h / 2**k)), so a floored shift leaves every ``H >= theta``
    as it is for real numbers; fractions grow by k bits a step. Some rates have no float32 tau that gives them back.
    """
    if node.leak.factor in (0.0, 1.0):
        return
    power_of_two = node.leak.kind == "shift" or node.leak.multiplier == 1
    if node.leak.rounding != "floor" or not power_of_two:
        yield "leak_rounding"
    elif node.leak.shift * (program.timesteps - 1) > 16 or not leak_is_exact(1.0 - node.leak.factor, program.dt):
        yield "leak_precision"
