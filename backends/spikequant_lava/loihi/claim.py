"""What may be said of a run on stock processes: compared with the oracle, in one sentence, and no more than holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spikequant.program import Program, SpikingNode
from spikequant.trace import Trace
from spikequant.verify import Difference, compare
from spikequant_lava.loihi.mapping import Stock


@dataclass
class Tally:
    """What differs at one spiking node over all runs so far.

    Attributes:
        spikes: Spikes compared.
        differing: Spikes that differ.
        clamps: Potentials that overflow changed in the oracle: the clamps that stock LIF does not have.
        full: Potentials that reached the end of stock LIF's own 24 bits.
        between: Potentials that fire in the program and not in stock LIF, or the other way round.
    """

    spikes: int = 0
    differing: int = 0
    clamps: int = 0
    full: int = 0
    between: int = 0


@dataclass
class Claims:
    """Adds up runs of one program on stock processes.

    Args:
        program: What is run.
        stocks: Parameters of stock LIF under each spiking node's name.
    """

    program: Program
    stocks: Mapping[str, Stock]
    samples: int = 0
    first: Difference | None = None
    states: int = 0
    outputs: int = 0
    outputs_differing: int = 0
    states_differing: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)

    def add(self, expected: Trace, got: Trace, into: Mapping[str, Any]) -> None:
        """Compare one run.

        Args:
            expected: The oracle's trace.
            got: That of the stock processes.
            into: What arrives at each spiking node in the oracle, int64 ``(timesteps, batch, *shape)``.
        """
        order = [node.name for node in self.program.order]
        here = compare(Trace(expected.spikes), Trace(got.spikes), order).first if expected.spikes else None
        if self.first is None and here is not None:
            self.first = replace(here, sample=here.sample + self.samples)
        for node in self.program.spiking:
            tally = self.tallies.setdefault(node.name, Tally())
            tally.spikes += expected.spikes[node.name].size
            tally.differing += int(np.count_nonzero(expected.spikes[node.name] != got.spikes[node.name]))
            tally.clamps += expected.counts.nodes[node.name].saturations
            tally.full += got.counts.nodes[node.name].saturations
            tally.between += self._between(node, expected, into[node.name])
        for name, array in expected.potentials.items():
            self.states += array.size
            self.states_differing += int(np.count_nonzero(array != got.potentials[name]))
        for name, array in expected.outputs.items():
            self.outputs += array.size
            self.outputs_differing += int(np.count_nonzero(array != got.outputs[name]))
        self.samples += expected.counts.samples

    def _between(self, node: SpikingNode, expected: Trace, x: Any) -> int:
        """Count the potentials between the program's threshold and that of stock LIF, as the oracle met them."""
        fires_at = self.stocks[node.name].fires_at
        theta: Any = getattr(node, "theta", None)
        if fires_at is None or theta is None or fires_at == int(theta.flat[0]):
            return 0
        moved: Any = replace(node, theta=np.array(fires_at))  # type: ignore[call-arg]
        state = node.initial(x.shape[1], self.program.shapes[node.name])
        count = 0
        for t in range(len(x)):
            spikes, _, _ = moved.advance(x[t], state, t)
            count += int(np.count_nonzero(spikes != expected.spikes[node.name][t]))
            state = tuple(expected.potentials[name][t].astype(np.int64) for name in node.state_names)
        return count

    def __str__(self) -> str:
        tallies = self.tallies.values()
        spikes, differing = sum(t.spikes for t in tallies), sum(t.differing for t in tallies)
        clamps, full = sum(t.clamps for t in tallies), sum(t.full for t in tallies)
        compared = f"{spikes:,} spikes, {self.states:,} states, {self.outputs:,} outputs on {_samples(self.samples)}"
        if not (differing or self.outputs_differing or clamps or full):
            if not self.states_differing and all(stock.same for stock in self.stocks.values()):
                return f"exact (stock processes with the same arithmetic; all equal: {compared})"
            return f"spike-exact (stock, no clamp acted){self._reach()}; spikes and outputs all equal: {compared}"
        numbers = (
            f"{differing:,} of {spikes:,} spikes differ, {self.states_differing:,} of {self.states:,} states,"
            f" {self.outputs_differing:,} of {self.outputs:,} outputs, on {_samples(self.samples)}"
        )
        where = [
            f"{name} {tally.differing:,} of {tally.spikes:,}" for name, tally in self.tallies.items() if tally.differing
        ]
        parts = [
            f"neither exact nor spike-exact (stock): {numbers}",
            *([f"by node: {', '.join(where)}"] if where else []),
        ]
        if self.first is not None:
            parts.append(f"first: {self.first}")
        return "; ".join([*parts, *self._acted()])

    def _reach(self) -> str:
        """For which inputs spikes are equal: all, or those that ran."""
        open_ = [f"{name}: {self._why(name)}" for name, stock in self.stocks.items() if stock.steps is not None]
        return f" for these samples only ({'; '.join(open_)})" if open_ else ""

    def _why(self, name: str) -> str:
        """What keeps a mapping from being exact, and how often it came to that."""
        stock = self.stocks[name]
        if stock.fires_at is None:
            return stock.why
        return f"{stock.why}; {self.tallies[name].between:,} potentials lay between"

    def _acted(self) -> list[str]:
        """What stock LIF does not have, and how often that mattered in the oracle or in it."""
        told = []
        for name, tally in self.tallies.items():
            stock = self.stocks[name]
            if tally.clamps:
                told.append(f"{name}: the program's clamp acted {tally.clamps:,} times, and stock LIF has none")
            if tally.full:
                told.append(f"{name}: {tally.full:,} potentials at the end of stock LIF's 24 bits")
            if stock.why and (tally.differing or tally.between):
                told.append(f"{name}: {self._why(name)}")
        return told


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count:,} samples"
