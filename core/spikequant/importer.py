"""The contract of an importer: something that reads a network that was made elsewhere, and says what it assumed.

A file becomes an integer :class:`ImportedProgram`, where its numbers are integers already, or an
:class:`ImportedModel` in floats, which can be run, and trained and quantized as the model of a run folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from torch import Tensor

from spikequant.float_trace import FloatTrace
from spikequant.program import Program, Shape

Level = Literal["assumed", "ambiguous", "repaired", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a user should know about a file.

    Attributes:
        level: ``assumed``: the file does not say it, nor did the user, and this was taken; ``ambiguous``: readers of
            such files differ in it; ``repaired``: a fault that was mended; ``note``: anything else.
        node: Name of the node that it is about; empty for the whole file.
        text: One sentence, without a full stop; of what was assumed it also names the option that sets it.

    >>> print(Finding("assumed", "lif", "the file does not say dt; 0.0001 s is taken, give another with --dt"))
    assumed: node 'lif': the file does not say dt; 0.0001 s is taken, give another with --dt
    """

    level: Level
    node: str
    text: str

    def __str__(self) -> str:
        where = f"node '{self.node}': " if self.node else ""
        return f"{self.level}: {where}{self.text}"


@dataclass(frozen=True)
class InspectedNode:
    """What a node of a file is, in words.

    Attributes:
        name: Under which the network has it.
        kind: In the words of the format.
        shape: Of its output, without time and batch; ``None`` where the file does not tell.
        parameters: Type, shape and range of each, such as ``float32 (16, 2, 5, 5), -1.79 to 0.511``.
        settings: Such as ``{"stride": "(2, 2)"}``.
    """

    name: str
    kind: str
    shape: Shape | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What a file holds, without taking any of it for a network that runs.

    Attributes:
        format: The file's, such as ``NIR 1.0``.
        nodes: In the order of the computation where there is one.
        edges: Pairs of names.
        inputs: Shape of each input, without time and batch.
        outputs: Likewise.
        findings: What is ambiguous, or was repaired.
    """

    format: str
    nodes: tuple[InspectedNode, ...]
    edges: tuple[tuple[str, str], ...]
    inputs: Mapping[str, Shape | None]
    outputs: Mapping[str, Shape | None]
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


class Imported:
    """What came of a file: one of the two classes below.

    Attributes:
        findings: All that was assumed, is ambiguous or was repaired; the command line prints each.
    """

    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class ImportedProgram(Imported):
    """An integer program: the file's own numbers are integers."""

    program: Program
    findings: tuple[Finding, ...] = ()


class ImportedModel(Imported, ABC):
    """A network in floats.

    It is run as it is by :meth:`run`; and the model that ``network`` makes with ``network_options``, filled with
    ``parameters``, computes the same, so that a run folder with it can be calibrated, quantized and exported.

    Attributes:
        input_shapes: Shape of each input, without time and batch.
        output_shapes: Likewise.
        dt: Real duration of one timestep in seconds.
        network: Name of the network plugin of the recipe.
        network_options: Its options: plain data that TOML holds.
        neuron: Name of the neuron plugin that a recipe has by default.
        neuron_options: Its options.
        quantizer: Name of the quantizer that a recipe has by default.
        quantizer_options: Its options.
        learner: Name of the learner that a recipe has by default: one that leaves the model as it is.
        parameters: The ``state_dict`` of the network's model.
    """

    input_shapes: Mapping[str, Shape]
    output_shapes: Mapping[str, Shape]
    dt: float
    network: str
    network_options: dict[str, Any]
    neuron: str
    neuron_options: dict[str, Any]
    quantizer: str
    quantizer_options: dict[str, Any]
    learner: str
    parameters: Mapping[str, Tensor]

    @abstractmethod
    def run(self, inputs: Mapping[str, NDArray[Any]], *, record: bool = True) -> FloatTrace:
        """Run in floats.

        Args:
            inputs: Floats ``(timesteps, batch, *shape)`` for every input.
            record: Return spikes and potentials too, not the outputs alone.

        Raises:
            UsageError: An input is missing, unknown, or of another shape.
        """


class Importer(ABC):
    """Reads files of one format. Options are those of the constructor; every one has a default.

    Where a file leaves something open that decides what the network computes, the option that settles it has the
    default ``None``: "not said". Then the importer takes the format's own rule and says so in a :class:`Finding`.
    The command line gives ``dt`` (s), ``reset`` (``zero``, ``subtract`` or ``to-value``), ``reset_delay`` (0 or 1) and
    ``repair`` to importers whose constructor has them, and every other option by ``--option``.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]]

    def claims(self, path: Path) -> bool:
        """Return whether the file is of this format: by its suffix here, in any case of letters."""
        return path.suffix.lower() in self.suffixes

    @abstractmethod
    def inspect(self, path: Path) -> Inspection:
        """Return what the file holds, as far as it can be told without running it.

        Raises:
            UsageError, NirError: It cannot be read; one line that names the file, what is wrong and what to do.
        """

    @abstractmethod
    def read(self, path: Path) -> Imported:
        """Return the network.

        Raises:
            UsageError, NirError: It cannot be read, or has something that is not known here.
        """
