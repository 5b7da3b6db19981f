"""Each check of the training-side kits finds the fault that it is for."""

import numpy as np
import pytest
import torch

from spikequant import Learner, LifNeuron, Quantizer, Selection, Selector, Variable
from spikequant.errors import UsageError
from spikequant.program import Lif
from spikequant.testing import learner_checks, neuron_checks, quantizer_checks, selector_checks


class Nearest(Quantizer):
    """Without fault."""

    name = "nearest"

    def quantize(self, x, scale):
        return torch.floor((x / scale).clamp(*self.code_range) + 0.5).to(torch.int32)


class FloatCodes(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x, scale).float()


class Unclamped(Nearest):
    def quantize(self, x, scale):
        return (x / scale).clamp(-1e9, 1e9).round().to(torch.int32)


class Flat(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x, scale).flatten()


class NoZero(Nearest):
    def quantize(self, x, scale):
        codes = super().quantize(x, scale)
        return torch.where(codes == 0, 1, codes)


class NothingButZero(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x, scale) * 0


class OneScale(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x, scale.max())


class Noisy(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x + scale * (torch.rand_like(x) - 0.5), scale)


class Overwriting(Nearest):
    def quantize(self, x, scale):
        return super().quantize(x.div_(scale), torch.ones_like(scale))


class WithoutZero(Nearest):
    code_range = (1, 7)


class NoSize(Nearest):
    fixed_scale = 0.0


class OddRounding(Nearest):
    rounding = "nearest"


class OtherBits(Nearest):
    @classmethod
    def format_options(cls, name, fmt, rounding):
        return {"bits": min(fmt.width, 16)}


class UnknownOption(Nearest):
    @classmethod
    def format_options(cls, name, fmt, rounding):
        return {"format": str(fmt)}


class CarelessRefusal(Nearest):
    @classmethod
    def format_options(cls, name, fmt, rounding):
        raise UsageError("no")


class TooWide(Nearest):
    code_range = (-100, 100)


class Offset(Nearest):
    def dequantize(self, codes, scale):
        return (codes + 0.5) * scale


class OffByFloat(Nearest):
    def codes_with_gradient(self, x, scale):
        ratio = (x / scale).clamp(*self.code_range)
        return ratio + (self.quantize(x, scale) - ratio).detach() * 1.001


class NoGradient(Nearest):
    def codes_with_gradient(self, x, scale):
        return super().codes_with_gradient(x, scale.detach())


class GradientEverywhere(Nearest):
    def codes_with_gradient(self, x, scale):
        from spikequant.gradients import straight_through

        return straight_through(x / scale, self.quantize(x, scale))


class ZeroClip(Nearest):
    def initial_clip(self, x):
        return float(x.abs().max())


@pytest.mark.parametrize(
    ("fault", "checks"),
    [
        (FloatCodes, {"codes"}),
        (Unclamped, {"codes", "training_codes"}),
        (Flat, {"codes"}),
        (NoZero, {"zero"}),
        (NothingButZero, {"uses_codes"}),
        (OneScale, {"scale_broadcasts"}),
        (Noisy, {"deterministic"}),
        (Overwriting, {"inputs_unchanged"}),
        (WithoutZero, {"range"}),
        (NoSize, {"fixed_scale"}),
        (OddRounding, {"rounding"}),
        (OtherBits, {"format_options"}),
        (UnknownOption, {"format_options"}),
        (CarelessRefusal, {"format_options"}),
        (TooWide, {"range"}),
        (Offset, {"dequantize"}),
        (OffByFloat, {"training_codes"}),
        (NoGradient, {"gradient"}),
        (GradientEverywhere, {"gradient"}),
        (ZeroClip, {"initial_clip"}),
    ],
)
def test_a_faulty_quantizer_is_found(fault, checks):
    assert quantizer_checks.failures(Nearest(bits=4)) == {}
    assert checks <= found(quantizer_checks, fault(bits=4)).keys()


def found(kit, subject):
    """The failures; a check that stops with another error than its own counts as one."""
    failures = {}
    for check in kit.checks:
        try:
            check(subject)
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
            failures[check.__name__.removeprefix("check_")] = str(error)
    return failures


class Plain(LifNeuron):
    """Without fault."""

    name = "plain"


