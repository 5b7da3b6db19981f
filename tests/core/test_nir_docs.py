"""docs/nir-profile.md names every key that a file holds, and the version that is written."""

import re
from pathlib import Path

import numpy as np

from spikequant.nir_profile import PROFILE_VERSION, build_graph
from spikequant.program import Conv2d, Dense, Flatten, Input, Lateral, Lif, PoolOr, PoolSum, Readout, chain

TEXT = (Path(__file__).parents[2] / "docs" / "nir-profile.md").read_text()


def metadata():
    one = np.ones(1, int)
    nodes = [
        Input("x", (1, 4, 4)),
        Conv2d("conv", np.ones((1, 1, 1, 1), int), one),
        Lif("lif", bias=one),
        PoolOr("por"),
        PoolSum("psum"),
        Flatten("flat"),
        Dense("fc", np.ones((1, 1), int), one),
        Dense("unsigned", np.ones((1, 1), int), signed=False),
        Lateral("join", 1),
    ]
    for last in (Readout("out"), Lif("out")):
        graph = build_graph(chain([*nodes, last], 2))
        yield graph.metadata["spikequant"]
        yield from (node.metadata["spikequant"] for node in graph.nodes.values())


def test_every_key_and_kind_is_documented():
    words = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)))
    found = list(metadata())
    keys = {key for packed in found for key in packed if not key.endswith("_per")}
    assert len(keys) > 30
    assert keys <= words
    assert {packed["kind"] for packed in found if "kind" in packed} <= words


def test_documented_version_is_the_newest_written():
    assert TEXT.startswith(f"# The NIR profile, version {PROFILE_VERSION}\n")
    assert {packed["profile"] for packed in metadata() if "profile" in packed} == {PROFILE_VERSION}
