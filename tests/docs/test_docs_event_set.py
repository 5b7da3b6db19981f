"""The data set of events and the recipe in the documentation are what the text around them says."""

import numpy as np

from spikequant import EventFrames
from spikequant.runs import build_model, make_dataset, read_recipe
from spikequant.runs.build import check_parts


def block(page, start):
    return next(block.text for block in page.blocks if start in block.text)


def test_the_data_set_of_events_loads_frames(page_of):
    scope = {}
    exec(compile(block(page_of("docs/data.md"), "class Taps"), "data.md", "exec"), scope)
    assert scope["spikequant_datasets"]() == [scope["Taps"]]
    taps = scope["Taps"](timesteps=10, frame_ms=10)
    train, test = taps.load("train", ()), taps.load("test", ())
    assert isinstance(train.x, EventFrames)
    assert train.x.shape == (100, 10, 8)
    frames = train.x[:]
    assert taps.frame_s == 0.01
    assert frames.max() <= 2**taps.bits - 1
    assert frames.sum() == 100 * 60
    assert not np.array_equal(frames, test.x[:])
    for label, off in ((0, slice(4, 8)), (1, slice(0, 4))):
        assert not frames[train.y == label][..., off].any()


def test_the_recipe_of_decolle_builds_a_model_with_every_format(page_of, tmp_path):
    path = tmp_path / "shd.toml"
    path.write_text(block(page_of("docs/decolle.md"), "[network]"), "utf-8")
    recipe = read_recipe(path)
    check_parts(recipe)
    model = build_model(recipe)
    assert (model.timesteps, model.coding.shape, model.coding.frame_s) == (100, (700,), 0.01)
    data = make_dataset("shd", options=recipe.data.model_extra, timesteps=recipe.timesteps)
    assert data.shape == model.coding.shape
    assert not {option for option in "PQRV" if recipe.neuron.model_extra[option] == "FP32"}
