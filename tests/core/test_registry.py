"""Discovery: one broken plugin never stops the others, and every fault names its distribution."""

import re
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Literal

import click
import pytest

from spikequant import LifNeuron, Quantizer, SteppedNeuron, hookimpl
from spikequant.discovery import installed
from spikequant.errors import PluginError
from spikequant.registry import Failure, Offer, Provider, Registry, discover, node_kinds, registry


class Installed(Distribution):
    """A distribution known by name and version only."""

    def __init__(self, name, version="1.0"):
        self._name, self._version = name, version

    @property
    def metadata(self):
        return {"Name": self._name}

    @property
    def version(self):
        return self._version

    def read_text(self, filename):
        return None

    def locate_file(self, path):
        return Path(path)


def quantizer(name, **attributes):
    def quantize(self, x, scale):
        return (x / scale).int()

    return type("Plain", (Quantizer,), {"name": name, "quantize": quantize, **attributes})


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes a module and its entry point."""

    def make(plugin, distribution, version="1.0", **members):
        module = ModuleType(f"stranger_{distribution.replace('-', '_')}_{plugin}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(plugin, module.__name__, "spikequant"), Installed(distribution, version)

    return make


def offering(*classes):
    @hookimpl
    def spikequant_quantizers():
        return list(classes)

    return {"spikequant_quantizers": spikequant_quantizers}


def reason(found):
    (failure,) = found.failures
    return str(failure)


def test_the_bundled_plugins_load():
    found = registry()
    assert {"mint", "uq"} <= {offer.name for offer in found.of("quantizer")}
    assert "bptt" in {offer.name for offer in found.of("learner")}
    assert {"mlp", "cnn", "vgg9"} <= {offer.name for offer in found.of("network")}
    assert "reward" in {offer.name for offer in found.of("selector")}
    assert "scaled_lif" in node_kinds()
    assert found is registry()


def test_what_a_plugin_offers_is_found_by_kind_and_name(install):
    offered = quantizer("a")
    found = discover([install("one", "acme", "2.0", **offering(offered, quantizer("b")))])
    assert found.get("quantizer", "a") is offered
    assert [offer.name for offer in found.of("quantizer")] == ["a", "b"]
    assert str(found.of("quantizer")[0].provider) == "acme 2.0"


def test_files_and_commands_are_offered_too(install, tmp_path):
    @hookimpl
    def spikequant_recipes():
        return {"mine": tmp_path / "mine.toml"}

    @hookimpl
    def spikequant_commands():
        return [click.Command("hello")]

    found = discover(
        [install("one", "acme", spikequant_recipes=spikequant_recipes, spikequant_commands=spikequant_commands)]
    )
    assert found.get("recipe", "mine") == tmp_path / "mine.toml"
    assert found.get("command", "hello").name == "hello"


def test_a_module_that_cannot_be_imported_is_recorded_and_the_others_load(install):
    missing = EntryPoint("acme", "a_module_that_nobody_has", "spikequant"), Installed("spikequant-acme", "2.0")
    found = discover([missing, install("fine", "fine", **offering(quantizer("a")))])
    text = "plugin 'acme' did not load: spikequant-acme 2.0: ModuleNotFoundError:"
    text += " No module named 'a_module_that_nobody_has'"
    assert reason(found) == text
    assert found.make("quantizer", "a", {}).bits == 8
    with pytest.raises(PluginError) as caught:
        found.get("quantizer", "acme")
    assert str(caught.value) == f"{text}; mend or uninstall it"


class Rude(BaseException):
    """No Exception."""


ERRORS = [RuntimeError("boom"), SystemExit("go away"), SyntaxError("odd"), Rude("boom"), GeneratorExit("x")]


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_a_hook_raises_is_recorded(install, error):
    @hookimpl
    def spikequant_quantizers():
        raise error

    found = discover([install("one", "acme", spikequant_quantizers=spikequant_quantizers)])
    assert reason(found) == f"plugin 'one' did not load: acme 1.0: {type(error).__name__}: {error}"


def test_an_interrupt_is_not_a_fault_of_the_plugin(install):
    @hookimpl
    def spikequant_quantizers():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        discover([install("one", "acme", spikequant_quantizers=spikequant_quantizers)])


def test_a_forgotten_decorator_is_named(install):
    found = discover([install("one", "acme", spikequant_quantizers=lambda: [quantizer("a")])])
    assert reason(found) == (
        "plugin 'one' did not load: acme 1.0: TypeError: spikequant_quantizers() lacks @hookimpl;"
        " put the decorator above it"
    )


def test_one_forgotten_decorator_of_two_is_named(install):
    found = discover([install("one", "acme", **offering(quantizer("a")), spikequant_neurons=list)])
    assert "spikequant_neurons() lacks @hookimpl" in reason(found)
    assert found.offers == ()


def test_a_module_without_hooks_is_told_which_there_are(install):
    found = discover([install("one", "acme", helper=1)])
    text = reason(found)
    assert text.startswith(
        "plugin 'one' did not load: acme 1.0: TypeError: stranger_acme_one implements no hook; define one of "
    )
    assert text.endswith("spikequant_selectors with @hookimpl")


def test_a_misspelt_hook_is_a_fault(install):
    @hookimpl
    def spikequant_quantisers():
        return []

    text = reason(discover([install("one", "acme", spikequant_quantisers=spikequant_quantisers)]))
    assert text.startswith("plugin 'one' did not load: acme 1.0: PluginValidationError: ")
    assert "spikequant_quantisers" in text


@pytest.mark.parametrize("name", [None, "", 7])
def test_a_class_without_a_name_is_a_fault(install, name):
    text = reason(discover([install("one", "acme", **offering(quantizer(name)))]))
    assert text.startswith("plugin 'one' did not load: acme 1.0: TypeError: the quantizer <class ")
    assert text.endswith("has no name; set the class attribute 'name' to a word")


def test_a_class_of_another_contract_is_a_fault(install):
    foreign = type("Foreign", (), {"name": "foreign"})
    text = reason(discover([install("one", "acme", **offering(foreign))]))
    assert text == (
        "plugin 'one' did not load: acme 1.0: TypeError: the quantizer 'foreign' is no Quantizer;"
        " derive the class from spikequant.Quantizer"
    )


def test_an_instance_instead_of_a_class_is_a_fault(install):
    text = reason(discover([install("one", "acme", **offering(quantizer("a")()))]))
    assert text.endswith("has no name; set the class attribute 'name' to a word")


def test_a_name_that_two_claim_names_both_and_the_rest_still_works(install):
    first = install("mint", "spikequant", "0.1", **offering(quantizer("mint"), quantizer("uq")))
    second = install("acme", "spikequant-acme", "2.0", **offering(quantizer("mint"), quantizer("pow2")))
    found = discover([first, second])
    text = "quantizer name 'mint' is claimed by spikequant 0.1 and by spikequant-acme 2.0; uninstall one of them"
    assert found.conflicts() == (text,)
    with pytest.raises(PluginError) as caught:
        found.get("quantizer", "mint")
    assert str(caught.value) == text
    assert found.get("quantizer", "uq").name == "uq"
    assert found.get("quantizer", "pow2").name == "pow2"


def test_the_same_entry_point_name_of_two_distributions_hides_neither(install):
    found = discover(
        [install("mint", "a", **offering(quantizer("x"))), install("mint", "b", **offering(quantizer("y")))]
    )
    assert [offer.name for offer in found.of("quantizer")] == ["x", "y"]
    assert found.conflicts() == ()


def test_the_same_name_in_two_kinds_is_no_conflict(install):
    @hookimpl
    def spikequant_commands():
        return [click.Command("same")]

    members = {**offering(quantizer("same")), "spikequant_commands": spikequant_commands}
    found = discover([install("one", "acme", **members)])
    assert (len(found.offers), found.conflicts()) == (2, ())


def test_an_unknown_name_is_answered_with_the_known_ones(install):
    found = discover([install("one", "acme", **offering(quantizer("b"), quantizer("a")))])
    with pytest.raises(PluginError, match=r"^quantizer 'c' is not installed; known: a, b$"):
        found.get("quantizer", "c")
    with pytest.raises(PluginError, match=r"^neuron 'c' is not installed; known: none$"):
        found.get("neuron", "c")


def test_an_unknown_name_hints_at_what_did_not_load():
    failure = Failure(Provider("acme", "acme", "1.0"), "ValueError: no")
    message = r"^quantizer 'c' is not installed; known: none; 1 plugins did not load, see 'spikequant plugins'$"
    with pytest.raises(PluginError, match=message):
        Registry((), (failure,)).get("quantizer", "c")


def test_options_are_checked_by_name():
    found = Registry((Offer("quantizer", "a", quantizer("a"), Provider("p", "d", "1")),), ())
    assert found.make("quantizer", "a", {"bits": 3}).bits == 3
    with pytest.raises(PluginError, match=r"^quantizer 'a' has no option 'depth'; its options are: bits$"):
        found.make("quantizer", "a", {"bits": 3, "depth": 1})
    message = r"^quantizer 'a' refuses its options: quantizer 'a': bits is 1; it must be between 2 and 16$"
    with pytest.raises(PluginError, match=message):
        found.make("quantizer", "a", {"bits": 1})


def test_a_class_that_is_not_finished_is_refused_by_name():
    unfinished = type("Unfinished", (SteppedNeuron,), {"name": "half"})
    found = Registry((Offer("neuron", "half", unfinished, Provider("p", "d", "1")),), ())
    with pytest.raises(PluginError, match=r"^neuron 'half' refuses its options: Can't instantiate abstract class .*$"):
        found.make("neuron", "half", {})


HOOKED = "plugin 'one' did not load: acme 1.0: TypeError: "


def returning(hook, value):
    def answer():
        return value

    answer.__name__ = hook
    return {hook: hookimpl(answer)}


@pytest.mark.parametrize(
    ("hook", "value", "text"),
    [
        ("spikequant_quantizers", None, "spikequant_quantizers() returned None; return a list"),
        ("spikequant_quantizers", quantizer("a"), "spikequant_quantizers() returned a ABCMeta; return a list"),
        ("spikequant_quantizers", {"a": 1}, "spikequant_quantizers() returned a dict; return a list"),
        ("spikequant_recipes", ["a"], "spikequant_recipes() returned a list; return a dict of paths under their names"),
        (
            "spikequant_recipes",
            {5: 7},
            "spikequant_recipes() returned 5: 7; return a dict of paths under their names",
        ),
        (
            "spikequant_commands",
            [click.Command(None)],
            "spikequant_commands() returned <Command None>; return click commands, each with a name",
        ),
        (
            "spikequant_commands",
            [7],
            "spikequant_commands() returned 7; return click commands, each with a name",
        ),
    ],
)
def test_a_hook_that_returns_something_else_is_a_fault(install, hook, value, text):
    found = discover(
        [install("one", "acme", **returning(hook, value)), install("two", "b", **offering(quantizer("q")))]
    )
    assert reason(found) == HOOKED + text
    assert [offer.name for offer in found.offers] == ["q"]


def test_a_hook_that_takes_arguments_is_told_so(install):
    @hookimpl
    def spikequant_quantizers(wanted):
        return []

    text = reason(discover([install("one", "acme", spikequant_quantizers=spikequant_quantizers)]))
    assert text.startswith(f"{HOOKED}Plugin 'one' for hook 'spikequant_quantizers'; hookimpl definition: ")
    assert "Argument(s) {'wanted'}" in text
    assert "\n" not in text


def test_a_fault_is_one_line(install):
    @hookimpl
    def spikequant_quantizers():
        raise ValueError("first\nsecond")

    found = discover([install("one", "acme", spikequant_quantizers=spikequant_quantizers)])
    assert reason(found) == "plugin 'one' did not load: acme 1.0: ValueError: first"


class Mapped:
    """A mapping of a node kind; nothing here calls it."""

    def to_nir(self):
        """Not called."""

    fields = from_nir = to_nir


class OtherMapped(Mapped):
    """Another one."""


def neuron(name, mappings):
    def node_mappings(cls):
        if isinstance(mappings, Exception):
            raise mappings
        return mappings

    return type("Cell", (LifNeuron,), {"name": name, "node_mappings": classmethod(node_mappings)})


@pytest.mark.parametrize(
    ("mappings", "text"),
    [
        (RuntimeError("boom"), "RuntimeError: boom"),
        (None, "TypeError: neuron 'a': node_mappings() returned None; return a dict of mappings by kind"),
        (
            {"mine": 5},
            "TypeError: neuron 'a': node_mappings() returned 'mine': 5;"
            " each kind needs an object with to_nir, fields and from_nir",
        ),
    ],
)
def test_a_neuron_whose_mappings_are_wrong_is_a_fault_and_stops_no_other(install, mappings, text):
    mapped = Mapped()
    broken = install("one", "acme", **returning("spikequant_neurons", [neuron("a", mappings)]))
    fine = install("two", "fine", **returning("spikequant_neurons", [neuron("b", {"mine": mapped})]))
    found = discover([broken, fine])
    assert reason(found) == f"plugin 'one' did not load: acme 1.0: {text}"
    assert node_kinds(found) == {"mine": mapped}


@pytest.mark.parametrize("kind", ["lif", "dense", "conv2d", "input", "readout", "spiking"])
def test_a_built_in_node_kind_is_taken_over_by_nobody(install, kind):
    mapped = Mapped()
    cell = neuron("a", {kind: Mapped(), "mine": mapped})
    found = discover([install("one", "acme", **returning("spikequant_neurons", [cell]))])
    text = f"node kind name '{kind}' is built in and claimed by acme 1.0; the built-in one stays, uninstall the other"
    assert found.conflicts() == (text,)
    assert node_kinds(found) == {"mine": mapped}
    assert found.get("neuron", "a") is cell


def test_a_node_kind_that_two_claim_is_an_error_when_it_is_used(install):
    first = install("one", "a", **returning("spikequant_neurons", [neuron("x", {"mine": Mapped()})]))
    second = install("two", "b", **returning("spikequant_neurons", [neuron("y", {"mine": OtherMapped()})]))
    found = discover([first, second])
    text = "node kind name 'mine' is claimed by a 1.0 and by b 1.0; uninstall one of them"
    assert found.conflicts() == (text,)
    for use in ("to_nir", "fields", "from_nir"):
        with pytest.raises(PluginError, match=f"^{text}$"):
            getattr(node_kinds(found)["mine"], use)("name", None, None)


def test_a_neuron_that_inherits_its_mapping_claims_nothing_new(install):
    first = install("one", "a", **returning("spikequant_neurons", [neuron("x", {"mine": Mapped()})]))
    second = install("two", "b", **returning("spikequant_neurons", [neuron("y", {"mine": Mapped()})]))
    found = discover([first, second])
    assert found.conflicts() == ()
    assert isinstance(node_kinds(found)["mine"], Mapped)


def test_a_command_that_is_built_in_is_a_conflict(install):
    found = discover([install("one", "acme", **returning("spikequant_commands", [click.Command("train")]))])
    text = "command name 'train' is built in and claimed by acme 1.0; the built-in one stays, uninstall the other"
    assert found.conflicts() == (text,)


def chosen(hint, default=None):
    """A quantizer whose constructor has one option of the annotated type."""

    def construct(self, value=default):
        Quantizer.__init__(self)
        self.value = value

    if hint is not None:
        construct.__annotations__ = {"value": hint}
    return Registry((Offer("quantizer", "a", quantizer("a", __init__=construct), Provider("p", "d", "1")),), ())


@pytest.mark.parametrize(
    ("hint", "given", "wanted"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (bool, True, True),
        (str, "x", "x"),
        (Path, "x/y", Path("x/y")),
        (Path, Path("x"), Path("x")),
        (Path | None, None, None),
        (Sequence[int], [1, 2], [1, 2]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Literal["up", "down"], "up", "up"),
        ("NamesNothing", 1.5, 1.5),
        (None, [1.5], [1.5]),
    ],
)
def test_options_become_what_the_constructor_says(hint, given, wanted):
    value = chosen(hint).make("quantizer", "a", {"value": given}).value
    assert (type(value), value) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("hint", "given", "text"),
    [
        (int, 1.5, "1.5; it must be a whole number"),
        (int, 1.0, "1.0; it must be a whole number"),
        (int, True, "true; it must be a whole number"),
        (float, True, "true; it must be a number"),
        (float, "0.5", '"0.5"; it must be a number'),
        (bool, "maybe", '"maybe"; it must be true or false'),
        (bool, 1, "1; it must be true or false"),
        (str, None, "null; it must be a text"),
        (Path, 3, "3; it must be a path"),
        (int | None, "x", '"x"; it must be a whole number or none'),
        (Sequence[int], [1.5], "[1.5]; it must be a list, each item a whole number"),
        (Sequence[int], [True], "[true]; it must be a list, each item a whole number"),
        (Sequence[int], 5, "5; it must be a list, each item a whole number"),
        (Literal["up", "down"], "x", '"x"; it must be one of up, down'),
        (str, date(2024, 1, 1), "datetime.date(2024, 1, 1); it must be a text"),
    ],
)
def test_options_of_another_type_are_refused(hint, given, text):
    with pytest.raises(PluginError, match=rf"^quantizer 'a': option 'value' is {re.escape(text)}$"):
        chosen(hint).make("quantizer", "a", {"value": given})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RuntimeError("no\nmore"), "RuntimeError: no"),
        (ValueError("no\nmore"), "no"),
        (Rude(), "Rude"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_whatever_a_constructor_raises_is_one_line(error, text):
    def construct(self):
        raise error

    found = Registry((Offer("quantizer", "a", quantizer("a", __init__=construct), Provider("p", "d", "1")),), ())
    with pytest.raises(PluginError, match=f"^quantizer 'a' refuses its options: {text}$"):
        found.make("quantizer", "a", {})


def test_ctrl_c_in_a_constructor_is_ctrl_c():
    def construct(self):
        raise KeyboardInterrupt

    found = Registry((Offer("quantizer", "a", quantizer("a", __init__=construct), Provider("p", "d", "1")),), ())
    with pytest.raises(KeyboardInterrupt):
        found.make("quantizer", "a", {})


def metadata_of(folder, name, *, points, metadata="Metadata-Version: 2.1\nName: {}\nVersion: 1\n"):
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(points)
    if metadata:
        (info / "METADATA").write_text(metadata.format(name))
    return Distribution.at(info)


def test_damaged_entry_points_are_a_fault_of_their_distribution_only(tmp_path):
    damaged = metadata_of(tmp_path, "damaged", points="[spikequant]\ngarbage line\n")
    others = metadata_of(tmp_path, "others", points="[console_scripts]\ngarbage line\n")
    fine = metadata_of(tmp_path, "fine", points="[spikequant]\nmine = module\n")
    entries, failures = installed([damaged, others, fine])
    assert [(entry.name, found.version) for entry, found in entries] == [("mine", "1")]
    text = "plugin 'damaged' did not load: damaged 1: its entry_points.txt is damaged; each line must be of the form"
    assert [str(failure) for failure in failures] == [f"{text} NAME = MODULE"]


@pytest.mark.parametrize("metadata", ["", "Metadata-Version: 2.1\nVersion: 1\n"])
def test_a_distribution_without_a_name_is_a_fault(tmp_path, metadata):
    nameless = metadata_of(tmp_path, "nameless", points="[spikequant]\nmine = module\n", metadata=metadata)
    entries, failures = installed([nameless])
    assert failures == []
    text = reason(discover(entries))
    assert text.startswith(f"plugin 'mine' did not load: a distribution without a name in {tmp_path} ")
    assert text.endswith(": ValueError: its metadata has no Name or no Version; install it again")
