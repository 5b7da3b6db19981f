"""Discovery: one broken plugin never stops the others, and every fault names its distribution."""

import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from spikequant import Neuron, Quantizer, hookimpl
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
    import click

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


@pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit("go away"), SyntaxError("odd")])
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
    def spikequant_networks():
        return [type("Net", (), {"name": "same"})]

    members = {**offering(quantizer("same")), "spikequant_networks": spikequant_networks}
    assert discover([install("one", "acme", **members)]).conflicts() == ()


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
    unfinished = type("Unfinished", (Neuron,), {"name": "half"})
    found = Registry((Offer("neuron", "half", unfinished, Provider("p", "d", "1")),), ())
    with pytest.raises(PluginError, match=r"^neuron 'half' refuses its options: Can't instantiate abstract class .*$"):
        found.make("neuron", "half", {})
