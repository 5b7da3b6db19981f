"""export --plain: a file for the readers of others."""

import h5py
import pytest

from spikequant.nir_profile import read_graph


def test_a_run_becomes_a_plain_file(spikequant, trained, tmp_path):
    answer = spikequant("export", trained, tmp_path / "m.nir", "--plain", "--samples", 8)
    assert answer.code == 0
    assert "trained model against oracle on 8 calibration samples: identical" in answer.out
    assert answer.out.endswith(f"written: {tmp_path / 'm.nir'}\n")
    graph = read_graph(tmp_path / "m.nir")
    assert graph.metadata == {}
    assert all(node.metadata == {} for node in graph.nodes.values())


def test_a_file_with_profile_becomes_one_in_the_layout_of_an_older_nir(spikequant, trained, tmp_path):
    answer = spikequant(
        "export", trained / "model.nir", tmp_path / "m.nir", "--plain", "--nir-version", "1.0.4", "--unit-gain"
    )
    assert answer.code == 0
    assert answer.out.endswith(f"written: {tmp_path / 'm.nir'}\n")
    names = []
    with h5py.File(tmp_path / "m.nir", "r") as file:
        file.visit(names.append)
    assert not [name for name in names if name.endswith(("v_reset", "metadata"))]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["OUT", "--unit-gain"], "--unit-gain is for files without the profile; add --plain"),
        (["OUT", "--nir-version", "1.0.4"], "--nir-version is for files without the profile; add --plain"),
        (["OUT", "--to", "mint-rtl", "--plain"], "--plain is for .nir files; leave it out with --to mint-rtl"),
        (
            ["MODEL", "--plain"],
            "MODEL would lose its profile; give another file as DESTINATION",
        ),
        (["--plain"], "MODEL would lose its profile; give another file as DESTINATION"),
    ],
)
def test_wrong_use_is_said_before_anything_is_written(spikequant, trained, tmp_path, words, message):
    places = {"OUT": str(tmp_path / "out.nir"), "MODEL": str(trained / "model.nir")}
    before = (trained / "model.nir").read_bytes()
    answer = spikequant("export", trained / "model.nir", *(places.get(word, word) for word in words))
    for name, place in places.items():
        message = message.replace(name, place)
    assert answer.code == 2
    assert answer.err.rstrip("\n").endswith(message)
    assert list(tmp_path.iterdir()) == []
    assert (trained / "model.nir").read_bytes() == before
