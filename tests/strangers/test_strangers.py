"""Distributions that know only the public interface, installed by pip into a folder of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikequant import __version__
from spikequant.nir_profile import read_program
from spikequant.program import Weighted
from spikequant.registry import registry
from spikequant.testing import learner_checks, quantizer_checks

pytest.importorskip("hatchling", reason="hatchling builds the strangers; pip install hatchling")

HERE = Path(__file__).parent
STRANGERS = ("acme-pow2", "acme-missing", "acme-mint", "acme-unmarked", "acme-centroids")
RECIPE = """
timesteps = 2
[data]
name = "digits"
train_samples = 100
test_samples = 50
[network]
name = "mlp"
hidden = [24]
batch_norm = true
[neuron]
name = "mint-lif"
[quantizer]
name = "pow2"
bits = 4
[learner]
name = "bptt"
lr = 1e-2
batch_size = 10
[training]
float_epochs = 1
epochs = 3
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install each stranger apart, offline; return the folders by name."""
    folders = {}
    for name in STRANGERS:
        source, target = tmp_path_factory.mktemp("source") / name, tmp_path_factory.mktemp("site")
        shutil.copytree(HERE / name, source)
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
        done = run(["-m", "pip", "install", *options, "--target", str(target), str(source)])
        assert done.returncode == 0, done.stderr
        folders[name] = target
    return folders


def run(words, path=(), cwd=None):
    """Run this Python with ``path`` in front; return what it did."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    options = {"env": env, "cwd": cwd, "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run([sys.executable, *words], check=False, **options)


@pytest.fixture(scope="module")
def together(installed):
    """All strangers on this process's path; forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in installed.values():
            patch.syspath_prepend(folder)
        registry.cache_clear()
        yield
    registry.cache_clear()
    for name in [name for name in sys.modules if name.startswith("spikequant_") and _within(name, installed)]:
        del sys.modules[name]


def _within(name, installed):
    return Path(sys.modules[name].__file__ or "").parent in installed.values()


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def listed(together, spikequant):
    """What ``spikequant plugins --json`` says with every stranger installed."""
    return json.loads(spikequant("plugins", "--json").out)


def test_a_strangers_quantizer_trains_and_exports_through_the_command_line(installed, recipe, tmp_path):
    path, folder, model = [installed["acme-pow2"]], str(tmp_path / "run"), str(tmp_path / "model.nir")
    done = run(["-m", "spikequant", "train", str(recipe), "--out", folder, "--json", "--threads", "1"], path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["trained"] > 0.3
    done = run(["-m", "spikequant", "export", folder, "--out", model], path)
    assert done.returncode == 0, done.stderr
    codes = {int(c) for n in read_program(model).nodes if isinstance(n, Weighted) for c in n.codes.flat}
    assert codes == {0, 1, -1, 2, -2, 4, -4}


def test_a_strangers_own_conformance_test_passes(installed, tmp_path):
    shutil.copy(HERE / "acme-pow2" / "test_pow2.py", tmp_path)
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pow2.py"], [installed["acme-pow2"]], tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"{2 * len(quantizer_checks.checks)} passed" in done.stdout


def test_the_list_has_the_stranger_with_its_distribution(listed):
    row = {"kind": "quantizer", "name": "pow2", "plugin": "pow2", "from": "spikequant-pow2 1.0"}
    assert row in listed["plugins"]


def test_each_fault_is_listed_with_its_distribution_and_reason(listed):
    assert listed["failures"] == [
        {
            "plugin": "missing",
            "from": "spikequant-missing 2.0",
            "reason": "ModuleNotFoundError: No module named 'jax_missing'",
        },
        {
            "plugin": "unmarked",
            "from": "spikequant-unmarked 0.3",
            "reason": "TypeError: spikequant_quantizers() lacks @hookimpl; put the decorator above it",
        },
    ]


def test_a_name_claimed_twice_is_listed_with_both_distributions(listed):
    (conflict,) = listed["conflicts"]
    assert conflict == (
        "quantizer name 'mint' is claimed by spikequant-acme 2.0 and by"
        f" spikequant {__version__}; uninstall one of them"
    )


def test_the_list_for_people_has_the_faults_as_sentences(together, spikequant):
    out = spikequant("plugins").out
    failed = "plugin 'missing' did not load: spikequant-missing 2.0: ModuleNotFoundError: No module named 'jax_missing'"
    assert failed in out.splitlines()
    assert "\nquantizer name 'mint' is claimed by spikequant-acme 2.0 and by spikequant " in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mint",
            "quantizer name 'mint' is claimed by spikequant-acme 2.0 and by spikequant {v}; uninstall one of them",
        ),
        (
            "missing",
            "plugin 'missing' did not load: spikequant-missing 2.0: ModuleNotFoundError: No module named 'jax_missing';"
            " mend or uninstall it",
        ),
        (
            "unmarked",
            "plugin 'unmarked' did not load: spikequant-unmarked 0.3: TypeError: spikequant_quantizers() lacks"
            " @hookimpl; put the decorator above it; mend or uninstall it",
        ),
    ],
)
def test_asking_for_what_is_at_fault_is_one_line_and_exit_2(together, spikequant, recipe, tmp_path, name, message):
    words = ("train", recipe, "--out", tmp_path / "run", "--set", f"quantizer.name={name}")
    answer = spikequant(*words)
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {message.format(v=__version__)}\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["uq", "truncating", "pow2"])
def test_the_others_still_work(together, spikequant, recipe, tmp_path, name):
    changes = ("quantizer.bits=8", f"quantizer.name={name}", "training.epochs=1", "data.train_samples=20")
    words = [word for change in changes for word in ("--set", change)]
    answer = spikequant("train", recipe, "--out", tmp_path / "run", *words, "--json")
    assert answer.code == 0, answer.err
    assert set(json.loads(answer.out)["accuracy"]) == {"float", "trained"}


CENTROIDS = """
timesteps = 2
[data]
name = "digits"
train_samples = 100
test_samples = 100
[network]
name = "centroids"
[neuron]
name = "mint-lif"
[quantizer]
name = "qif"
format = "Q1.6"
[learner]
name = "pull"
[training]
float_epochs = 2
epochs = 2
"""
ENDS = ("model.safetensors", "float.safetensors", "metrics.jsonl", "result.json", "checkpoint.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("centroids")


@pytest.fixture(scope="module")
def commands(installed, folder):
    """Run commands with the stranger's network installed; the first is training."""
    (folder / "recipe.toml").write_text(CENTROIDS)

    def command(*words):
        return run(["-m", "spikequant", *map(str, words)], [installed["acme-centroids"]], folder)

    trained = command("train", "recipe.toml", "--out", "run", "--json")
    assert trained.returncode == 0, trained.stderr
    accuracy = json.loads(trained.stdout)["accuracy"]
    assert min(accuracy["float"], accuracy["trained"]) > 0.6
    return command


