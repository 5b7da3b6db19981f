"""The contract of a neuron as checks: what it trains with is what its lowered node computes, bit by bit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spikequant.errors import SpikequantError
from spikequant.neuron import SteppedNeuron, Variable
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Flatten, Input, IntArray, Program, Readout, Shape, SpikingNode, chain
from spikequant.testing.kit import Contract
from spikequant.verify import compare

STEPS = 6
BATCH = 5
SHAPES: tuple[Shape, ...] = ((4,), (4, 3, 2))
LARGE = 1 << 20


@dataclass(frozen=True, eq=False)
class Case:
    """Whole-number inputs ``(timesteps, batch, *shape)`` and the size of their unit per channel."""

    label: str
    shape: Shape
    lsb: Tensor
    x: Tensor

    @property
    def spread_lsb(self) -> Tensor:
        """The unit in the form that broadcasts with one timestep's input."""
        return self.lsb.reshape((1, -1) + (1,) * (len(self.shape) - 1))


def check_described(neuron: SteppedNeuron) -> None:
    """The neuron has a name, a width, and variables with a role each."""
    label = type(neuron).__name__
    name: object = getattr(neuron, "name", None)
    assert isinstance(name, str), f"{label}.name is {name!r}; it must be a text"
    assert name.strip(), f"{label}.name is empty; it must be a word"
    variables: object = getattr(neuron, "variables", None)
    listed = isinstance(variables, tuple) and bool(variables) and all(isinstance(v, Variable) for v in variables)
    assert listed, f"{label}.variables is {variables!r}; it must be a tuple of Variable"
    for variable in neuron.variables:
        known = variable.role in ("constant", "variable")
        assert known, f"{label}: variable '{variable.name}' has role {variable.role!r}; use constant or variable"
    names = [variable.name for variable in neuron.variables]
    assert len(set(names)) == len(names), f"{label}.variables names {names}; each name may occur once"
    changing = any(variable.role == "variable" for variable in neuron.variables)
    assert changing, f"{label}.variables has no role 'variable'; at least the potential changes every timestep"


def check_lowers(neuron: SteppedNeuron) -> None:
    """The node has the name it was given, the neuron's width, and is accepted by a program."""
    for case in cases(neuron):
        node: object = neuron.lower("cell", case.lsb, case.shape)
        where = f"neuron '{neuron.name}', {case.label}"
        assert isinstance(node, SpikingNode), f"{where}: lower() returned {type(node).__name__}, not a SpikingNode"
        assert node.name == "cell", f"{where}: the node is called '{node.name}', not 'cell' as asked"
        assert node.u_bits == neuron.bits, f"{where}: the node has u_bits {node.u_bits}; the neuron {neuron.bits}"
        _program(neuron, case)


def check_integer_step(neuron: SteppedNeuron) -> None:
    """Every spike and potential of ``integer_step`` is that of the lowered node."""
    for case in cases(neuron):
        node = neuron.lower("cell", case.lsb, case.shape)
        u, stored = torch.zeros_like(case.x[0]), np.zeros(case.x[0].shape, np.int64)
        for t, x in enumerate(case.x):
            with torch.no_grad():
                s, u = neuron.integer_step(x, u, case.spread_lsb)
            fired, stored, _ = node.step(_integers(x), stored)
            for what, got, want in (("spike", s, fired), ("potential", u, stored)):
                _assert_equal(got, want, f"neuron '{neuron.name}', {case.label}, timestep {t}: {what}")


def check_integer_run(neuron: SteppedNeuron) -> None:
    """``integer_run`` gives the spikes and the gradients of repeated ``integer_step``."""
    for case in cases(neuron):
        for what, x in (("its own input at every timestep", case.x), ("one input for all timesteps", case.x[:1])):
            where = f"neuron '{neuron.name}', {case.label}, {what}: integer_run()"
            outcomes = []
            for run in (neuron.integer_run, partial(SteppedNeuron.integer_run, neuron)):
                given = x.clone().requires_grad_(), case.spread_lsb.clone().requires_grad_()
                spikes = run(*given, STEPS)
                grads = torch.autograd.grad(spikes.sum(), given)
                outcomes.append((spikes.detach(), *grads))
            got, want = outcomes
            shapes = f"{where} returned shape {tuple(got[0].shape)}; it must be {tuple(want[0].shape)}"
            assert got[0].shape == want[0].shape, shapes
            differing = int((got[0] != want[0]).sum())
            assert not differing, f"{where} differs from repeated integer_step() in {differing} spikes"
            for name, a, b in zip(("x", "lsb"), got[1:], want[1:], strict=True):
                near = torch.allclose(a, b, rtol=1e-3, atol=1e-5 * float(b.abs().max()))
                assert near, f"{where}: the gradient to {name} is not that of repeated integer_step()"


