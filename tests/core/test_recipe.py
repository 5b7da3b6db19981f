"""Recipes are validated before anything runs; what is wrong is named, from the first word to the last."""

import pytest

from spikequant.errors import PluginError, UsageError
from spikequant.registry import registry
from spikequant.runs import build_model, parse_recipe, read_recipe
from spikequant.runs.recipe import differing_keys, tomllib

SMALL = """
timesteps = 2
[data]
name = "digits"
[network]
name = "mlp"
hidden = [8]
[neuron]
name = "mint-lif"
[quantizer]
name = "mint"
bits = 4
[learner]
name = "bptt"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_a_recipe_has_defaults_and_options(file):
    recipe = read_recipe(file)
    assert (recipe.seed, recipe.timesteps) == (0, 2)
    assert (recipe.training.float_epochs, recipe.training.epochs) == (10, 20)
    assert (recipe.network.name, recipe.network.options) == ("mlp", {"hidden": [8]})
    assert recipe.learner.options == {}
    assert (recipe.data.train_samples, recipe.data.test_samples) == (None, None)


def test_changes_are_values_of_toml_or_else_words(file):
    changes = (
        "quantizer.bits=2",
        "network.hidden=[4, 5]",
        "quantizer.init=max",
        "training.epochs=3",
        "neuron.strict=false",
    )
    recipe = read_recipe(file, changes)
    assert recipe.quantizer.options == {"bits": 2, "init": "max"}
    assert recipe.network.options == {"hidden": [4, 5]}
    assert recipe.training.epochs == 3
    assert recipe.neuron.options == {"strict": False}


def test_every_shipped_recipe_is_valid():
    offers = registry().of("recipe")
    assert offers
    for offer in offers:
        recipe = read_recipe(offer.value)
        for kind in ("quantizer", "neuron", "network", "learner"):
            part = getattr(recipe, kind)
            registry().make(kind, part.name, part.options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seed=-1", "'seed': input should be greater than or equal to 0"),
        ("timesteps=100001", "'timesteps': input should be less than or equal to 100000"),
        ("training.epochs=-1", "'training.epochs': input should be greater than or equal to 0"),
        ("training.float_epochs=-1", "'training.float_epochs': input should be greater than or equal to 0"),
        ("data.train_samples=0", "'data.train_samples': input should be greater than or equal to 1"),
        ("training.epoch=3", "'training.epoch': extra inputs are not permitted"),
        ("colour=3", "'colour': extra inputs are not permitted"),
        ("neuron.v_th=nan", "'neuron.v_th': input is nan; give a finite number"),
        ("learner.lr=inf", "'learner.lr': input is inf; give a finite number"),
        ("network.hidden=[8, -inf]", "'network.hidden.1': input is -inf; give a finite number"),
        ("seed=9223372036854775808", "'seed': input should be less than or equal to 9223372036854775807"),
        (
            "data.train_samples=99999999999999999999",
            "'data.train_samples': input is beyond 64 bits; give a smaller number",
        ),
        ("seed=many", "'seed': input should be a valid integer, unable to parse string as an integer"),
        ("learner.name=7", "'learner.name': input should be a valid string"),
    ],
)
def test_a_faulty_value_is_named_by_its_key(file, change, message):
    with pytest.raises(UsageError, match=r"^recipe \S+small.toml: '[a-z_.1]+': .+$") as caught:
        read_recipe(file, (change,))
    assert str(caught.value) == f"recipe {file}: {message}"


def test_what_the_data_table_has_besides_are_options_of_the_set(file):
    recipe = read_recipe(file, ("data.folder=3",))
    assert recipe.data.options == {"folder": 3}
    assert recipe.table()["data"] == {"name": "digits", "folder": 3}
    with pytest.raises(PluginError, match=r"^dataset 'digits' has no option 'folder'; its options are: none$"):
        build_model(recipe)


def test_several_faults_are_counted():
    with pytest.raises(UsageError, match=r"^recipe mine: 'data': field required \(and 4 more\)$"):
        parse_recipe({}, "mine")


@pytest.mark.parametrize("change", ["quantizer.bits", "=3", "quantizer.=3", ".bits=3", "a..b=1", ""])
def test_a_change_of_another_form_is_refused(file, change):
    with pytest.raises(UsageError, match=r"^--set '.*' is not of the form table.key=value, such as quantizer.bits=2$"):
        read_recipe(file, (change,))


@pytest.mark.parametrize("change", ["quantizer.bits=2\nseed=5", "seed=1\r", 'neuron.name="""a\nb"""', "seed\n=1"])
def test_a_change_of_more_than_one_line_is_refused(file, change):
    message = r"^--set '.*' holds a line break or another control character; give one value in one line$"
    with pytest.raises(UsageError, match=message):
        read_recipe(file, (change,))


def test_the_largest_seed_comes_back(file, tmp_path):
    recipe = read_recipe(file, ("seed=9223372036854775807",))
    assert recipe.seed == (1 << 63) - 1


def test_a_faulty_key_is_named_in_one_line():
    with pytest.raises(UsageError, match=r"^recipe mine: 'a b': extra inputs are not permitted$"):
        parse_recipe({**tomllib.loads(SMALL), "a\nb": 1}, "mine")


def test_differing_keys_are_named_with_their_tables():
    before = {"seed": 1, "data": {"name": "a"}, "network": {"hidden": [8]}}
    after = {"seed": True, "data": {"name": "b", "more": 1}, "network": {"hidden": [8]}}
    assert differing_keys(before, before) == []
    assert differing_keys(before, after) == ["seed", "data.name", "data.more"]


def test_a_change_within_a_number_is_refused(file):
    message = r"^--set 'timesteps.more=1': 'timesteps' is not a table in this recipe$"
    with pytest.raises(UsageError, match=message):
        read_recipe(file, ("timesteps.more=1",))


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"^recipe \S+nowhere.toml cannot be read: No such file or directory$"):
        read_recipe(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "content", [b"timesteps = ", b"\xff\xfe", b"[data]\n[data]\n", b"a=" + b"9" * 5000, b"a=" + b"[" * 9999]
)
def test_a_file_that_is_not_toml(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"^recipe \S+bad.toml is not TOML: .+$"):
        read_recipe(path)