def test_a_strangers_network_of_its_own_kind_goes_all_the_way(commands):
    for words in (
        ("export", "run"),
        ("verify", "run/model.nir", "--backend", "torch"),
        ("verify", "run/model.nir", "--trained", "run"),
        ("calibrate", "run"),
        ("significance", "run", "--levels", "w=8,2,0"),
        ("quantize", "run", "--out", "q", "--format", "w=UQ0.3", "--rounding", "SR", "--scheme", "itq"),
        ("export", "q"),
        ("verify", "q/model.nir", "--backend", "reference"),
        ("explore", "run", "--levels", "w=8,4,2", "--target", "5"),
    ):
        done = commands(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_strangers_learner_is_resumed_with_the_same_bits(commands, installed, folder):
    program = (
        "import os; from pathlib import Path\n"
        "from spikequant.runs import RunFolder, Watcher, read_recipe, train\n"
        "def epoch(row):\n"
        "    if row['phase'] == 'integer': os._exit(9)\n"
        "train(read_recipe(Path('recipe.toml')), RunFolder(Path('stopped')), watcher=Watcher(epoch=epoch))\n"
    )
    assert run(["-c", program], [installed["acme-centroids"]], folder).returncode == 9
    done = commands("train", "--resume", "--out", "stopped")
    assert done.returncode == 0, done.stderr
    for name in ENDS:
        assert (folder / "stopped" / name).read_bytes() == (folder / "run" / name).read_bytes()


def test_a_strangers_learner_says_which_network_it_trains(commands):
    done = commands("train", "recipe.toml", "--out", "other", "--set", "network.name=mlp")
    message = (
        "learner 'pull' trains network 'centroids' only, and was given 'mlp'; set network.name to 'centroids', or"
        " choose another learner"
    )
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")


def test_a_strangers_model_refuses_a_format_before_training(commands, folder):
    done = commands("train", "recipe.toml", "--out", "other", "--set", "quantizer={name='mint'}")
    message = "network 'centroids' takes Qi.f, not INT8; set quantizer.name to 'qif'"
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
    assert not (folder / "other").exists()


def test_a_strangers_learner_keeps_its_contract(installed, tmp_path):
    shutil.copy(HERE / "acme-centroids" / "test_centroids.py", tmp_path)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_centroids.py"]
    done = run(words, [installed["acme-centroids"]], tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"{len(learner_checks.checks)} passed" in done.stdout


def test_installing_apart_leaves_the_developers_environment_clean(installed):
    done = run(["-c", "from spikequant.registry import registry; print(registry().of('quantizer'))"])
    assert "'mint'" in done.stdout
    assert "pow2" not in done.stdout
