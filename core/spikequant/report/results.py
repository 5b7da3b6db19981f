"""What ``calibrate``, ``significance`` and ``energy`` leave in a run folder, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from spikequant.energy.study import FILE, EnergyStudy, digest
from spikequant.errors import RunError, one_line
from spikequant.files import reason

STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SeenQuantity:
    """One row of Q-SpiNN's Table I: a quantity, the range it was seen in, and what it needs.

    Attributes:
        name: As users type it.
        role: ``constant`` or ``variable``.
        count: Numbers of this kind in the model.
        low: Smallest value seen, where it was observed.
        high: Largest value seen, likewise.
        value: Of a constant.
        int_bits: Integer bits that hold the range.
        format: The format that follows from it, as text; fraction bits of a variable may be left open (``Q11.f``).
        description: What it is, with its unit.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    role: Literal["constant", "variable"]
    count: int
    low: float | None = None
    high: float | None = None
    value: float | None = None
    int_bits: int | None = None
    format: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Histogram:
    """How often values were seen: ``counts`` between consecutive ``edges``, of which there is one more."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    edges: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True)
class Raster:
    """The spikes of one sample: one ``neuron`` and one ``step`` each, of ``timesteps`` in all."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    neuron: tuple[int, ...]
    step: tuple[int, ...]
    timesteps: int


@dataclass(frozen=True)
class Calibration:
    """What ``spikequant calibrate`` saw on ``samples`` training samples.

    Attributes:
        samples: How many were run.
        quantities: The rows of Table I.
        histograms: Values under the name of their quantity.
        rates_hz: Firing rate of each neuron, in spikes per second.
        raster: Spikes of one sample.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    samples: int
    quantities: tuple[SeenQuantity, ...]
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    rates_hz: tuple[float, ...] = ()
    raster: Raster | None = None


@dataclass(frozen=True)
class SignificanceRow:
    """Accuracy in [0, 1] with one quantity in one format and all others in FP32."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    quantity: str
    format: str
    frac_bits: int | None
    rounding: str
    accuracy: float


@dataclass(frozen=True)
class Significance:
    """What ``spikequant significance`` measured.

    Attributes:
        baseline: FP32 accuracy in [0, 1].
        rows: Every measurement.
        ranking: Quantities, the most significant first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    baseline: float
    rows: tuple[SignificanceRow, ...]
    ranking: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemoryPart:
    """One part of a model's memory: a group of parameters, or all weights, all states, all constants.

    Attributes:
        name: What it holds.
        format: Of its numbers, as text; empty where there are several.
        count: Numbers in it.
        bits: What they take.
        fp32_bits: What they would take at 32 bits each.
    """

    name: str
    format: str
    count: int
    bits: int
    fp32_bits: int


def read_calibration(run: Path) -> Calibration | None:
    """Return the calibration in a run folder, ``None`` if there is none.

    Raises:
        RunError: The file is damaged; names the first place.
    """
    path = run / "calibration.json"
    found = _read(path, Calibration)
    for row in () if found is None else found.quantities:
        if row.low is None and row.high is None:
            continue
        if row.low is None or row.high is None or row.low > row.high:
            raise RunError(
                f"{path} is damaged: the range of '{one_line(row.name, 40)}' is {row.low} to {row.high};"
                " run 'spikequant calibrate' again"
            )
    for name, histogram in ({} if found is None else found.histograms).items():
        if len(histogram.edges) != len(histogram.counts) + 1:
            raise RunError(
                f"{path} is damaged: histogram '{one_line(name, 40)}' has {len(histogram.edges)} edges for"
                f" {len(histogram.counts)} counts; run 'spikequant calibrate' again"
            )
    if found is not None and found.raster is not None and len(found.raster.neuron) != len(found.raster.step):
        raise RunError(
            f"{path} is damaged: the raster's neurons and steps differ in number; run 'spikequant calibrate' again"
        )
    return found


def read_significance(run: Path) -> Significance | None:
    """Return the significance results in a run folder, ``None`` if there are none.

    Raises:
        RunError: The file is damaged; names the first place.
    """
    return _read(run / "significance.json", Significance)


def read_energy(run: Path) -> EnergyStudy | None:
    """Return what ``spikequant energy`` found out about a run folder's model, ``None`` if it was not asked.

    Raises:
        RunError: The file is damaged, or belongs to another model than the folder's ``model.nir``.
    """
    path, model = run / FILE, run / "model.nir"
    found = _read(path, EnergyStudy)
    if found is not None and model.is_file() and digest(model) != found.model_sha256:
        raise RunError(f"{path} belongs to another model than {model.name} beside it; run 'spikequant energy' again")
    return found


def _read(path: Path, kind: type[Result]) -> Result | None:
    try:
        content: Any = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {reason(error)}") from error
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = one_line(".".join(str(part) for part in first["loc"]), 80) or "it"
        command = path.stem.replace("calibration", "calibrate")
        raise RunError(
            f"{path} is damaged: '{where}': {one_line(first['msg'].lower(), 120)}; run 'spikequant {command}' again"
        ) from error
