"""Counts survive JSON; what is no counts is refused by name, and a number that counts nothing is not taken."""

import json
import re

import pytest

from spikequant.counts import Counts, NodeCounts, Traffic
from spikequant.errors import UsageError
from spikequant.program import Operation

NODE = NodeCounts("lif", (Operation("add", 8, 5),), (Traffic("sram", "weights", 64),), 1, 2, 3, 4, 5)


def table():
    return Counts("b", 2, {"a": NODE}, 7, ("note",)).to_json()


def test_counts_come_back_from_json():
    assert Counts.from_json(json.loads(json.dumps(table()))) == Counts("b", 2, {"a": NODE}, 7, ("note",))
    assert Counts.from_json(Counts("b", 2).to_json()) == Counts("b", 2)


def changed(*keys, value):
    data = table()
    inner = data
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the counts: it is not a table of backend, samples, cycles, notes, nodes"),
        (changed("more", value=1), "the counts: it is not a table of backend, samples, cycles, notes, nodes"),
        (changed("nodes", value=[]), "'nodes' is not a table of nodes"),
        (changed("samples", value=float("nan")), "samples: nan is not a whole number from 0 to 2**63-1"),
        (changed("cycles", value=-1), "cycles: -1 is not a whole number from 0 to 2**63-1"),
        (changed("backend", value=3), "backend: 3 stands where a text is needed"),
        (changed("notes", value="ab"), "notes: 'ab' stands where a list is needed"),
        (
            changed("nodes", "a", value=[]),
            "node 'a': it is not a table of kind, operations, traffic, steps, fires, saturations, inputs, active",
        ),
        (changed("nodes", "a", "fires", value=True), "node 'a', fires: True is not a whole number from 0 to 2**63-1"),
        (changed("nodes", "a", "operations", value={}), "node 'a': {} stands where a list is needed"),
        (
            changed("nodes", "a", "operations", 0, "bits", value=-8),
            "node 'a', bits: -8 is not a whole number from 0 to 2**63-1",
        ),
        (
            changed("nodes", "a", "operations", 0, "count", value=1.5),
            "node 'a', count: 1.5 is not a whole number from 0 to 2**63-1",
        ),
        (
            changed("nodes", "a", "traffic", 0, "bits", value=1 << 63),
            "node 'a', bits: 9223372036854775808 is not a whole number from 0 to 2**63-1",
        ),
        (changed("nodes", "a", "traffic", 0, value={}), "node 'a', traffic: it is not a table of level, what, bits"),
    ],
)
def test_what_is_no_counts_is_named(data, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Counts.from_json(data)
