"""Checkpoints come back as they were, whole or not at all, and are never pickles."""

import math
import resource

import pytest
import torch

from spikequant.errors import RunError
from spikequant.runs.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.safetensors"


def test_nested_tensors_numbers_texts_and_integer_keys_come_back(path):
    weights = torch.tensor([0.1, -0.0, math.inf, math.nan, 1e-45])
    content = {
        "model": {"a/b": weights, "whole": torch.arange(3), "flag": torch.tensor(True), "empty": torch.zeros(0, 2)},
        "state": {0: {"step": torch.tensor(5.0)}, 7: {}},
        "groups": [{"lr": 0.1, "betas": (0.9, 0.999), "name": None}, []],
        "loss": [1 / 3, math.inf, -7, True, "text"],
    }
    save_checkpoint(path, content)
    back = load_checkpoint(path)
    assert torch.equal(back["model"]["a/b"].view(torch.int32), weights.view(torch.int32))
    assert back["model"]["whole"].dtype == torch.int64
    assert back["model"]["flag"].item() is True
    assert back["model"]["empty"].shape == (0, 2)
    assert list(back["state"]) == [0, 7]
    assert back["groups"] == [{"lr": 0.1, "betas": [0.9, 0.999], "name": None}, []]
    assert back["loss"] == [1 / 3, math.inf, -7, True, "text"]


def test_an_optimizer_goes_on_from_its_checkpoint_with_the_same_bits(path):
    def trained(parameter, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            parameter.square().sum().backward()
            optimizer.step()

    def fresh():
        parameter = torch.nn.Parameter(torch.linspace(-1, 1, 9))
        return parameter, torch.optim.AdamW([parameter], lr=0.1)

    straight, optimizer = fresh()
    trained(straight, optimizer, 5)
    first, optimizer = fresh()
    trained(first, optimizer, 2)
    save_checkpoint(path, {"p": first.detach(), "state": optimizer.state_dict()})
    saved = load_checkpoint(path)
    second, optimizer = fresh()
    with torch.no_grad():
        second.copy_(saved["p"])
    optimizer.load_state_dict(saved["state"])
    trained(second, optimizer, 3)
    assert torch.equal(straight, second)


def test_views_of_one_tensor_are_saved_apart(path):
    whole = torch.arange(6.0).reshape(2, 3)
    save_checkpoint(path, {"whole": whole, "row": whole[1], "column": whole[:, 1]})
    back = load_checkpoint(path)
    assert back["row"].tolist() == [3, 4, 5]
    assert back["column"].tolist() == [1, 4]


def test_content_without_tensors(path):
    save_checkpoint(path, {"done": 0})
    assert load_checkpoint(path) == {"done": 0}


def test_the_old_checkpoint_stays_until_the_new_one_is_whole(path):
    save_checkpoint(path, {"done": 1})
    with pytest.raises(TypeError):
        save_checkpoint(path, {"done": object()})
    assert load_checkpoint(path) == {"done": 1}
    save_checkpoint(path, {"done": 2})
    assert load_checkpoint(path) == {"done": 2}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_checkpoint_is_named(path, kept):
    save_checkpoint(path, {"p": torch.zeros(1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"not a checkpoint at all", b"\x80\x04K\x01."])
def test_another_file_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_named(path):
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        load_checkpoint(path)


def test_a_safetensors_file_of_another_program_is_named(path):
    from safetensors.torch import save_file

    save_file({"p": torch.zeros(2)}, path)
    with pytest.raises(RunError, match=r"^checkpoint \S+ does not hold a table; train again or restore it$"):
        load_checkpoint(path)
    save_file({"p": torch.zeros(2)}, path, metadata={"structure": "[]"})
    with pytest.raises(RunError, match=r"^checkpoint \S+ does not hold a table; train again or restore it$"):
        load_checkpoint(path)


@pytest.mark.parametrize("structure", ["{", "[" * 100_000, '{"p": {"__tensor__": 3}}', '{"p": {"__tensor__": "gone"}}'])
def test_a_structure_that_makes_no_sense_is_named_in_one_line(path, structure):
    from safetensors.torch import save_file

    save_file({"p": torch.zeros(2)}, path, metadata={"structure": structure})
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        load_checkpoint(path)


def test_a_folder_in_its_place_is_named(path):
    path.mkdir()
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be read: .+; train again or restore it$"):
        load_checkpoint(path)
    with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be written: Is a directory; make room and try again$"):
        save_checkpoint(path, {"done": 1})
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_checkpoint_and_no_part(path):
    save_checkpoint(path, {"done": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RunError, match=r"^checkpoint \S+ cannot be written: .*File too large.*; make room .*$"):
            save_checkpoint(path, {"p": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(path) == {"done": 1}
    assert [p.name for p in path.parent.iterdir()] == [path.name]
