"""The native engine: C kernels, compiled on first use, with the bits of the torch engine."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.build_cache import load_library
from spikequant.native_build import native_library
from spikequant_stdp.engine.contract import Candidate, Progress, Recorded, Training, silent
from spikequant_stdp.engine.exactness import check, check_images, check_spikes
from spikequant_stdp.engine.native_groups import CANDIDATES_A_CALL, Groups
from spikequant_stdp.engine.native_job import Job, RecordStruct, aligned, formats_struct
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
        check_images(p, images)
        return self._train(p, formats, state, _pixels(p, images), draw=draw, progress=progress)

    def train_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = False
    ) -> Training:
        """Train on input spikes ``(n, timesteps, inputs)`` and change ``state``."""
        check(p, formats, state)
        check_spikes(p, spikes)
        return self._train(p, formats, state, spikes.astype(np.uint8, order="C"), draw=None, record=record)

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
        if not candidates:
            return np.zeros((0, len(images), p.neurons), dtype=np.int32)
        return self._infer(p, candidates, _pixels(p, images), Job(p, 0), progress=progress)

    def infer_spikes(
        self, p: Parameters, formats: Formats, state: State, spikes: NDArray[Any], record: bool = True
    ) -> Recorded:
        """Return each step of inference on input spikes ``(n, timesteps, inputs)``."""
        check(p, formats, state)
        check_spikes(p, spikes)
        recorded = _recorded(p, len(spikes), record)
        given = spikes.astype(np.uint8, order="C")
        self._infer(p, [(formats, state)], given, Job(p, None), recorded=recorded)
        return recorded

    def _train(
        self, p: Parameters, formats: Formats, state: State, inputs: NDArray[np.uint8], **options: Any
    ) -> Training:
        state.theta = quantized_theta(p, formats, state.theta)
        if formats.weight_mode == "stored":
            state.w[...] = quantized_weights(formats, state.w)
        return self._taught(p, formats, state, inputs, **options)

    def _taught(
        self,
        p: Parameters,
        formats: Formats,
        state: State,
        inputs: NDArray[np.uint8],
        *,
        draw: int | None,
        record: bool = False,
        progress: Progress = silent,
    ) -> Training:
        job, struct = Job(p, draw), formats_struct(p, formats)
        counts, tally = np.zeros((len(inputs), p.neurons), dtype=np.int32), np.zeros(2, dtype=np.int64)
        recorded = _recorded(p, len(inputs), record)
        w, theta = job.padded_rows(state.w), job.padded_rows(state.theta[None], np.inf)
        room = aligned((int(self._library.stdp_train_room(ctypes.byref(job.struct), ctypes.byref(struct))),), np.uint8)
        for part in _parts(len(inputs), IMAGES_A_CALL):
            self._library.stdp_train(
                ctypes.byref(job.struct),
                ctypes.byref(struct),
                inputs[part].ctypes.data,
                part.stop - part.start,
                state.images,
                w.ctypes.data,
                theta.ctypes.data,
                counts[part].ctypes.data,
                tally.ctypes.data,
                _recording(recorded, len(inputs), part) if record else None,
                room.ctypes.data,
            )
            state.w[...] = w[:, : p.neurons]
            state.theta[...] = theta[0, : p.neurons]
            state.images += part.stop - part.start
            progress(part.stop, len(inputs))
        return Training(counts, int(tally[0]), int(tally[1]), recorded if record else None)

    def _infer(
        self,
        p: Parameters,
        candidates: Sequence[Candidate],
        inputs: NDArray[np.uint8],
        job: Job,
        *,
        recorded: Recorded | None = None,
        progress: Progress = silent,
    ) -> NDArray[np.int32]:
        counts = np.zeros((len(candidates), len(inputs), p.neurons), dtype=np.int32)
        groups = Groups(p, candidates, job, self._chances)
        together = min(len(candidates), CANDIDATES_A_CALL)
        room = aligned((int(self._library.stdp_infer_room(ctypes.byref(job.struct), together)),), np.uint8)
        for part in _parts(len(inputs), max(4, IMAGES_A_CALL // len(candidates))):
            fresh = np.zeros((len(candidates), part.stop - part.start, p.neurons), dtype=np.int32)
            for address, number in groups.calls(fresh):
                self._library.stdp_infer(
                    ctypes.byref(job.struct),
                    inputs[part].ctypes.data,
                    part.stop - part.start,
                    address,
                    number,
                    _recording(recorded, len(inputs), part) if recorded else None,
                    room.ctypes.data,
                )
            counts[groups.order, part] = fresh
            progress(part.stop, len(inputs))
        return counts

    def _chances(self, job: Job, key: int, bits: int) -> NDArray[np.float32]:
        """Return what stochastic rounding adds to potentials, see ``stdp_chances``."""
        table = aligned((job.struct.steps, job.padded), np.float32)
        self._library.stdp_chances(ctypes.byref(job.struct), key, bits, table.ctypes.data)
        return table


@lru_cache(maxsize=4)
def _load(flags: tuple[str, ...]) -> ctypes.CDLL:
    sources = sorted(path for path in FOLDER.iterdir() if path.suffix in (".c", ".h"))
    library = load_library(native_library("stdp", sources, flags), "the native engine")
    pointer, whole = ctypes.c_void_p, ctypes.c_int64
    library.stdp_lanes.restype = ctypes.c_char_p
    library.stdp_train_room.argtypes, library.stdp_train_room.restype = (pointer, pointer), whole
    library.stdp_infer_room.argtypes, library.stdp_infer_room.restype = (pointer, whole), whole
    library.stdp_chances.argtypes, library.stdp_chances.restype = (pointer, ctypes.c_uint64, whole, pointer), None
    library.stdp_train.argtypes = (*[pointer] * 3, whole, whole, *[pointer] * 6)
    library.stdp_train.restype = None
    library.stdp_infer.argtypes, library.stdp_infer.restype = (
        (pointer, pointer, whole, pointer, whole, pointer, pointer),
        None,
    )
    return library


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _pixels(p: Parameters, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the images as the kernels read them; the coding refuses those that have no such pixels."""
    p.coding.spikes(images[:0], 1)
    for n in np.flatnonzero(((images < 0) | (images > p.coding.peak)).any(axis=1))[:1]:
        p.coding.spikes(images[n : n + 1], 1)
    return np.ascontiguousarray(images, dtype=np.uint8)


def _recorded(p: Parameters, n: int, full: bool) -> Recorded:
    shape = (p.timesteps, n, p.neurons)
    rest = shape if full else (0, n, p.neurons)
    g = np.zeros(rest) if p.synapse == "conductance" else None
    return Recorded(np.zeros(shape, np.uint8), np.zeros(rest), np.zeros(rest, np.int32), g)


def _recording(recorded: Recorded, n: int, part: slice) -> Any:
    """Return where a call for some of the n images writes."""
    arrays = (recorded.spikes, recorded.potential, recorded.refractory, recorded.g)
    pointers = [None if array is None or not array.size else array[:, part].ctypes.data for array in arrays]
    return ctypes.byref(RecordStruct(n, *pointers))