class OtherThreshold(Plain):
    def lower(self, name, lsb, shape):
        node = super().lower(name, lsb, shape)
        return Lif(name, u_bits=self.bits, theta=node.theta + 1, lsb=node.lsb)


class OtherLeak(Plain):
    def lower(self, name, lsb, shape):
        return Lif(name, u_bits=self.bits, theta=super().lower(name, lsb, shape).theta, leak=type(self.leak)())


class TwosComplement(Plain):
    def lower(self, name, lsb, shape):
        return Lif(name, u_bits=self.bits, theta=super().lower(name, lsb, shape).theta, overflow="saturate")


class OneThreshold(Plain):
    """Takes the first channel's unit for all."""

    def lower(self, name, lsb, shape):
        return super().lower(name, lsb[:1], shape)


class Renamed(Plain):
    def lower(self, name, lsb, shape):
        return super().lower("cell1", lsb, shape)


class Narrow(Plain):
    def lower(self, name, lsb, shape):
        return Lif(name, u_bits=self.bits - 1, theta=super().lower(name, lsb, shape).theta)


class WrongRun(Plain):
    def integer_run(self, x, lsb, timesteps):
        return super().integer_run(x + 1, lsb, timesteps)


class WrongGradient(Plain):
    def integer_run(self, x, lsb, timesteps):
        return super().integer_run(x, lsb.detach() + 0 * lsb, timesteps)


class BatchMean(Plain):
    def integer_step(self, x, u, lsb):
        s, after = super().integer_step(x, u, lsb)
        return s, after - torch.round(after.mean(0))


class InPlace(Plain):
    def integer_step(self, x, u, lsb):
        with torch.no_grad():
            u += 1
        return super().integer_step(x, u, lsb)


class NoSurrogate(Plain):
    def integer_step(self, x, u, lsb):
        s, after = super().integer_step(x, u, lsb)
        return s.detach(), after


class DetachedUnit(Plain):
    def integer_step(self, x, u, lsb):
        return super().integer_step(x, u, lsb.detach())


class Forgetful(Plain):
    def integer_step(self, x, u, lsb):
        s, after = super().integer_step(x, u, lsb)
        return s, after.detach()


class FloatSpikes(Plain):
    def float_step(self, x, u):
        s, after = super().float_step(x, u)
        return s * 0.5, after


class HardFloat(Plain):
    def float_step(self, x, u):
        s, after = super().float_step(x, u)
        return s.detach(), after


class Roleless(Plain):
    variables = (Variable("u", "sometimes"),)


class Twice(Plain):
    variables = (Variable("u", "variable"), Variable("u", "constant"))


class Constant(Plain):
    variables = (Variable("theta", "constant"),)


class OwnLif(Lif):
    """A node of its own kind, without a mapping."""

    kind = "own_lif"


class Unmapped(Plain):
    def lower(self, name, lsb, shape):
        return OwnLif(name, u_bits=self.bits, theta=super().lower(name, lsb, shape).theta)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (OtherThreshold, "integer_step"),
        (OtherLeak, "integer_step"),
        (TwosComplement, "integer_step"),
        (OneThreshold, "integer_step"),
        (Renamed, "lowers"),
        (Narrow, "lowers"),
        (Narrow, "limits"),
        (WrongRun, "integer_run"),
        (WrongGradient, "integer_run"),
        (BatchMean, "batch_split"),
        (InPlace, "inputs_unchanged"),
        (NoSurrogate, "integer_gradient"),
        (DetachedUnit, "integer_gradient"),
        (Forgetful, "integer_gradient"),
        (FloatSpikes, "float_step"),
        (HardFloat, "float_step"),
        (Roleless, "described"),
        (Twice, "described"),
        (Constant, "described"),
        (Unmapped, "nir"),
    ],
)
def test_a_faulty_neuron_is_found(fault, check):
    assert check in found(neuron_checks, fault(bits=5))


def test_the_neuron_without_fault_passes():
    assert neuron_checks.failures(Plain(bits=5)) == {}


