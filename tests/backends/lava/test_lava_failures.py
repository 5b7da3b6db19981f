"""However a run fails, the error is clear, comes soon, and nothing is left: no process, no shared memory."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import BackendError
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, Readout, chain
from spikequant.verify import compare
from spikequant_lava.backend import LavaExecutable
from spikequant_lava.supervisor import RUNNER

ENDLESS = 100_000


def program(timesteps=50):
    codes = np.ones((3, 3), dtype=int)
    return chain([Input("x", (3,)), Dense("fc", codes), Lif("lif"), Dense("fc2", codes), Readout("out")], timesteps)


def broken_runner(tmp_path, file, old, new):
    """A copy of the runner with one line changed."""
    copy = tmp_path / "runner"
    shutil.copytree(RUNNER, copy)
    path = copy / "lava_job" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return copy


def failure_of(executable, within_s=20.0):
    started = time.monotonic()
    with pytest.raises(BackendError) as caught:
        executable.run(np.ones((2, 3), dtype=int))
    assert time.monotonic() - started < within_s
    return str(caught.value)


SPIKE = "        return spikes.astype(np.int64)"
RUN = "    network.first.run(condition=RunSteps(num_steps=steps))"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "kernels/neurons.py",
            SPIKE,
            "        if time_step == 7:\n            raise ArithmeticError('planted')\n" + SPIKE,
            r"the Lava run ended with signal SIGTERM after .* s; the end of its log:(.|\n)*ArithmeticError: planted",
        ),
        (
            "kernels/neurons.py",
            SPIKE,
            "        import os\n        os._exit(3)",
            r"ended with signal SIGTERM(.|\n)*a process of Lava ended with exit code 3 in the middle of the run",
        ),
        (
            "network.py",
            "GRADED_BITS if node",
            "'many' if node",
            r"ended with signal SIGTERM(.|\n)*ValueError: .*'many'",
        ),
        ("execute.py", RUN, "    raise MemoryError('planted')", r"SIGTERM(.|\n)*MemoryError: planted"),
        ("execute.py", RUN, "    import os\n    os.kill(os.getpid(), 9)", r"ended with signal SIGKILL"),
        ("shim.py", "import sys", "import sys, no_such_module", r"ModuleNotFoundError: No module named 'no_such_mod"),
    ],
    ids=["raise-in-model", "model-exits", "build-fails", "raise-in-main", "main-killed", "import-fails"],
)
def test_a_failing_runner_is_an_error_with_its_last_words(file, old, new, told, tmp_path, lava_python, leftovers):
    executable = LavaExecutable(program(), lava_python, runner=broken_runner(tmp_path, file, old, new))
    assert re.search(told, failure_of(executable))
    leftovers.assert_none()


def test_a_failure_inside_lavas_own_process_is_found_too(tmp_path, lava_python, leftovers):
    runner = broken_runner(tmp_path, "network.py", 'weight_exp=node.get("weight_exp", -1)', "weight_exp='minus one'")
    assert "TypeError" in failure_of(LavaExecutable(program(), lava_python, runner=runner))
    leftovers.assert_none()


def test_a_hung_run_times_out(tmp_path, lava_python, leftovers):
    runner = broken_runner(
        tmp_path, "kernels/neurons.py", SPIKE, "        import signal, time\n        time.sleep(1000)"
    )
    executable = LavaExecutable(program(), lava_python, runner=runner, timeout_s=4)
    assert failure_of(executable).startswith("the Lava run exceeded 4 s; the end of its log:\n")
    leftovers.assert_none()


def test_a_runner_that_ignores_sigterm_is_killed(tmp_path, lava_python, leftovers):
    stubborn = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)\nimport sys"
    runner = broken_runner(tmp_path, "shim.py", "import sys", "import sys")
    (runner / "lava_job" / "execute.py").write_text(stubborn)
    assert "exceeded 2 s" in failure_of(LavaExecutable(program(), lava_python, runner=runner, timeout_s=2))
    leftovers.assert_none()


CLIENT = """
import signal
import sys
from pathlib import Path
import numpy as np
from spikequant.program import Dense, Input, Lif, chain
from spikequant_lava.backend import LavaExecutable

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
nodes = [Input("x", (3,)), Dense("fc", np.ones((3, 3), dtype=int)), Lif("lif")]
try:
    LavaExecutable(chain(nodes, timesteps=int(sys.argv[2])), Path(sys.argv[1])).run(np.ones((2, 3), dtype=int))
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_ending_the_client_ends_the_run(sent, code, tmp_path, lava_python, leftovers):
    script = tmp_path / "client.py"
    script.write_text(textwrap.dedent(CLIENT))
    jobs = tempfile.mkdtemp(prefix="sq-", dir="/tmp")  # short: a socket's path in it has at most 107 bytes
    leftovers.folder = f"{jobs}/spikequant-lava-"
    command = [sys.executable, str(script), str(lava_python), str(ENDLESS)]
    client = subprocess.Popen(command, env={**os.environ, "TMPDIR": jobs}, stdout=subprocess.PIPE)
    try:
        leftovers.wait_for(6)
        client.send_signal(sent)
        assert client.wait(20) == code
    finally:
        client.kill()
        client.communicate()
    leftovers.assert_none()
    assert not list(Path(jobs).glob("spikequant-lava-*")), "the job's files stay behind"
    shutil.rmtree(jobs)


