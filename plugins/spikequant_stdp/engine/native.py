"""The native engine: C kernels, compiled on first use, with the bits of the torch engine."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.native_build import native_library
from spikequant_stdp.engine.contract import Candidate, Progress, Recorded, Training, silent
from spikequant_stdp.engine.exactness import check, check_images, check_spikes
from spikequant_stdp.engine.native_job import GroupStruct, Job, RecordStruct, aligned
from spikequant_stdp.engine.parameters import Formats, Parameters, State
from spikequant_stdp.engine.quantize import quantized_theta, quantized_weights

FOLDER = Path(__file__).parent
IMAGES_A_CALL = 200


class NativeEngine:
    """Runs batches of images in C, on one thread; calls from several threads or processes do not disturb each other.

    Args:
        flags: Further flags for the compiler; ``-mno-avx512f`` or ``-DSTDP_PLAIN`` ask for the slower code.

    Raises:
        BackendError: There is no C compiler, or it failed.
    """

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self._library = _load(tuple(flags))

    @property
    def name(self) -> str:
        """``native``."""
        return "native"

    @property
    def lanes(self) -> str:
        """Instructions that the library was compiled for: ``avx512``, ``avx2`` or ``plain``."""
        words: bytes = self._library.stdp_lanes()
        return words.decode()

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
        _check_here(p, formats)
        check_images(p, images)
        return self._train(p, formats, state, _pixels(p, images), draw, False, progress)

    def train_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = False
    ) -> Training:
        """Train on input spikes ``(n, timesteps, inputs)`` and change ``state``."""
        check(p, formats, state)
        _check_here(p, formats)
        check_spikes(p, spikes)
        return self._train(p, formats, state, spikes.astype(np.uint8, order="C"), None, record, silent)

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
            _check_here(p, formats)
        check_images(p, images)
        counts = np.zeros((len(candidates), len(images), p.neurons), dtype=np.int32)
        if candidates:
            self._infer(p, candidates, _pixels(p, images), Job(p, 0), counts, None, progress)
        return counts

    def infer_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = True
    ) -> Recorded:
        """Return each step of inference on input spikes ``(n, timesteps, inputs)``."""
        check(p, formats, state)
        _check_here(p, formats)
        check_spikes(p, spikes)
        recorded = _recorded(p, len(spikes), record)
        counts = np.zeros((1, len(spikes), p.neurons), dtype=np.int32)
        given = spikes.astype(np.uint8, order="C")
        self._infer(p, [(formats, state)], given, Job(p, None), counts, recorded, silent)
        return recorded

    def _train(
        self,
        p: Parameters,
        formats: Formats,
        state: State,
        inputs: NDArray[np.uint8],
        draw: int | None,
        record: bool,
        progress: Progress,
    ) -> Training:
        state.theta = quantized_theta(p, formats, state.theta)
        job = Job(p, draw)
        counts = np.zeros((len(inputs), p.neurons), dtype=np.int32)
        recorded = _recorded(p, len(inputs), record)
        w = job.padded_rows(state.w)
        theta = job.padded_rows(state.theta[None], np.inf)
        room = aligned((int(self._library.stdp_train_room(ctypes.byref(job.struct))),), np.uint8)
        for part in _parts(len(inputs), IMAGES_A_CALL):
            done = slice(part.start, part.stop)
            recording = _recording(recorded, len(inputs), done) if record else None
            self._library.stdp_train(
                ctypes.byref(job.struct),
                inputs[done].ctypes.data,
                part.stop - part.start,
                w.ctypes.data,
                theta.ctypes.data,
                counts[done].ctypes.data,
                recording,
                room.ctypes.data,
            )
            state.w[...] = w[:, : p.neurons]
            state.theta[...] = theta[0, : p.neurons]
            state.images += part.stop - part.start
            progress(part.stop, len(inputs))
        return Training(counts, recorded=recorded if record else None)

    def _infer(
        self,
        p: Parameters,
        candidates: Sequence[Candidate],
        inputs: NDArray[np.uint8],
        job: Job,
        counts: NDArray[np.int32],
        recorded: Recorded | None,
        progress: Progress,
    ) -> None:
        groups = _grouped(candidates)
        order = [index for _, members in groups for index in members]
        room = aligned((int(self._library.stdp_infer_room(ctypes.byref(job.struct), len(order))),), np.uint8)
        weights = [job.padded_rows(w) for w, _ in groups]
        firing = job.padded_rows(np.stack([_firing(p, *candidates[index]) for index in order]), np.inf)
        structs = (GroupStruct * len(groups))()
        for part in _parts(len(inputs), max(1, IMAGES_A_CALL // len(order))):
            size = part.stop - part.start
            fresh = np.zeros((len(order), size, p.neurons), dtype=np.int32)
            first = 0
            for struct, w, (_, members) in zip(structs, weights, groups, strict=True):
                struct.w, struct.candidates = w.ctypes.data, len(members)
                struct.firing, struct.counts = firing[first:].ctypes.data, fresh[first:].ctypes.data
                first += len(members)
            recording = _recording(recorded, len(inputs), part) if recorded else None
            self._library.stdp_infer(
                ctypes.byref(job.struct),
                inputs[part].ctypes.data,
                size,
                structs,
                len(groups),
                recording,
                room.ctypes.data,
            )
            counts[order, part] = fresh
            progress(part.stop, len(inputs))


@lru_cache(maxsize=4)
def _load(flags: tuple[str, ...]) -> ctypes.CDLL:
    sources = sorted(path for path in FOLDER.iterdir() if path.suffix in (".c", ".h"))
    library = ctypes.CDLL(str(native_library("stdp", sources, flags)))
    pointer, whole = ctypes.c_void_p, ctypes.c_int64
    library.stdp_lanes.restype = ctypes.c_char_p
    library.stdp_train_room.argtypes, library.stdp_train_room.restype = (pointer,), whole
    library.stdp_infer_room.argtypes, library.stdp_infer_room.restype = (pointer, whole), whole
    library.stdp_train.argtypes, library.stdp_train.restype = (*[pointer] * 2, whole, *[pointer] * 5), None
    library.stdp_infer.argtypes, library.stdp_infer.restype = (
        (pointer, pointer, whole, pointer, whole, pointer, pointer),
        None,
    )
    return library


def _check_here(p: Parameters, formats: Formats) -> None:
    if p.synapse != "current" or formats.V or formats.Vth or formats.g or formats.w:
        raise UsageError(f"the native engine has no {p.synapse} synapse with {formats} yet; use the torch engine")


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _pixels(p: Parameters, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    p.coding.spikes(images[:0], 1)
    return np.ascontiguousarray(images, dtype=np.uint8)


def _firing(p: Parameters, formats: Formats, state: State) -> NDArray[np.float32]:
    return quantized_theta(p, formats, state.theta) + np.float32(p.threshold)


def _grouped(candidates: Sequence[Candidate]) -> list[tuple[NDArray[np.float32], list[int]]]:
    """Return each different set of weights and the candidates that have it."""
    groups: dict[bytes, tuple[NDArray[np.float32], list[int]]] = {}
    for index, (formats, state) in enumerate(candidates):
        w = quantized_weights(formats, state.w)
        groups.setdefault(w.tobytes(), (w, []))[1].append(index)
    return list(groups.values())


def _recorded(p: Parameters, n: int, full: bool) -> Recorded:
    shape = (p.timesteps, n, p.neurons)
    rest = shape if full else (0, n, p.neurons)
    return Recorded(np.zeros(shape, np.uint8), np.zeros(rest), np.zeros(rest, np.int32))


def _recording(recorded: Recorded, n: int, part: slice) -> Any:
    """Return where a call for some of the n images writes."""
    arrays = (recorded.spikes, recorded.potential, recorded.refractory)
    pointers = [array[:, part].ctypes.data if array.size else None for array in arrays]
    return ctypes.byref(RecordStruct(n, *pointers))
