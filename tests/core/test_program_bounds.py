"""Worst-case ranges hold on random programs: no value ever leaves them."""

import numpy as np
import pytest

from spikequant.oracle import value_of
from spikequant.program import Input, Readout, SpikingNode
from spikequant.testing import random_inputs, random_program


def values(program, inputs):
    """Yield every value of a program without delayed edges; neurons start at rest, one timestep."""
    known = {}
    for node in program.order:
        x = [known[edge.source] for edge in program.inputs_of(node.name)]
        if isinstance(node, Input):
            known[node.name] = inputs[node.name] if node.coding == "direct" else inputs[node.name][0]
        elif isinstance(node, SpikingNode):
            known[node.name] = node.step(x[0], np.zeros_like(x[0]))[0]
        else:
            known[node.name] = x[0] if isinstance(node, Readout) else value_of(node, x)
    return known


@pytest.mark.parametrize("seed", range(0, 60, 10))
def test_no_value_leaves_its_range(seed):
    for index in range(seed, seed + 10):
        program = random_program(index, recurrent=False)
        for name, value in values(program, random_inputs(program, 16, index)).items():
            low, high = program.ranges[name]
            assert low <= value.min(), (index, name)
            assert value.max() <= high, (index, name)
            assert value.shape[1:] == program.shapes[name], (index, name)
