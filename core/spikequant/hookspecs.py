"""The hooks that a plugin can implement, one per contract, each with a complete example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from spikequant.backend import Backend
    from spikequant.dataset import Dataset
    from spikequant.exporter import Exporter
    from spikequant.importer import Importer
    from spikequant.learner import Learner
    from spikequant.network import Network
    from spikequant.neuron import Neuron
    from spikequant.quantizer import Quantizer
    from spikequant.selector import Selector

PROJECT = "spikequant"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def spikequant_quantizers() -> list[type[Quantizer]]:
    """Offer quantizers.

    A complete plugin module, registered in its own pyproject under
    ``[project.entry-points.spikequant]`` as ``pow2 = "spikequant_pow2"``::

        import torch
        from torch import Tensor
        from spikequant import Quantizer, hookimpl

        class PowerOfTwo(Quantizer):
            name = "pow2"

            def quantize(self, x: Tensor, scale: Tensor) -> Tensor:
                ratio = x / scale
                exponent = ratio.abs().clamp(min=1.0).log2().round().clamp(max=self.bits - 2)
                codes = torch.where(ratio.abs() < 0.5, 0.0, ratio.sign() * 2.0**exponent)
                return codes.to(torch.int32)

        @hookimpl
        def spikequant_quantizers():
            return [PowerOfTwo]
    """
    raise NotImplementedError


@hookspec
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer neuron models.

    A complete plugin module; the neuron is an ordinary torch module with three methods::

        import torch
        from spikequant import LifNeuron, hookimpl
        from spikequant.program import Leak, Lif

        class Perfect(LifNeuron):
            '''Integrate-and-fire: no leak.'''

            name = "perfect-if"
            leak = Leak()

        @hookimpl
        def spikequant_neurons():
            return [Perfect]
    """
    raise NotImplementedError


@hookspec
def spikequant_learners() -> list[type[Learner]]:
    """Offer learners.

    A complete plugin module; what :meth:`~spikequant.Learner.start` returns is kept between epochs::

        import torch
        from spikequant import Learner, hookimpl

        class Frozen(Learner):
            '''Trains nothing: for networks that come trained.'''

            name = "frozen"

            def start(self, model, *, epochs, seed):
                return torch.optim.SGD(model.parameters(), lr=0.0)

            def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
                return {"loss": 0.0}

        @hookimpl
        def spikequant_learners():
            return [Frozen]
    """
    raise NotImplementedError


@hookspec
def spikequant_selectors() -> list[type[Selector]]:
    """Offer selectors.

    A complete plugin module::

        from spikequant import Selection, Selector, hookimpl
        from spikequant.errors import UsageError

        class MostAccurate(Selector):
            name = "most-accurate"

            def select(self, candidates):
                if not candidates:
                    raise UsageError("there is no candidate to select from; explore first")
                best = max(range(len(candidates)), key=lambda i: candidates[i].accuracy)
                chosen = candidates[best]
                return Selection(best, f"{chosen.label}: accuracy {chosen.accuracy:.4f} is the highest")

        @hookimpl
        def spikequant_selectors():
            return [MostAccurate]
    """
    raise NotImplementedError


@hookspec
def spikequant_backends() -> list[type[Backend]]:
    """Offer backends.

    A complete plugin module, running fully connected programs by the oracle itself::

        from dataclasses import replace
        from spikequant import Backend, Executable, hookimpl
        from spikequant.oracle import run_oracle
        from spikequant.program import Dense, Flatten, Input, Lif, Readout
        from spikequant.trace import Trace

        class Loaded(Executable):
            def __init__(self, program):
                self.program = program

            def run(self, inputs, *, record=True):
                trace = run_oracle(self.program, inputs)
                counts = replace(trace.counts, backend="mine")
                return replace(trace, counts=counts) if record else Trace(outputs=trace.outputs, counts=counts)

        class Mine(Backend):
            name = "mine"
            summary = "the oracle, for fully connected programs"
            supports = (Input, Flatten, Dense, Lif, Readout)

            def build(self, program):
                return Loaded(program)

        @hookimpl
        def spikequant_backends():
            return [Mine]
    """
    raise NotImplementedError


@hookspec
def spikequant_datasets() -> list[type[Dataset]]:
    """Offer data sets.

    A complete plugin module::

        import numpy as np
        from spikequant import Dataset, Split, hookimpl

        class Stripes(Dataset):
            name = "stripes"
            shape = (1, 4, 4)
            classes = 2

            def load(self, split, folders):
                y = np.arange(64) % 2
                x = np.zeros((64, 1, 4, 4), np.uint8)
                x[y == 0, :, ::2, :] = 255
                x[y == 1, :, :, ::2] = 255
                return Split(x, y)

        @hookimpl
        def spikequant_datasets():
            return [Stripes]
    """
    raise NotImplementedError


