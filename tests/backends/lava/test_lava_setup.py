"""The isolated environment: made once, whole or not at all, by one process at a time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spikequant.errors import BackendError, UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Leak, Lif, Readout, chain
from spikequant.verify import compare
from spikequant_lava import environment, spikequant_commands
from spikequant_lava.backend import LavaExecutable
from spikequant_lava.selftest import SelfTestError, check

SETUP = "from spikequant_lava.commands import lava; lava()"


def lava_command(*arguments):
    (group,) = spikequant_commands()
    return CliRunner().invoke(group, arguments)


def real_python_310():
    """A Python 3.10 that starts, or none: pyenv installs a ``python3.10`` that refuses when not selected."""
    candidates = [shutil.which("python3.10"), *Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10")]
    for path in filter(None, candidates):
        if subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return Path(path)
    return None


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("SPIKEQUANT_LAVA_HOME", str(folder))
    return folder


def start_setup(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", SETUP, "setup", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_an_interrupted_setup_does_not_count_and_two_at_once_make_one_environment(home):
    """On a real Python 3.10, where there is one, so that both the shim and its absence are proven here."""
    python = real_python_310()
    options = [] if python is None else ["--python", str(python)]
    interrupted = start_setup(*options)
    deadline = time.monotonic() + 60
    while not list(home.glob("lava-nc-*/bin/python")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    interrupted.send_signal(signal.SIGKILL)
    interrupted.communicate()
    (leftover,) = home.glob("lava-nc-*")
    assert not environment.availability().ready

    both = [start_setup(*options) for _ in range(2)]
    said = sorted(process.communicate(timeout=300)[0].splitlines()[-1].split(":")[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == ["already there", "ready"]
    assert not leftover.exists()
    assert len(list(home.glob("lava-nc-*"))) == 1
    if python is not None:
        assert environment.current().version.startswith("3.10.")

    record = (home / "current.json").read_bytes()
    assert environment.setup(python, check=check) is False
    assert (home / "current.json").read_bytes() == record
    _assert_equals_the_oracle(environment.current().python)


def _assert_equals_the_oracle(python):
    rng = np.random.default_rng(3)
    nodes = [
        Input("x", (2, 7, 6)),
        Conv2d(
            "conv", rng.integers(-8, 8, (4, 1, 3, 2)), rng.integers(-9, 9, 4), stride=(2, 1), padding=(1, 0), groups=2
        ),
        Lif("lif", theta=np.array([50, 60, 70, 80]), leak=Leak("multiply", 3, 5, "nearest"), order="leak_on_store"),
        Flatten("flat"),
        Dense("wide", rng.integers(-256, 256, (10, 80)), bits=9),
        Lif("lif2", theta=np.array(200), overflow="wrap"),
        Dense("fc", rng.integers(-128, 128, (3, 10)), rng.integers(-9, 9, 3)),
        Readout("out"),
    ]
    program = chain(nodes, timesteps=6)
    inputs = rng.integers(0, 256, (5, 2, 7, 6))
    verdict = compare(run_oracle(program, inputs), LavaExecutable(program, python).run(inputs))
    assert verdict.identical, str(verdict)


def test_a_complete_environment_is_left_alone(lava_python):
    done = lava_command("setup")
    assert done.exit_code == 0
    assert done.output == f"already there: {environment.availability().detail}\n"


def test_setup_in_json_is_one_object_on_stdout(lava_python):
    done = lava_command("setup", "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, done.stderr, said.pop("built")) == (0, "", False)
    assert said == json.loads(lava_command("status", "--json").stdout)


def test_progress_of_a_setup_in_json_goes_to_stderr(home, monkeypatch):
    """The installation is replaced by a line of progress: only where it is printed is tested."""
    monkeypatch.setattr(environment, "_install", lambda made, say: say("installing"))
    monkeypatch.setattr("spikequant_lava.commands.check", lambda python: None)
    done = lava_command("setup", "--json")
    assert done.exit_code == 0
    assert done.stderr == "installing\ntesting it on Lava\n"
    assert json.loads(done.stdout)["built"] is True


def test_status_says_what_is_there(lava_python):
    plain, as_json = lava_command("status"), lava_command("status", "--json")
    assert (plain.exit_code, as_json.exit_code) == (0, 0)
    assert plain.output == f"ready: {environment.availability().detail}\n"
    data = json.loads(as_json.output)
    assert data["ready"] is True
    assert data["home"] == str(environment.home())
    assert Path(data["environment"]["folder"], "bin", "python") == lava_python


def test_status_of_nothing_exits_1_and_names_the_remedy(home):
    done = lava_command("status")
    assert done.exit_code == 1
    assert done.output == f"not ready: no Lava environment in {home}; run 'spikequant lava setup'\n"
    assert json.loads(lava_command("status", "--json").output)["environment"] is None


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"pins": "older"}, "the Lava environment {folder} holds other versions"),
        ({"folder": "{home}/gone"}, "the Lava environment's interpreter {home}/gone/bin/python is gone"),
        ({"unknown": 1}, "no Lava environment in {home}"),
    ],
)
def test_a_stale_or_damaged_record_is_not_ready(change, detail, home, lava_python):
    folder = home / "lava-nc-0.10.0-x"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    record = {"folder": str(folder), "base": sys.executable, "version": "3.11.0", "pins": environment.fingerprint()}
    (home / "current.json").write_text(json.dumps(record))
    assert environment.availability().ready
    changed = {key: str(value).format(home=home) for key, value in change.items()}
    (home / "current.json").write_text(json.dumps({**record, **changed}))
    state = environment.availability()
    assert (state.ready, state.detail) == (False, detail.format(home=home, folder=folder))
    with pytest.raises(BackendError, match=r"^Lava is not set up: .*; run 'spikequant lava setup'$"):
        environment.current()


def test_an_interpreter_that_cannot_carry_lava_is_refused(home, tmp_path):
    with pytest.raises(UsageError, match=r"^/no/such/python cannot be started \(No such file or directory\); give"):
        environment.setup(Path("/no/such/python"))
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 3.13.1 $0\n")
    fake.chmod(0o755)
    with pytest.raises(UsageError, match=r"is Python 3\.13\.1; Lava runs on 3\.10, 3\.11 and 3\.12, so give one with"):
        environment.setup(fake)
    assert not home.exists()


def test_an_environment_that_computes_wrong_numbers_never_counts(home, tmp_path, monkeypatch):
    """The installation is replaced by nothing, the check by a failing one: only the order of things is tested."""
    monkeypatch.setattr(environment, "_install", lambda made, say: None)

    def wrong(python):
        raise SelfTestError("Lava gives 1, not 2")

    monkeypatch.setattr("spikequant_lava.commands.check", wrong)
    done = lava_command("setup")
    assert done.exit_code == 1
    assert "error: Lava gives 1, not 2" in done.output
    assert not environment.availability().ready
    assert os.listdir(home) in (["setup.lock"], [])


def test_a_failing_installation_quotes_pip_and_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(environment, "PINS", ("numpy==0.0.0",))
    with pytest.raises(BackendError, match=r"^'.* -m pip install .* numpy==0\.0\.0' failed with exit code 1:\n(.|\n)*"):
        environment.setup(say=lambda text: None)
    assert not list(home.glob("lava-nc-*"))
    assert not environment.availability().ready