def check_limits(neuron: SteppedNeuron) -> None:
    """Stored potentials stay within the node's ``potential_limits``."""
    for case in cases(neuron):
        low, high = neuron.lower("cell", case.lsb, case.shape).potential_limits
        for t, (_, u) in enumerate(_steps(neuron, case)):
            inside = low <= float(u.min()) and float(u.max()) <= high
            assert inside, (
                f"neuron '{neuron.name}', {case.label}, timestep {t}: potentials are {float(u.min()):g}.."
                f"{float(u.max()):g}; the node says {low}..{high}"
            )


def check_batch_split(neuron: SteppedNeuron) -> None:
    """A batch in two parts gives what it gives at once, and a second run what the first gave."""
    for case in cases(neuron):
        parts = [_steps(neuron, replace(case, x=case.x[:, part])) for part in (slice(0, 2), slice(2, None))]
        for t, (whole, first, second) in enumerate(zip(_steps(neuron, case), *parts, strict=True)):
            for what, at_once, a, b in zip(("spikes", "potentials"), whole, first, second, strict=True):
                same = torch.equal(at_once, torch.cat([a, b]))
                assert same, f"neuron '{neuron.name}', {case.label}, timestep {t}: {what} depend on the batch's split"


def check_inputs_unchanged(neuron: SteppedNeuron) -> None:
    """A step writes to none of its arguments."""
    for case in cases(neuron):
        given = case.x[0].clone(), torch.zeros_like(case.x[0]), case.spread_lsb.clone()
        kept = [value.clone() for value in given]
        with torch.no_grad():
            neuron.integer_step(*given)
            neuron.float_step(*given[:2])
        for name, before, after in zip(("x", "u", "lsb"), kept, given, strict=True):
            same = torch.equal(before, after)
            assert same, f"neuron '{neuron.name}', {case.label}: a step wrote to its argument {name}"


def check_float_step(neuron: SteppedNeuron) -> None:
    """The real step emits spikes in {0, 1} and lets a gradient through to input and potential."""
    level = float(getattr(neuron, "v_th", 1.0))
    x = torch.linspace(-2 * level, 2 * level, 40).reshape(BATCH, 8).requires_grad_()
    u = torch.full_like(x, 0.25 * level).requires_grad_()
    s, after = neuron.float_step(x, u)
    where = f"neuron '{neuron.name}': float_step()"
    binary = bool(((s == 0) | (s == 1)).all())
    assert binary, f"{where} returned spikes {sorted(set(s.detach().flatten().tolist()))[:4]}; they must be 0 or 1"
    assert after.shape == x.shape, f"{where} returned potentials of shape {tuple(after.shape)} for {tuple(x.shape)}"
    _assert_gradients(s.sum(), {"x": x, "u": u}, f"{where}: the spikes' gradient")
    _assert_gradients(neuron.float_step(x, u)[1].sum(), {"x": x, "u": u}, f"{where}: the potential's gradient")


def check_integer_gradient(neuron: SteppedNeuron) -> None:
    """The spikes of ``integer_step`` let a gradient through to the input and to the unit's size."""
    level = float(getattr(neuron, "v_th", 1.0))
    lsb = torch.tensor([[0.25, 0.1]]).mul(level).requires_grad_()
    x = torch.tensor([[2.0, 8.0], [3.0, 9.0], [5.0, 12.0]]).requires_grad_()
    s, _ = neuron.integer_step(x, torch.zeros_like(x), lsb)
    where = f"neuron '{neuron.name}': integer_step()"
    _assert_gradients(s.sum(), {"x": x, "lsb": lsb}, f"{where}: the spikes' gradient")
    little = torch.ones_like(x).requires_grad_()
    _, u = neuron.integer_step(little, torch.zeros_like(x), lsb.detach())
    s, _ = neuron.integer_step(x.detach(), u, lsb.detach())
    _assert_gradients(s.sum(), {"x": little}, f"{where}: the next spikes' gradient, through the potential,")


