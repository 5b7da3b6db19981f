"""Spike-timing-dependent plasticity as a plugin: one image after the other, no labels until the epoch's end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from spikequant import Learner, LearnerState, Model, Network, Progress, Split
from spikequant.errors import UsageError
from spikequant_stdp.engine.exactness import check
from spikequant_stdp.engine.parameters import Formats, Parameters, Rule, WeightMode
from spikequant_stdp.model import UsnnModel
from spikequant_stdp.network import DiehlCookNetwork


class NoState:
    """All that an epoch leaves is in the model."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state_dict: Any, /) -> None:
        """Take back nothing."""


class Stdp(Learner):
    """Pair-wise STDP, or its weight-dependent form; then each neuron is found the classes it speaks for.

    Source: Q-SpiNN, Eq. 1; Diehl and Cook 2015.

    Args:
        rule: ``pairwise``, or ``weight-dependent`` (Eq. 1).
        mu: Exponent of the weight dependence.
        eta_pre: Learning rate at a spike of an input.
        eta_post: Learning rate at a spike of a neuron.
        tau_trace_ms: Time constant of the spike traces.
        label_samples: Training images on which neurons are found their classes after an epoch.
        weight_mode: In low precision, keep float weights and round them at each use (``master``), or keep
            rounded weights (``stored``).
        itq: Quantities that have their formats during training already; the others get theirs after it. A
            threshold of few bits loses the slow decay of its adaptation when it is trained so.
    """

    name: ClassVar[str] = "stdp"
    summary: ClassVar[str] = "spike-timing-dependent plasticity, unsupervised, for network diehl-cook (Q-SpiNN Eq. 1)"
    network: ClassVar[type[Network] | None] = DiehlCookNetwork

    def __init__(
        self,
        *,
        rule: Rule = "pairwise",
        mu: float = 1.0,
        eta_pre: float = 1e-4,
        eta_post: float = 1e-2,
        tau_trace_ms: float = 20.0,
        label_samples: int = 10_000,
        weight_mode: WeightMode = "master",
        itq: Sequence[Literal["w", "V", "Vth", "g"]] = ("w", "V", "Vth", "g"),
    ) -> None:
        if label_samples < 1:
            raise ValueError(f"learner 'stdp': label_samples is {label_samples}; it must be at least 1")
        self.rule, self.mu, self.eta_pre, self.eta_post = rule, mu, eta_pre, eta_post
        self.tau_trace_ms, self.label_samples, self.weight_mode = tau_trace_ms, label_samples, weight_mode
        self.itq = tuple(itq)
        if unknown := set(self.itq) - {"w", "V", "Vth", "g"}:
            raise ValueError(f"learner 'stdp': itq names {', '.join(sorted(unknown))}; it may hold w, V, Vth and g")
        self._learning(Parameters(1, 1))
        Formats(weight_mode=weight_mode)

    def start(self, model: Model, *, epochs: int, seed: int) -> NoState:
        """Check that the network can be trained in its formats."""
        network = _network(model)
        network.formats = replace(network.formats, weight_mode=self.weight_mode)
        formats = self._in_training(network)
        check(network.constants, formats, network.state_in(formats))
        return NoState()

    def epoch(
        self,
        model: Model,
        data: Split,
        state: LearnerState,
        number: int,
        *,
        epochs: int,
        seed: int,
        progress: Progress = lambda done, total: None,
    ) -> Mapping[str, float]:
        """Show every image once, in an order keyed by seed and epoch."""
        network = _network(model)
        order = np.random.default_rng([seed, number]).permutation(len(data))
        formats = self._in_training(network)
        trained = network.state_in(formats)
        seen = network.engine.train(
            self._learning(network.constants),
            formats,
            trained,
            network.pixels(data.x[order]),
            draw=number + 1,
            progress=progress,
        )
        network.state = trained
        labelled = order[: self.label_samples]
        network.learned(data.y[labelled], data.x[labelled])
        spikes = seen.counts.sum(axis=1, dtype=np.float64)
        lost = {"vanished": seen.vanished / seen.updates} if seen.updates else {}
        return {"spikes": float(spikes.mean()), "silent": float(np.mean(spikes == 0)), **lost}

    def _learning(self, constants: Parameters) -> Parameters:
        return replace(
            constants,
            rule=self.rule,
            mu=self.mu,
            eta_pre=self.eta_pre,
            eta_post=self.eta_post,
            tau_trace_ms=self.tau_trace_ms,
        )

    def _in_training(self, network: UsnnModel) -> Formats:
        """Return the formats with FP32 for what is quantized after training only."""
        formats, now = network.formats, self.itq
        if formats.V is not None and formats.g is not None and "V" in now and "g" not in now:
            raise UsageError(
                f"learner 'stdp': itq holds {', '.join(now)}, and the step of V uses g; add g, or leave out V"
            )
        return replace(
            formats,
            w=formats.w if "w" in now else None,
            V=formats.V if "V" in now else None,
            Vth=formats.Vth if "Vth" in now else None,
            g=formats.g if "g" in now else None,
        )


def _network(model: Model) -> UsnnModel:
    if not isinstance(model, UsnnModel):
        raise UsageError(
            f"learner 'stdp' trains network 'diehl-cook' only, and was given a {type(model).__name__};"
            " set network.name to 'diehl-cook', or choose another learner"
        )
    return model