class Signs(Learner):
    """Without fault: one signed gradient step an epoch, from samples drawn by seed and epoch."""

    name = "signs"

    def start(self, model, *, epochs, seed):
        return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)

    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        return self.step(model, data, state, self.chosen(data, seed, number))

    def chosen(self, data, seed, number):
        return np.random.default_rng([seed, number]).permutation(len(data))[:16]

    def step(self, model, data, state, chosen):
        x, y = torch.tensor(data.x[chosen]).float(), torch.tensor(data.y[chosen])
        state.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        state.step()
        return {"loss": loss.item()}


class Idle(Signs):
    def step(self, model, data, state, chosen):
        return {"loss": 0.0}


class EveryGradient(Signs):
    """Takes for granted that every parameter learns; a clip that the format fixes does not."""

    def step(self, model, data, state, chosen):
        metrics = super().step(model, data, state, chosen)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(1e-3 * torch.sign(parameter.grad))
        return metrics


class GlobalOrder(Signs):
    def chosen(self, data, seed, number):
        return torch.randperm(len(data)).numpy()[:16]


class RunningOrder(Signs):
    """A generator that runs on from epoch to epoch."""

    def start(self, model, *, epochs, seed):
        self.random = np.random.default_rng(seed)
        return super().start(model, epochs=epochs, seed=seed)

    def chosen(self, data, seed, number):
        return self.random.permutation(len(data))[:16]


class Unsaved(torch.optim.SGD):
    """Forgets its momentum."""

    def load_state_dict(self, state_dict):
        pass


class LosesState(Signs):
    def start(self, model, *, epochs, seed):
        return Unsaved(model.parameters(), lr=0.01, momentum=0.9)


class Diverges(Signs):
    def step(self, model, data, state, chosen):
        super().step(model, data, state, chosen)
        return {"loss": float("nan")}


class WritesData(Signs):
    def step(self, model, data, state, chosen):
        data.x[0] = 0
        return super().step(model, data, state, chosen)


class Dequantizes(Signs):
    def step(self, model, data, state, chosen):
        model.precision = "float"
        return super().step(model, data, state, chosen)


class Backwards(Signs):
    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        progress(2, 2)
        progress(1, 2)
        return super().epoch(model, data, state, number, epochs=epochs, seed=seed)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Idle, "changes_parameters"),
        (EveryGradient, "changes_parameters"),
        (GlobalOrder, "repeatable"),
        (RunningOrder, "resumes"),
        (LosesState, "resumes"),
        (Diverges, "metrics"),
        (WritesData, "data_unchanged"),
        (Dequantizes, "keeps_precision"),
        (Backwards, "progress"),
    ],
)
def test_a_faulty_learner_is_found(fault, check):
    assert check in found(learner_checks, fault())


def test_the_learner_without_fault_passes():
    assert learner_checks.failures(Signs()) == {}


class First(Selector):
    """Without fault."""

    name = "first"

    def select(self, candidates):
        if not candidates:
            raise UsageError("there is no candidate")
        return Selection(0, f"{candidates[0].label} is the first")


class Beyond(First):
    def select(self, candidates):
        return Selection(len(candidates), super().select(candidates).why)


class Silent(First):
    def select(self, candidates):
        return Selection(super().select(candidates).index, "")


class Careless(First):
    def select(self, candidates):
        return Selection(0, candidates[0].label)


class ByIdentity(First):
    def select(self, candidates):
        super().select(candidates)
        index = min(range(len(candidates)), key=lambda i: id(candidates[i]))
        return Selection(index, f"{candidates[index].label} of {id(candidates[index])}")


class Self(First):
    """Names its own choice as the runner-up."""

    def select(self, candidates):
        selection = super().select(candidates)
        return Selection(selection.index, selection.why, runner_up=selection.index)


class Sorting(First):
    def select(self, candidates):
        if isinstance(candidates, list):
            candidates.sort(key=lambda c: -c.memory_bits)
        return super().select(candidates)


class Picky(First):
    def select(self, candidates):
        raise UsageError("none is good enough")


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Beyond, "chooses"),
        (Picky, "chooses"),
        (Silent, "says_why"),
        (Careless, "nothing_to_choose"),
        (Self, "runner_up"),
        (ByIdentity, "repeatable"),
        (Sorting, "candidates_unchanged"),
    ],
)
def test_a_faulty_selector_is_found(fault, check):
    assert check in found(selector_checks, fault())


def test_the_selector_without_fault_passes():
    assert selector_checks.failures(First()) == {}