def test_a_killed_process_of_lava_ends_the_run(tmp_path, lava_python, leftovers):
    script = tmp_path / "killer.py"
    script.write_text("import os, sys, time\ntime.sleep(float(sys.argv[1]))\nos.kill(int(sys.argv[2]), 9)\n")
    hook = f"    os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, {str(script)!r}, '1', str(actors[0].pid)])\n"
    actors = "    import sys\n    actors = network.first.runtime._messaging_infrastructure.actors\n"
    runner = broken_runner(tmp_path, "execute.py", RUN, actors + hook + RUN)
    text = failure_of(LavaExecutable(program(ENDLESS), lava_python, runner=runner))
    assert "a process of Lava ended with exit code -9 in the middle of the run" in text
    leftovers.assert_none()


def test_a_stopped_run_times_out_and_leaves_nothing(tmp_path, lava_python, leftovers):
    """SIGTERM reaches nobody who is stopped; without the resource tracker the shared memory would stay."""

    def stop():
        for pid in leftovers.wait_for(6):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    stopper = threading.Timer(1.5, stop)
    stopper.start()
    text = failure_of(LavaExecutable(program(ENDLESS * 10), lava_python, timeout_s=6))
    stopper.join()
    assert text.startswith("the Lava run exceeded 6 s")
    leftovers.assert_none()


def test_shared_memory_goes_even_if_every_process_ignores_sigterm(tmp_path, lava_python, leftovers):
    runner = broken_runner(tmp_path, "kernels/neurons.py", SPIKE, "        import time\n        time.sleep(1000)")
    path = runner / "lava_job" / "execute.py"
    path.write_text(path.read_text() + "\nimport signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n")
    seen = set()

    def look():
        leftovers.wait_for(8)
        time.sleep(1.5)
        seen.update(leftovers.segments() - leftovers.before)

    looking = threading.Thread(target=look)
    looking.start()
    assert "exceeded 8 s" in failure_of(LavaExecutable(program(), lava_python, runner=runner, timeout_s=8), 30.0)
    looking.join()
    assert seen, "there was no shared memory to leave behind"
    leftovers.assert_none()


def test_a_disk_without_room_for_the_result_is_an_error_before_the_run(tmp_path, lava_python, leftovers):
    runner = broken_runner(tmp_path, "recording.py", "0, path.stat().st_size", "0, 1 << 60")
    text = failure_of(LavaExecutable(program(), lava_python, runner=runner))
    assert re.search(r"OSError: \[Errno (27|28)\] (File too large|No space left on device)$", text)
    leftovers.assert_none()


def test_a_folder_without_room_for_the_job_is_an_error_with_a_next_step(tmp_path, lava_python, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert failure_of(LavaExecutable(program(), lava_python)) == (
        f"the job's files in {tmp_path}/missing cannot be written or read: No such file or directory;"
        " free some space, or set TMPDIR to another folder"
    )


def test_a_full_disk_is_named_in_the_error(tmp_path, lava_python, monkeypatch, leftovers):
    monkeypatch.setattr("spikequant_lava.supervisor.LEAST_FREE", 1 << 62)
    runner = broken_runner(tmp_path, "execute.py", RUN, "    raise OSError(28, 'planted')")
    text = failure_of(LavaExecutable(program(), lava_python, runner=runner))
    assert re.search(r"after .* s, and the disk of .* is full \([\d,]+ bytes left; free some, or set TMPDIR", text)
    leftovers.assert_none()


def test_a_long_path_of_the_temporary_folder_is_no_obstacle(tmp_path, lava_python, monkeypatch, leftovers):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert LavaExecutable(program(), lava_python).run(np.ones((2, 3), dtype=int)).counts.samples == 2
    leftovers.assert_none()


def test_eight_jobs_at_once_give_what_one_gives(lava_python, leftovers):
    x = np.arange(6).reshape(2, 3)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(LavaExecutable(program(), lava_python).run, x) for _ in range(8)]
    expected = run_oracle(program(), x)
    assert all(compare(expected, job.result()).identical for job in jobs)
    leftovers.assert_none()