def check_nir(neuron: SteppedNeuron) -> None:
    """The node comes back from a ``.nir`` file with the same integers."""
    kinds = neuron.node_mappings()
    for case in cases(neuron):
        program = _program(neuron, case)
        where = f"neuron '{neuron.name}', {case.label}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cell.nir"
            try:
                write_program(program, path, kinds=kinds)
                back = read_program(path, kinds=kinds)
            except SpikequantError as error:
                raise AssertionError(f"{where}: {error}") from error
        x = np.random.default_rng(1).integers(0, 256, (BATCH, *case.shape))
        verdict = compare(run_oracle(program, x), run_oracle(back, x))
        assert verdict.identical, f"{where}: read back from NIR it computes other integers: {verdict}"
        kind = type(back.spiking[0])
        assert kind is type(program.spiking[0]), f"{where}: read back from NIR it is a {kind.__name__}"


def cases(neuron: SteppedNeuron) -> Iterator[Case]:
    """Random inputs around the threshold and far beyond, for units that divide it and units that do not."""
    level = float(getattr(neuron, "v_th", 1.0))
    units = {
        "unit divides the threshold": torch.full((1,), level / 8),
        "units per channel divide the threshold": torch.tensor([1.0, 0.5, 0.25, 1 / 64]) * level,
        "units per channel": torch.tensor([0.9, 0.1, 0.0123, 3.7]) * level,
    }
    for shape in SHAPES:
        for number, (label, lsb) in enumerate(units.items()):
            spread = lsb.expand(shape[0])
            yield Case(f"{label}, shape {shape}", shape, spread, _inputs(shape, spread, level, number))


def _inputs(shape: Shape, lsb: Tensor, level: float, seed: int) -> Tensor:
    """Whole numbers of about the threshold, some hitting it exactly, some large enough to saturate."""
    random = torch.Generator().manual_seed(seed)
    size = (STEPS, BATCH, *shape)
    theta = (level / lsb).reshape((-1,) + (1,) * (len(shape) - 1))
    near = (torch.randn(size, generator=random) * theta).round()
    kind = torch.randint(0, 10, size, generator=random)
    near = torch.where(kind == 0, theta.round().expand(size), near)
    far = torch.randint(-LARGE, LARGE + 1, size, generator=random).float()
    return torch.where(kind == 1, far, near).clamp(-LARGE, LARGE)


def _steps(neuron: SteppedNeuron, case: Case) -> list[tuple[Tensor, Tensor]]:
    u, found = torch.zeros_like(case.x[0]), []
    for x in case.x:
        with torch.no_grad():
            s, u = neuron.integer_step(x, u, case.spread_lsb)
        found.append((s, u))
    return found


def _program(neuron: SteppedNeuron, case: Case) -> Program:
    """Return a program whose input goes straight into the neurons."""
    features = int(np.prod(case.shape))
    codes = np.arange(2 * features).reshape(2, features) % 3 - 1
    nodes = [
        Input("input", case.shape, bits=8),
        neuron.lower("cell", case.lsb, case.shape),
        *([Flatten("flat")] if len(case.shape) > 1 else []),
        Dense("out", codes, bits=2),
        Readout("readout"),
    ]
    try:
        return chain(nodes, timesteps=STEPS)
    except SpikequantError as error:
        raise AssertionError(f"neuron '{neuron.name}', {case.label}: {error}") from error


def _integers(x: Tensor) -> IntArray:
    return x.numpy().astype(np.int64)


def _assert_equal(got: Tensor, want: IntArray, where: str) -> None:
    values = got.double().numpy()
    assert values.shape == want.shape, f"{where} has shape {values.shape}; the lowered node gives {want.shape}"
    if not np.array_equal(values, want):
        at = tuple(int(i) for i in np.argwhere(values != want)[0])
        count = int((values != want).sum())
        raise AssertionError(
            f"{where} of element {at}: integer_step gives {values[at]:g}, the lowered node {want[at]};"
            f" {count} of {want.size} differ"
        )


def _assert_gradients(total: Tensor, to: dict[str, Tensor], where: str) -> None:
    assert total.requires_grad, f"{where} is missing; use spikequant.gradients"
    grads = torch.autograd.grad(total, list(to.values()), allow_unused=True, retain_graph=True)
    for name, grad in zip(to, grads, strict=True):
        assert grad is not None, f"{where} does not reach {name}; do not detach it"
        usable = bool(torch.isfinite(grad).all()) and bool((grad != 0).any())
        assert usable, f"{where} to {name} is {grad.flatten().tolist()[:4]}...; it must be finite and not all zero"


neuron_checks: Contract[SteppedNeuron] = Contract(
    "neuron",
    (
        check_described,
        check_lowers,
        check_integer_step,
        check_integer_run,
        check_limits,
        check_batch_split,
        check_inputs_unchanged,
        check_float_step,
        check_integer_gradient,
        check_nir,
    ),
)
