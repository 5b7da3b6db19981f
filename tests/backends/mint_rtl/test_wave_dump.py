"""A waveform shows what the oracle computes, for what was chosen and nothing else."""

import importlib.util
import json
import re
from itertools import pairwise

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Input, Leak, Lif, PoolOr, chain
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.inspection.command import write_wave
from spikequant_mint_rtl.inspection.selection import numbers, select

READY = MintRtlBackend().availability().ready and importlib.util.find_spec("pyverilator") is not None
pytestmark = pytest.mark.skipif(not READY, reason="mint_rtl: verilator, g++ or pyverilator is missing")
RNG = np.random.default_rng(11)
PROGRAM = chain(
    [
        Input("x", (2, 5, 5), bits=2, coding="per_step"),
        Conv2d("conv1", RNG.integers(-90, 90, (6, 2, 3, 3)), RNG.integers(-40, 40, 6)),
        Lif("first", theta=np.array(150), u_bits=8, leak=Leak.by_shift(1, "floor")),
        PoolOr("pool", kernel=(2, 2), stride=(2, 2)),
        Conv2d("conv2", RNG.integers(-90, 90, (131, 6, 1, 1))),
        Lif("second", theta=np.array(90), u_bits=8),
    ],
    timesteps=3,
)
INPUTS = RNG.integers(0, 4, (3, 2, 2, 5, 5))
UNKNOWN = None


def read_vcd(path):
    """Names with widths, and the values of all variables after each time: our own reading of IEEE 1364."""
    head, _, body = path.read_text("ascii").partition("$enddefinitions $end")
    names, scopes, widths = {}, [], {}
    for kind, rest in re.findall(r"\$(scope|upscope|var)\b(.*?)\$end", head):
        words = rest.split()
        if kind == "scope":
            scopes.append(words[1])
        elif kind == "upscope":
            scopes.pop()
        else:
            names[words[2]] = ".".join([*scopes[1:], words[3]])
            widths[names[words[2]]] = int(words[1])
    assert not scopes
    times, values, now = {}, {}, None
    for line in body.split("\n"):
        if line.startswith("#"):
            assert now is None or int(line[1:]) > now
            now = int(line[1:])
        elif line.startswith("b"):
            bits, code = line[1:].split()
            values[names[code]] = UNKNOWN if "x" in bits else int(bits, 2)
        elif line and not line.startswith("$"):
            values[names[line[1:]]] = UNKNOWN if line[0] == "x" else int(line[0])
        times[now] = dict(values)
    return widths, {time: state for time, state in times.items() if time is not None}


def signed(value, width):
    return value - (value >> (width - 1) << width)


def text(value):
    return value.to_bytes(16, "big").strip(b"\0").decode()


def dumped(tmp_path, layers, steps, lanes):
    out = tmp_path / "wave.vcd"
    with MintRtlBackend(driver="pyverilator").compile(PROGRAM) as executable:
        selection = select(executable.layer_names, PROGRAM.timesteps, layers, steps, lanes)
        cycles = write_wave(executable, INPUTS, selection, out)
    widths, times = read_vcd(out)
    return cycles, widths, [times[time] for time in sorted(times) if time % 10 == 0]


def stored(states, lane, width=8):
    """What the waveform says each step stored: (sample, layer, neuron, y, x, t) -> (U, fired)."""
    found = {}
    for now, after in pairwise(states):
        if now["control.busy"] is UNKNOWN or text(now["run.state_ascii"]) != "Lif":
            continue
        neuron = 128 * (now["run.first_tile"] + now["control.tile"]) + lane
        y, x = now["run.origin_y"] + now["control.oy"], now["run.origin_x"] + now["control.ox"]
        key = (now["run.sample"], text(now["run.layer_ascii"]), neuron, y, x, now["control.t"])
        assert key not in found
        found[key] = (signed(after[f"lane{lane}.potential"], width), after[f"lane{lane}.fired"])
    return found


def expected(layers, steps, lanes):
    """The same of the oracle's trace."""
    trace = run_oracle(PROGRAM, INPUTS)
    return {
        (sample, layer, neuron, y, x, t): (
            int(potentials[t, sample, neuron, y, x]),
            int(spikes[t, sample, neuron, y, x]),
        )
        for layer in layers
        for potentials, spikes in [(trace.potentials[layer], trace.spikes[layer])]
        for sample in range(INPUTS.shape[1])
        for neuron in range(potentials.shape[2])
        if neuron % 128 in lanes
        for y in range(potentials.shape[3])
        for x in range(potentials.shape[4])
        for t in steps
    }


@pytest.mark.parametrize(
    ("layers", "steps", "lanes"),
    [(None, None, "0:4"), ("first", "0:2", "0,5"), ("second", "1", "2"), ("second,first", "0,2", "1:3")],
)
def test_stored_potentials_and_spikes_are_the_oracles(tmp_path, layers, steps, lanes):
    _, widths, states = dumped(tmp_path, layers, steps, lanes)
    chosen_lanes = numbers("--lanes", lanes, 128)
    chosen_steps = list(range(3)) if steps is None else numbers("--steps", steps, 3)
    chosen_layers = ["first", "second"] if layers is None else layers.split(",")
    assert {name.split(".")[0] for name in widths if name.startswith("lane")} == {f"lane{n}" for n in chosen_lanes}
    want = expected(chosen_layers, chosen_steps, chosen_lanes)
    got = {}
    for lane in chosen_lanes:
        got.update(stored(states, lane))
    beyond = {key: value for key, value in got.items() if key not in want}
    assert {key: got.get(key) for key in want} == want
    # Lanes without a neuron step along; nothing else that was not chosen is there.
    assert all(key[2] >= {"first": 6, "second": 131}[key[1]] for key in beyond)


