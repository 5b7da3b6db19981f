r"""The reference engine: what every engine computes, step by step, in torch on any processor.

All arithmetic is float32, each operation rounded by itself in the order written (no fused multiply-add), decays
being ``float32(exp(-dt / tau))``. ``I(t)`` are the inputs that spike at t, ``S(t)`` is the neuron that does.
Over images only w and theta last; each image starts with ``v = rest``, no conductance, no refractory period,
traces 0 and no spike in flight. Step t:

1. ``acc`` is the sum of ``w[i]`` over i in ``I(t - 1)``, ascending from 0; ``x = acc - inhibition`` for all but the
   neuron ``S(t - 2)``, if there was one, else ``x = acc``.
2. ``v = decay * (v - rest) + rest``; when learning ``theta = theta * theta_decay``; where ``refr <= 0``:
   ``v = v + x``.
3. ``refr = refr - 1``.
4. ``crossed = v >= threshold + theta``.
5. Where crossed: ``refr = refractory``, ``v = reset``, and when learning ``theta = theta + theta_plus``.
6. ``S(t)`` is the lowest crossed index: at most one spike per step.
7. Traces: ``pre = pre * d``, then 1 where i in ``I(t)``; ``post = post * d``, then 1 at ``S(t)``.
8. When learning: ``w[i, j] = clamp((w[i, j] - [i in I(t)] * a) + [j = S(t)] * b, 0, w_max)``. Pair-wise:
   ``a = post[j] * eta_pre``, ``b = pre[i] * eta_post``. Weight-dependent (Q-SpiNN, Eq. 1): ``a`` times
   ``w ** mu`` and ``b`` times ``(w_max - w) ** mu``, of w before the step.

After the last step of training ``w[:, j] *= norm / s``, s the column's sum in ascending order (not where it is
0, or so small that no float32 holds the factor).
Inference is the same without learning. Conductance: ``g = g * g_decay + acc`` before step 2, which then adds
``(g * (0 - v_old)) * 2**-7`` and after that ``-inhibition`` in place of x.

Quantized (Q is one rounding to the variable's grid, then the overflow rule; computed exactly in float64):

- V: ``v = Q(m / 65536 * (v - rest) + rest + x)``, m the decay in units of 1/65536; g likewise.
- Vth: where crossed ``threshold + theta = Q(threshold + theta + theta_plus)``, theta_plus in Q1.6; no decay.
- w: rounded once for inference. Training keeps float weights and sums ``Q(w)`` (``master``), or stores
  ``Q(clamp(...))`` of each updated element and ``Q`` of each normalised one (``stored``).
- The random numbers of SR have the streams "V", "g", "Vth" (draw: the step, element: the neuron), "w" (the step,
  ``i * neurons + j``) and "norm" (the image); the step is t for inference, ``image * T + t`` in training.

Where only V is quantized, ``acc`` is the float32 sum, and the expression is evaluated in float64 in its order.

Source: Diehl and Cook 2015, as BindsNET 0.3.4 times it; Q-SpiNN, Section III and Eq. 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counter_rng import RandomKey
from spikequant_stdp.engine.contract import Candidate, Progress, Recorded, Training, silent
from spikequant_stdp.engine.exactness import check, check_images, check_spikes
from spikequant_stdp.engine.learning import Plasticity
from spikequant_stdp.engine.neurons import Neurons
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import on_grid, quantized_theta, quantized_weights
from spikequant_stdp.engine.recorder import Recorder
from spikequant_stdp.engine.sums import arriving_sums, exact_sums, sum_of_rows

IMAGES_AT_ONCE = 16


class TorchEngine:
    """Trains image by image; infers many images side by side."""

    @property
    def name(self) -> str:
        """``torch``."""
        return "torch"

    def train(
        self,
        p: Parameters,
        formats: Formats,
        state: State,
        images: NDArray[np.uint8],
        *,
        draw: int,
        progress: Progress = silent,
    ) -> Training:
        """Train on images ``(n, inputs)``, encoded with ``draw``, and change ``state``."""
        check(p, formats, state)
        check_images(p, images)
        encoded = (p.coding.spikes(image[None], p.timesteps, draw)[:, 0] for image in images)
        return _train(p, formats, state, encoded, len(images), progress=progress)

    def train_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = False
    ) -> Training:
        """Train on input spikes ``(n, timesteps, inputs)`` and change ``state``."""
        check(p, formats, state)
        check_spikes(p, spikes)
        return _train(p, formats, state, iter(spikes), len(spikes), record=record)

    def infer(
        self,
        p: Parameters,
        candidates: Sequence[Candidate],
        images: NDArray[np.uint8],
        *,
        progress: Progress = silent,
    ) -> NDArray[np.int32]:
        """Count the spikes ``(candidates, n, neurons)`` of images ``(n, inputs)``."""
        for formats, state in candidates:
            check(p, formats, state)
        check_images(p, images)
        counts = np.zeros((len(candidates), len(images), p.neurons), dtype=np.int32)
        groups = _grouped(candidates)
        for start in range(0, len(images), IMAGES_AT_ONCE):
            part = slice(start, start + IMAGES_AT_ONCE)
            arriving = _arriving(p.coding.spikes(images[part], p.timesteps))
            for w, step, members in groups:
                acc = _sums(w, step, arriving)
                for index in members:
                    formats, state = candidates[index]
                    counts[index, part] = _infer(p, formats, state, acc, record=False).spikes.sum(axis=0)
            progress(min(start + IMAGES_AT_ONCE, len(images)), len(images))
        return counts

    def infer_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = True
    ) -> Recorded:
        """Return each step of inference on input spikes ``(n, timesteps, inputs)``."""
        check(p, formats, state)
        check_spikes(p, spikes)
        w, step, _ = _grouped([(formats, state)])[0]
        return _infer(p, formats, state, _sums(w, step, _arriving(spikes.swapaxes(0, 1))), record)


def _train(
    p: Parameters,
    formats: Formats,
    state: State,
    encoded: Iterator[NDArray[Any]],
    images: int,
    *,
    record: bool = False,
    progress: Progress = silent,
) -> Training:
    state.theta = quantized_theta(p, formats, state.theta)
    if formats.weight_mode == "stored":
        state.w[...] = quantized_weights(formats, state.w)
    plasticity = Plasticity(p, formats, torch.from_numpy(state.w))
    counts = np.zeros((images, p.neurons), dtype=np.int32)
    recorder = Recorder(p, images) if record else None
    for n, spikes in enumerate(encoded):
        for t, spiking, neurons in _train_image(p, formats, state, plasticity, spikes):
            counts[n] += spiking[0].numpy()
            if recorder:
                recorder.step(t, spiking, neurons, slice(n, n + 1))
        plasticity.normalise(state.images)
        state.images += 1
        progress(n + 1, images)
    return Training(counts, plasticity.vanished, plasticity.updates, recorder.recorded if recorder else None)


def _train_image(
    p: Parameters, formats: Formats, state: State, plasticity: Plasticity, spikes: NDArray[Any]
) -> Iterator[tuple[int, Tensor, Neurons]]:
    """Train on the input spikes ``(timesteps, inputs)`` of one image; yield who spikes in each step."""
    neurons, theta = Neurons(p, formats, 1), torch.from_numpy(state.theta)
    arrived = torch.zeros(0, dtype=torch.int64)
    plasticity.start_image()
    theta_decay = p.theta_decay
    for t in range(p.timesteps):
        draw = state.images * p.timesteps + t
        acc = _sum_in_training(p, formats, plasticity.w, arrived, draw)
        if formats.Vth is None:
            theta *= theta_decay
        crossed, spiking = neurons.step(acc[None], theta + p.threshold, draw)
        if crossed.any():
            _adapt(p, formats, theta, crossed[0], draw)
        arrived = torch.from_numpy(np.flatnonzero(spikes[t]))
        plasticity.step(arrived, int(spiking[0].nonzero()) if spiking.any() else None, draw)
        yield t, spiking, neurons


def _sum_in_training(p: Parameters, formats: Formats, w: Tensor, arrived: Tensor, draw: int) -> Tensor:
    rows = w[arrived]
    if formats.w is None:
        return sum_of_rows(rows)
    if formats.weight_mode == "master":
        elements = arrived[:, None] * p.neurons + torch.arange(p.neurons)
        rows = on_grid(rows, formats.w, formats, RandomKey(formats.seed, "w", draw), elements)
    return rows.to(torch.float64).sum(dim=0)


def _adapt(p: Parameters, formats: Formats, theta: Tensor, crossed: Tensor, draw: int) -> None:
    """Raise the thresholds of the neurons that reached them."""
    if formats.Vth is None:
        theta[crossed] += p.theta_plus
        return
    index = crossed.nonzero()[:, 0]
    raised = theta[index] + p.threshold + p.theta_plus_quantized
    key = RandomKey(formats.seed, "Vth", draw)
    theta[index] = on_grid(raised, formats.Vth, formats, key, index) - p.threshold


def _infer(p: Parameters, formats: Formats, state: State, acc: Tensor, record: bool) -> Recorded:
    """Run the neurons on the sums of all steps, ``(timesteps, n, neurons)``."""
    images = acc.shape[1]
    neurons, recorder = Neurons(p, formats, images), Recorder(p, images, record)
    firing = torch.from_numpy(quantized_theta(p, formats, state.theta)) + p.threshold
    for t in range(p.timesteps):
        _, spiking = neurons.step(acc[t], firing, t)
        recorder.step(t, spiking, neurons)
    return recorder.recorded


def _arriving(spikes: NDArray[Any]) -> Tensor:
    """Delay the input spikes ``(timesteps, n, inputs)`` by one step."""
    arriving = np.zeros(spikes.shape, dtype=np.bool_)
    arriving[1:] = spikes[:-1]
    return torch.from_numpy(arriving)


def _sums(w: Tensor, step: float | None, arriving: Tensor) -> Tensor:
    flat = arriving.reshape(-1, arriving.shape[-1])
    sums = arriving_sums(w, flat) if step is None else exact_sums(w, flat, step)
    return sums.reshape(*arriving.shape[:-1], w.shape[1])


def _grouped(candidates: Sequence[Candidate]) -> list[tuple[Tensor, float | None, list[int]]]:
    """Return each different set of weights, the step of its grid, and the candidates that have it."""
    groups: dict[tuple[float | None, bytes], tuple[Tensor, float | None, list[int]]] = {}
    for index, (formats, state) in enumerate(candidates):
        w = quantized_weights(formats, state.w)
        step = formats.w.step if formats.w else None
        groups.setdefault((step, w.tobytes()), (torch.from_numpy(w), step, []))[2].append(index)
    return list(groups.values())
