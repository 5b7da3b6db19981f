"""What per-operation counting says of MINT against UQ: known figures, derived again from the 32 nm table.

They bill an AND gate for each weight's spike bit, an n-bit adder with a 2n-bit register, and padding as spikes.
"""

from dataclasses import replace

import pytest

from spikequant.counts import Counts, NodeCounts
from spikequant.energy.baselines import uq_counterpart
from spikequant.energy.report import energy_of, load_table
from spikequant.energy.table import Entry
from spikequant.program import Operation

SATA = load_table("sata32")
AND_8 = 5.9
"""fJ of SATASim's 8-bit AND; at other widths in proportion."""


def with_and():
    entries = tuple(
        Entry("and", n, AND_8 * n / 8, "fJ", SATA.technology, "SATASim", AND_8 * n / 8000) for n in (2, 4, 8)
    )
    return replace(SATA, operations={**SATA.operations, "and": entries})


def one_update(bits: int, accumulates: float) -> Counts:
    """A thousand neuron updates with ``accumulates`` accumulates each."""
    done = round(1000 * accumulates)
    wide = 2 * bits
    synapse = tuple(Operation(name, width, done) for name, width in (("and", bits), ("add", bits), ("register", wide)))
    update = (("shift", bits), ("add", wide), ("compare", wide), ("register", bits))
    nodes = {
        "conv": NodeCounts("conv2d", synapse),
        "lif": NodeCounts("lif", tuple(Operation(name, width, 1000) for name, width in update), steps=1000),
    }
    return Counts("by hand", 1, nodes)


def saving(bits: int, accumulates: float) -> float:
    counted = one_update(bits, accumulates)
    table = with_and()
    return energy_of(counted, table).saving_over(uq_counterpart(counted, "once_per_step").energy(table))


def test_energy_of_one_neuron_update_at_8_bits_in_pj():
    table = with_and()
    mint = energy_of(one_update(8, 1), table)
    uq = uq_counterpart(one_update(8, 1), "once_per_step").energy(table)
    assert f"{mint.by_node['conv'] / 1000:.3f}" == "0.111"
    assert f"{mint.by_node['lif'] / 1000:.3f}" == "0.172"
    assert f"{uq.by_node['lif'] / 1000:.2f}" == "7.38"


@pytest.mark.parametrize(
    ("bits", "accumulates", "expected"), [(8, 44, 59), (8, 58, 52), (8, 115, 36), (2, 44, 87), (2, 58, 84)]
)
def test_savings_by_accumulates_per_update(bits, accumulates, expected):
    assert round(100 * saving(bits, accumulates)) == expected


@pytest.mark.parametrize(("bits", "expected"), [(8, 24), (4, 38), (2, 60)])
def test_savings_on_the_spiking_convolutions_of_vgg9_at_80_per_cent_sparsity(bits, expected):
    layers = [(64, 64, 32), (64, 128, 16), (128, 128, 16), (128, 256, 8), (256, 256, 8), (256, 256, 8)]
    updates = sum(out * size**2 for _, out, size in layers)
    taps = sum(channels * 9 * out * size**2 for channels, out, size in layers)
    assert round(100 * saving(bits, taps / updates / 5)) == expected
