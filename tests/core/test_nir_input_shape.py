"""A stride or a pooling can hide another input shape downstream, so the metadata holds the shape too."""

import h5py
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.nir_profile import read_program, write_program
from spikequant.program import Dense, Flatten, Input, PoolSum, Readout, chain


def test_an_input_shape_that_only_the_graph_says_is_refused(tmp_path):
    nodes = [Input("pixels", (1, 4, 2), bits=1), PoolSum("pool"), Flatten("flat"), Dense("fc", np.ones((2, 2), int))]
    path = tmp_path / "m.nir"
    write_program(chain([*nodes, Readout("out")], timesteps=2), path)
    assert read_program(path).input.shape == (1, 4, 2)
    with h5py.File(path, "r+") as file:
        shapes = []
        file["node/nodes/pixels"].visititems(lambda name, item: shapes.append(item) if name == "shape" else None)
        (shape,) = shapes
        shape[...] = [1, 4, 3]
    with pytest.raises(
        NirError, match=r"^.*node 'pixels': the graph says shape \[1 4 3\], and its metadata \[1 4 2\]$"
    ):
        read_program(path)
