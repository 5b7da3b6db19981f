"""Every hook has a section in the docs and a complete example in its docstring, and every example works."""

import inspect
import textwrap
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from spikequant import Candidate, hookspecs
from spikequant.exporter import export_to
from spikequant.importer import ImportedProgram
from spikequant.model import InputCoding, SpikingModel
from spikequant.nir_profile import read_program
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Readout, chain
from spikequant.registry import FILE_HOOKS, HOOKS, discover
from spikequant.testing import backend_checks, learner_checks, neuron_checks, quantizer_checks, selector_checks

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"
HOOK_NAMES = sorted(name for name in vars(hookspecs) if name.startswith("spikequant_"))
KINDS = {hook: kind for kind, hook in {**HOOKS, **FILE_HOOKS, "command": "spikequant_commands"}.items()}


class Nowhere(Distribution):
    """A distribution that nobody installed."""

    version = "1.0"
    metadata = {"Name": "spikequant-example"}  # noqa: RUF012

    def read_text(self, filename):
        return None

    def locate_file(self, path):
        return Path(path)


def example(hook):
    """The module in a hook's docstring: all that is indented after the double colon."""
    text = inspect.getdoc(getattr(hookspecs, hook))
    return textwrap.dedent(text.split("::\n", 1)[1])


def offers(hook, monkeypatch, tmp_path):
    """Execute the example as a module of its own and return what the registry finds in it."""
    name = f"example_{hook}"
    module = ModuleType(name)
    module.__file__ = str(tmp_path / f"{name}.py")
    exec(compile(example(hook), module.__file__, "exec"), vars(module))
    monkeypatch.setitem(__import__("sys").modules, name, module)
    found = discover([(EntryPoint("example", name, "spikequant"), Nowhere())])
    assert found.failures == ()
    return found


@pytest.fixture
def offered(monkeypatch, tmp_path):
    def only(hook):
        found = offers(hook, monkeypatch, tmp_path)
        (offer,) = found.offers
        assert offer.kind == KINDS[hook]
        return found.make(offer.kind, offer.name, {}) if hook in HOOKS.values() else offer.value

    return only


def test_every_hook_is_known_to_the_registry():
    assert sorted(KINDS) == HOOK_NAMES


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_every_hook_has_a_section_in_the_docs(hook):
    sections = DOCS.read_text(encoding="utf-8").split("\n### ")[1:]
    (section,) = [text for text in sections if text.splitlines()[0] == hook]
    assert len(section.splitlines()) > 2, f"the section of {hook} is empty"


def test_the_docs_have_no_section_of_a_hook_that_is_gone():
    sections = DOCS.read_text(encoding="utf-8").split("\n### ")[1:]
    assert sorted(text.splitlines()[0] for text in sections) == HOOK_NAMES


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_every_example_is_a_plugin_that_offers_one_thing(hook, offered):
    assert offered(hook) is not None


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_a_hook_is_only_a_declaration(hook):
    function = getattr(hookspecs, hook)
    with pytest.raises(NotImplementedError):
        function()


def test_the_quantizer_keeps_its_contract(offered):
    assert quantizer_checks.failures(offered("spikequant_quantizers")) == {}


def test_the_neuron_keeps_its_contract(offered):
    assert neuron_checks.failures(offered("spikequant_neurons")) == {}


def test_the_learner_keeps_its_contract_but_learns_nothing(offered):
    assert list(learner_checks.failures(offered("spikequant_learners"))) == ["changes_parameters"]


def test_the_selector_keeps_its_contract(offered):
    selector = offered("spikequant_selectors")
    candidates = [Candidate("a", 0.5, 1, 2), Candidate("b", 0.75, 2, 2)]
    assert selector.select(candidates).index == 1
    assert selector_checks.failures(selector) == {}


def test_the_backend_keeps_its_contract(offered):
    assert backend_checks.failures(offered("spikequant_backends")) == {}


def test_the_exporter_writes_a_folder(offered, tmp_path):
    program = chain([Input("x", (1,)), Dense("fc", np.array([[2]])), Readout("out")], 3)
    lines = export_to(offered("spikequant_exporters"), program, np.array([[5]]), tmp_path / "out")
    assert lines == ["1 readouts expected"]
    assert str(read_program(tmp_path / "out" / "model.nir")) == str(program)
    with np.load(tmp_path / "out" / "expected.npz") as archive:
        assert archive["out"].ravel().tolist() == [10, 20, 30]


def test_the_importer_reads_and_inspects_a_file(offered, tmp_path):
    np.savez(tmp_path / "fc.npz", weight=np.array([[2, -3]]))
    importer = offered("spikequant_importers")
    assert importer.claims(tmp_path / "fc.NPZ")
    assert not importer.claims(tmp_path / "fc.nir")
    inspection = importer.inspect(tmp_path / "fc.npz").to_json()
    assert inspection["nodes"][0]["parameters"] == {"weight": "int64 (1, 2), -3 to 2"}
    imported = importer.read(tmp_path / "fc.npz")
    assert isinstance(imported, ImportedProgram)
    assert [str(finding) for finding in imported.findings] == [
        "assumed: the file names no timesteps; 4 are taken, give others with --option timesteps=T"
    ]
    trace = run_oracle(imported.program, np.array([[5, 1]]))
    assert trace.outputs["out"].ravel().tolist() == [7, 14, 21, 28]


def test_the_data_set_loads(offered):
    dataset = offered("spikequant_datasets")
    split = dataset.load("train", ())
    assert split.x.shape == (len(split), *dataset.shape)
    assert sorted(np.unique(split.y)) == list(range(dataset.classes))


def test_the_network_builds(offered, monkeypatch, tmp_path):
    neurons = offers("spikequant_neurons", monkeypatch, tmp_path)
    layers = offered("spikequant_networks").layers((1, 4, 4), 3)
    model = SpikingModel(layers, lambda: neurons.make("neuron", "perfect-if", {}), InputCoding((1, 4, 4), 8, 255), 2)
    assert [stage.shape for stage in model.stages] == [(16,), (16,), (3,)]


@pytest.mark.parametrize("hook", sorted(FILE_HOOKS.values()))
def test_files_lie_beside_the_module(hook, offered, tmp_path):
    path = offered(hook)
    assert (path.parent, path.suffix) == (tmp_path, ".toml")


def test_the_command_runs(offered):
    outcome = CliRunner().invoke(offered("spikequant_commands"))
    assert (outcome.exit_code, outcome.output) == (0, "hello\n")