def test_time_runs_on_where_nothing_was_chosen_and_values_are_unknown_there(tmp_path):
    _, _, states = dumped(tmp_path, "second", "1", "0")
    unknown = [state for state in states if state["control.busy"] is UNKNOWN]
    assert unknown
    assert all(value is UNKNOWN for state in unknown for value in state.values())


def test_counters_end_at_the_layers_counts(tmp_path):
    _, _, states = dumped(tmp_path, "first", None, "0")
    known = [state for state in states if state["control.busy"] is not UNKNOWN]
    first = run_oracle(PROGRAM, INPUTS).spikes["first"]
    assert known[-1]["counters.fires"] == first.sum()
    assert known[-1]["counters.steps"] == first.size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("third", None, "0"), r"^--layers: the program has no layer 'third'; its layers are first, second$"),
        (("conv1", None, "0"), r"^--layers: the program has no layer 'conv1'; its layers are first, second$"),
        ((None, "3", "0"), r"^--steps '3': 3 is out of range; it takes 0\.\.2, and a:b means a\.\.b-1$"),
        ((None, "0:4", "0"), r"^--steps '0:4': 3 is out of range; it takes 0\.\.2, and a:b means a\.\.b-1$"),
        ((None, "2:2", "0"), r"^--steps '2:2': '2:2' is empty; it takes 0\.\.2, and a:b means a\.\.b-1$"),
        ((None, None, "128"), r"^--lanes '128': 128 is out of range; it takes 0\.\.127, and a:b means a\.\.b-1$"),
        ((None, None, "a"), r"^--lanes 'a' is not of the form 3, 0:4 or 0:4,7$"),
        ((None, None, "1:2:3"), r"^--lanes '1:2:3' is not of the form 3, 0:4 or 0:4,7$"),
        ((None, None, "-1"), r"^--lanes '-1' is not of the form 3, 0:4 or 0:4,7$"),
        ((None, None, ""), r"^--lanes '' is not of the form 3, 0:4 or 0:4,7$"),
    ],
)
def test_what_is_not_there_is_named_with_the_limits(words, message):
    with pytest.raises(UsageError, match=message):
        select(["first", "second"], 3, *words)


def test_a_failed_run_leaves_no_file(tmp_path):
    with MintRtlBackend(driver="pyverilator").compile(PROGRAM) as executable:
        selection = select(executable.layer_names, 3, None, None, "0")
        with pytest.raises(UsageError, match=r"^input "):
            write_wave(executable, np.zeros((1, 1)), selection, tmp_path / "a.vcd")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_wave_of_a_model(spikequant, trained, tmp_path):
    out = tmp_path / "a.vcd"
    answer = spikequant("wave", trained / "model.nir", "--out", out, "--steps", "0", "--lanes", "0:2", "--sample", "3")
    assert answer.code == 0, answer.err
    assert re.match(rf"^{re.escape(str(out))}: [\d,]+ cycles of \w+", answer.out)
    widths, times = read_vcd(out)
    assert "lane1.acc" in widths
    assert len(times) > 10


def test_the_command_names_idle_lanes_and_answers_in_json(spikequant, trained, tmp_path):
    out = tmp_path / "a.vcd"
    words = ["wave", trained / "model.nir", "--out", out, "--steps", "0"]
    answer = spikequant(*words, "--lanes", "0,100:102", "--json")
    assert answer.code == 0, answer.err
    data = json.loads(answer.out)
    assert (data["file"], data["steps"], data["lanes"]) == (str(out), [0], [0, 100, 101])
    _, times = read_vcd(out)
    assert data["cycles"] == sum(
        time % 10 == 0 and state["control.busy"] is not UNKNOWN for time, state in times.items()
    )
    notes = [line for line in answer.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == len(data["layers"]) > 1
    for name, note in zip(data["layers"], notes, strict=True):
        form = rf"note: layer '{name}' has \d+ outputs: lanes 100, 101 hold none of them; its values there mean nothing"
        assert re.fullmatch(form, note)
    assert "note: " not in spikequant(*words, "--lanes", "0:2").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--out", "FOLDER/none/a.vcd"],
            r"^error: --out .* cannot be written: No such file or directory; give another",
        ),
        (["--out", "FOLDER"], r"^error: --out .* cannot be written: Is a directory; give another file$"),
        (["--out", "FOLDER/a.vcd", "--layers", "nope"], r"^error: --layers: the program has no layer 'nope'; its "),
        (["--out", "FOLDER/a.vcd", "--steps", "99"], r"^error: --steps '99': 99 is out of range; it takes 0\.\."),
        (["--out", "FOLDER/a.vcd", "--sample", "99999999"], r"^error: --sample 99999999: the split 'test' has \d+ "),
    ],
)
def test_the_command_says_what_is_wrong(spikequant, trained, tmp_path, words, message):
    answer = spikequant("wave", trained / "model.nir", *(word.replace("FOLDER", str(tmp_path)) for word in words))
    assert answer.code == 2
    assert re.search(message, answer.err, re.MULTILINE), answer.err
    assert list(tmp_path.iterdir()) == []


def test_run_takes_the_driver_and_says_the_same(spikequant, trained, tmp_path):
    words = ["run", trained / "model.nir", "--backend", "mint_rtl", "--samples", "3", "--json"]
    fast, slow = spikequant(*words), spikequant(*words, "--driver", "pyverilator")
    assert (slow.code, slow.out) == (0, fast.out), slow.err


def test_run_on_a_backend_without_drivers_says_so(spikequant, trained):
    answer = spikequant("run", trained / "model.nir", "--backend", "torch", "--driver", "pyverilator")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: backend 'torch' has no option 'driver'; its options are: ")
