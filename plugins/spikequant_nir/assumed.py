"""What a file leaves open, settled by options or by defaults; each default is told once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from spikequant_nir.findings import Notes
from spikequant_nir.graph import SPIKING_KINDS, Graph
from spikequant_nir.rules import Rules

LEAKY = frozenset({"LIF", "LI", "CubaLIF", "CubaLI"})
GAINED = frozenset({"IF", "I"})
NEAR = 0.01


def settled(graph: Graph, said: Mapping[str, Any], metadata: Mapping[str, Any], notes: Notes) -> Rules:
    """Return the rules for a graph.

    Args:
        graph: The network.
        said: Options that the user gave, by the names of :class:`Rules`.
        metadata: Of the file's graph; a ``dt`` in it counts as said.
        notes: Takes a finding for every default that matters to this graph.

    Raises:
        UsageError: An option has a value that it cannot have.
    """
    given = dict(said)
    if "dt" not in given and (dt := _dt_of(metadata)) is not None:
        given["dt"] = dt
        notes.add("note", "", f"dt is {dt:g} s, from the file's metadata")
    rules = Rules(**given)
    for name, text in _defaults(graph, rules).items():
        if name not in given:
            notes.add("assumed", "", text)
    return rules


def _dt_of(metadata: Mapping[str, Any]) -> float | None:
    dt = metadata.get("dt")
    try:
        value = float(dt) if dt is not None else 0.0
    except (TypeError, ValueError):
        return None
    return value if 1e-30 < value < 1e30 else None


def _defaults(graph: Graph, rules: Rules) -> dict[str, str]:
    """Return a sentence for each rule that matters to the graph."""
    kinds = {node.kind for node in graph.nodes}
    spiking, leaky = kinds & SPIKING_KINDS - {"Threshold"}, kinds & LEAKY
    texts = {}
    if leaky or kinds & GAINED or "Delay" in kinds:
        texts["dt"] = f"the file does not say dt; {rules.dt:g} s is taken (--dt)"
    if spiking:
        texts["reset"] = (
            "the file does not say how a spike resets; the potential is set to v_reset, NIR's own rule"
            " (--reset zero, subtract or to-value)"
        )
        texts["reset_delay"] = "a reset acts in the step of its spike (--reset-delay 1: in the next, as in snnTorch)"
        texts["fire"] = "a potential spikes above its threshold, as NIR says (--option 'fire=>=': also at it)"
        texts["most_spikes"] = (
            "a neuron spikes at most once a step (--option most_spikes=N: floor(v / threshold) times, up to N,"
            " as in Sinabs)"
        )
    if leaky:
        texts["integrate"] = (
            "a leak is 1 - dt/tau, Euler's step (--option integrate=exponential: exp(-dt/tau), with the input's factor"
            " 1 minus it)"
        )
    if kinds & {"CubaLIF", "CubaLI"}:
        texts["current"] = "a potential takes its current's new value (--option current=old: that of the step before)"
    if kinds & GAINED:
        texts["if_gain"] = f"{_gain(graph, rules)} (--option if_gain=step: r x, or dt: r dt x)"
    if "IF" in kinds:
        texts["v_min"] = "potentials have no lower bound (--option v_min=-1: none below -1, as in Sinabs)"
    return texts


def _gain(graph: Graph, rules: Rules) -> str:
    """Say what the gain ``auto`` came to."""
    ones = [
        all(abs(float(r) * rules.dt - 1) <= NEAR for r in node.arrays["r"].reshape(-1)[:1])
        for node in graph.nodes
        if node.kind in GAINED
    ]
    if all(ones):
        return "IF and I add r dt x to their potential in a step, for r dt is 1"
    return "IF and I add r x to their potential in a step, without dt" + (
        ", but where r dt is 1 they add x" if any(ones) else ""
    )


def note_ambiguities(graph: Graph, rules: Rules, notes: Notes) -> None:
    """Tell what tools read in more than one way, or what makes a network that cannot work."""
    for node in graph.nodes:
        for level, text in _of_node(node.kind, node.arrays, rules):
            notes.add(level, node.name, text)
    for node in graph.inputs:
        if len(node.shape) > 3:
            text = f"its shape {node.shape} has {len(node.shape)} axes; if one is time or batch, export it without"
            notes.add("ambiguous", node.name, text)
    _note_steps(graph, rules, notes)
    for edge in graph.edges:
        if edge.delayed:
            notes.add("note", edge.target, f"it takes the value that '{edge.source}' had in the step before")


def _of_node(kind: str, arrays: Mapping[str, Any], rules: Rules) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []
    if "v_leak" in arrays and arrays["v_leak"].any():
        found.append(("ambiguous", "its v_leak is not 0, and some tools leave it out; it is added here, as NIR says"))
    if "v_reset" in arrays and arrays["v_reset"].any() and rules.reset != "to-value":
        found.append(("ambiguous", f"its v_reset is not 0, and the reset {rules.reset!r} does not use it"))
    if "v_reset" in arrays and rules.reset == "to-value" and (arrays["v_reset"] >= arrays["v_threshold"]).any():
        found.append(
            ("ambiguous", "its v_reset is not below its v_threshold, so a neuron that spikes goes on for ever")
        )
    if "r" in arrays and not arrays["r"].all():
        found.append(("ambiguous", "its r is 0 for some neurons, which nothing can reach"))
    if kind == "Threshold" and (arrays["threshold"] < 0).any():
        found.append(("ambiguous", "its threshold is negative, so it spikes without any input"))
    return found


def too_short(graph: Graph, rules: Rules) -> tuple[str, float] | None:
    """Return a node and its time constant (s) for which one Euler step is too long, or ``None``."""
    if rules.integrate != "euler":
        return None
    for node in graph.nodes:
        for key in ("tau", "tau_syn", "tau_mem"):
            if key in node.arrays and (least := float(node.arrays[key].min())) < rules.dt * (1 - 1e-6):
                return node.name, least
    return None


def _note_steps(graph: Graph, rules: Rules, notes: Notes) -> None:
    """Tell where time constants look as if another dt was meant."""
    leaky = [node for node in graph.nodes if node.kind in LEAKY]
    taus = [array for node in leaky for key, array in node.arrays.items() if key.startswith("tau")]
    if not taus:
        return
    if min(float(tau.min()) for tau in taus) >= 0.5 and rules.dt < 0.01:
        text = "its time constants, of half a second and more, look like steps, which some tools write; if so: --dt 1"
        notes.add("ambiguous", "", text)
        return
    meant = [
        float((node.arrays.get("tau_mem", node.arrays.get("tau")) / node.arrays["r"]).reshape(-1)[0])
        for node in leaky
        if node.arrays["r"].all() and (node.arrays["r"] != 1).all()
    ]
    alike = bool(meant) and meant[0] > 0 and all(math.isclose(dt, meant[0], rel_tol=NEAR) for dt in meant)
    if alike and not math.isclose(meant[0], rules.dt, rel_tol=5 * NEAR):
        text = f"tau / r of all neurons is {meant[0]:.3g} s, which some tools write for dt; if so: --dt {meant[0]:.3g}"
        notes.add("ambiguous", "", text)