@hookspec
def spikequant_networks() -> list[type[Network]]:
    """Offer network architectures.

    A complete plugin module; layers are plain data, so any quantizer and neuron can fill them::

        from spikequant import Network, hookimpl
        from spikequant.network import DenseLayer, FlattenLayer, ReadoutLayer

        class Tiny(Network):
            name = "tiny"

            def layers(self, shape, classes):
                return (FlattenLayer(), DenseLayer(16), ReadoutLayer(classes))

        @hookimpl
        def spikequant_networks():
            return [Tiny]
    """
    raise NotImplementedError


@hookspec
def spikequant_exporters() -> list[type[Exporter]]:
    """Offer exporters: what ``spikequant export --to NAME`` writes.

    A complete plugin module, writing the program and what it must compute as one archive::

        import numpy as np
        from spikequant import Exporter, hookimpl
        from spikequant.nir_profile import write_program
        from spikequant.oracle import run_oracle

        class Archive(Exporter):
            name = "archive"
            summary = "the program as NIR, with inputs and expected trace"

            def __init__(self, *, compress: bool = False):
                self.save = np.savez_compressed if compress else np.savez

            def export(self, program, inputs, folder):
                trace = run_oracle(program, inputs)
                write_program(program, folder / "model.nir")
                self.save(folder / "expected.npz", inputs=inputs, **trace.outputs)
                return [f"{len(trace.outputs)} readouts expected"]

        @hookimpl
        def spikequant_exporters():
            return [Archive]
    """
    raise NotImplementedError


@hookspec
def spikequant_importers() -> list[type[Importer]]:
    """Offer importers: what ``spikequant import``, ``inspect`` and ``run`` read besides programs of our own.

    A complete plugin module, reading one layer of whole weights from an archive::

        import numpy as np
        from spikequant import Finding, ImportedProgram, Importer, InspectedNode, Inspection, hookimpl
        from spikequant.program import Dense, Flatten, Input, Readout, chain

        class Weights(Importer):
            name = "weights"
            summary = "one layer of integer weights in an .npz, under the name 'weight'"
            suffixes = (".npz",)

            def __init__(self, *, timesteps: int | None = None):
                self.timesteps = timesteps

            def inspect(self, path):
                weight = self._weight(path)
                shown = f"{weight.dtype} {weight.shape}, {weight.min()} to {weight.max()}"
                node = InspectedNode("fc", "weights", weight.shape[:1], {"weight": shown})
                return Inspection("npz", (node,), (), {"input": weight.shape[1:]}, {"out": weight.shape[:1]})

            def read(self, path):
                weight = self._weight(path)
                said = self.timesteps is not None
                steps = self.timesteps if said else 4
                text = f"the file names no timesteps; {steps} are taken, give others with --option timesteps=T"
                nodes = [Input("input", weight.shape[1:]), Flatten("flatten"), Dense("fc", weight), Readout("out")]
                findings = () if said else (Finding("assumed", "", text),)
                return ImportedProgram(chain(nodes, steps), findings)

            def _weight(self, path):
                with np.load(path) as archive:
                    return archive["weight"]

        @hookimpl
        def spikequant_importers():
            return [Weights]
    """
    raise NotImplementedError


@hookspec
def spikequant_energy_tables() -> Mapping[str, Path]:
    """Offer energy tables: TOML files under the names users will type.

    A complete plugin module::

        from pathlib import Path
        from spikequant import hookimpl

        @hookimpl
        def spikequant_energy_tables():
            return {"mychip28": Path(__file__).with_name("mychip28.toml")}
    """
    raise NotImplementedError


@hookspec
def spikequant_recipes() -> Mapping[str, Path]:
    """Offer training recipes: TOML files under the names users will type.

    A complete plugin module::

        from pathlib import Path
        from spikequant import hookimpl

        @hookimpl
        def spikequant_recipes():
            return {"my-digits": Path(__file__).with_name("my-digits.toml")}
    """
    raise NotImplementedError


@hookspec
def spikequant_commands() -> list[click.Command]:
    """Offer commands for the command line, beside the built-in ones.

    A complete plugin module::

        import click
        from spikequant import hookimpl

        @click.command()
        def hello():
            '''Say hello.'''
            click.echo("hello")

        @hookimpl
        def spikequant_commands():
            return [hello]
    """
    raise NotImplementedError
