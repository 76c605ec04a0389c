"""A checkpoint's tensors into the memory of a device."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from townsfolk.checkpoint import StoredTensor, TensorStore, Upload
from townsfolk.checkpoint.upload import BUFFER_BYTES
from townsfolk.models.names import Architecture
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import (
    DecoderWeights,
    Part,
    Precision,
    Source,
    TensorSpec,
    expected_tensors,
)

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 2.0

Progress = Callable[[int, int], None]
"""Called while loading with the bytes read so far and in all. An exception ends the loading."""


def load_weights(
    architecture: Architecture,
    precision: Precision,
    checkpoint: TensorStore,
    device: torch.device,
    progress: Progress | None,
) -> DecoderWeights:
    """Load what a decoder needs, in the dtypes of `precision`.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
    """
    found = check_tensors(architecture, checkpoint)
    expected = expected_tensors(found)
    total = sum(map(checkpoint.nbytes, expected))

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    if device.type == "cpu":
        mapped = MappedTensors(checkpoint, report, precision.weights)
        return DecoderWeights.build(found, precision, mapped)
    most = max(BUFFER_BYTES, *(_widest_rows(spec) for spec in expected.values()))
    with Upload(device, most) as upload:
        streamed = StreamedTensors(checkpoint, upload, device, most, precision.weights)
        weights = DecoderWeights.build(found, precision, streamed)
        upload.finish(report)
    return weights


def check_tensors(architecture: Architecture, checkpoint: TensorStore) -> Architecture:
    """Hold a checkpoint against what the model needs; give it the names that the checkpoint has.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
    """
    found = Architecture(architecture.spec, architecture.names.rooted(checkpoint))
    ignored = found.names.ignored
    if found.spec.head.tied:
        ignored = (*ignored, f"{found.names.head}.weight")
    expected = {name: spec.shape for name, spec in expected_tensors(found).items()}
    checkpoint.check(expected, ignored)
    return found


def _widest_rows(spec: TensorSpec) -> int:
    """Bytes of the rows that belong together, a head's or one, in fp32."""
    unit = spec.rotary.head_dim if spec.rotary else 1
    return unit * math.prod(spec.shape[1:]) * torch.float32.itemsize


class MappedTensors(Source):
    """Reads tensors from the mapped files; one that needs no change stays where it lies in them."""

    def __init__(
        self,
        checkpoint: TensorStore,
        report: Callable[[int], None],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Reads from `checkpoint`, and reports the bytes read so far.

        Quantised tensors become `dtype` where any will do.
        """
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._report = report
        self._done = 0

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        mapped = [self._checkpoint.tensor(spec.name, dtype or self._dtype) for spec in specs]
        if len(specs) == 1 and specs[0].is_plain:
            result = mapped[0].to(dtype)
        else:
            rows = [spec.rows for spec in specs]
            result = torch.empty(sum(rows), *specs[0].row_shape, dtype=dtype)
            for spec, tensor, part in zip(specs, mapped, result.split(rows), strict=True):
                spec.place(tensor, part)
        self._done += sum(self._checkpoint.nbytes(spec.name) for spec in specs)
        self._report(self._done)
        return result


class StreamedTensors(Source):
    """Gives tensors at once, and has them filled in parts; they are whole when `upload` is done.

    Parts go straight to their place in the stacked tensor. Rotary rows and other dtypes are brought
    into shape on the device.
    """

    def __init__(
        self,
        checkpoint: TensorStore,
        upload: Upload,
        device: torch.device,
        part_bytes: int,
        dtype: torch.dtype,
    ) -> None:
        """Gives tensors on `device`, of `dtype` where none is asked for.

        Args:
            checkpoint: where they are read from.
            upload: what reads them.
            device: where they go.
            part_bytes: size of a part; one head of the widest tensor must fit.
            dtype: of tensors for which any will do.
        """
        self._checkpoint = checkpoint
        self._upload = upload
        self._device = device
        self._part_bytes = part_bytes
        self._dtype = dtype

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        rows = [spec.rows for spec in specs]
        shape = (sum(rows), *specs[0].row_shape)
        result = torch.empty(shape, dtype=dtype or self._dtype, device=self._device)
        for spec, target in zip(specs, result.split(rows), strict=True):
            stored = self._checkpoint.stored(spec.name)
            if stored is None:  # quantised: brought into values here, and copied at once
                spec.place(self._checkpoint.tensor(spec.name, result.dtype), target)
            else:
                self._fill(spec, stored, target)
        return result

    def _fill(self, spec: TensorSpec, stored: StoredTensor, target: Tensor) -> None:
        row_bytes = stored.nbytes // spec.shape[0]
        for part in spec.parts(target, self._part_bytes // row_bytes):
            self._upload.add(
                stored.path,
                stored.offset + part.first * row_bytes,
                part.count * row_bytes,
                partial(_place, part, stored.dtype),
            )


def _place(part: Part, dtype: torch.dtype, raw: Tensor) -> None:
    tensor = raw.view(dtype).view(part.target.shape)
    if dtype != part.target.dtype or part.rotary is not None or part.offset:
        tensor = tensor.to(part.target.device, non_blocking=True)
    part.fill(tensor)


def log_progress() -> Progress:
    """Logs how far the loading has come, every few seconds."""
    logged = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged > _LOG_EVERY_S:
            logged = now
            logger.info("loading the model: %d%% of %.1f GB", 100 * done // total, total / 1e9)

    return report


def weight_bytes(spec: DecoderSpec, dtype: torch.dtype) -> int:
    """Bytes of a decoder's weights in one dtype."""
    return spec.num_parameters * dtype.itemsize
