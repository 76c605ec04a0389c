"""A checkpoint's tensors into the memory of a device."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.checkpoint import Encoding, TensorStore, Upload
from townsfolk.checkpoint.upload import BUFFER_BYTES
from townsfolk.models.names import Architecture
from townsfolk.models.quantized import BlockSource
from townsfolk.models.weights import (
    DecoderWeights,
    Precision,
    Run,
    TensorSpec,
    expected_tensors,
)

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 2.0
CPU = torch.device("cpu")

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

    most = max(BUFFER_BYTES, *(_widest_rows(spec) for spec in expected.values()))
    with Upload(device, most) as upload:
        if device.type == "cpu":
            mapped = MappedTensors(checkpoint, upload, precision.weights, report)
            weights = DecoderWeights.build(found, precision, mapped)
            upload.finish(lambda done: report(mapped.mapped_bytes + done))
        else:
            streamed = StreamedTensors(checkpoint, upload, device, precision.weights)
            weights = DecoderWeights.build(found, precision, streamed)
            upload.finish(report)
    return weights


def check_tensors(architecture: Architecture, checkpoint: TensorStore) -> Architecture:
    """Hold a checkpoint against what the model needs; give it the names that the checkpoint has.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
    """
    found = replace(architecture, names=architecture.names.rooted(checkpoint))
    ignored = found.names.ignored
    if found.spec.head.tied:
        ignored = (*ignored, f"{found.names.head}.weight")
    expected = {name: spec.shape for name, spec in expected_tensors(found).items()}
    checkpoint.check(expected, ignored)
    return found


def stays_in_blocks(checkpoint: TensorStore, spec: TensorSpec) -> BlockFormat | None:
    """Return the format in which a tensor is used; None for numbers.

    What is stored transposed becomes numbers: its blocks run across the rows that are multiplied.
    """
    encoding = checkpoint.stored(spec.name).encoding
    return None if isinstance(encoding, torch.dtype) or spec.transposed else encoding


class PaperTensors(BlockSource):
    """Gives tensors as a checkpoint has them, without memory: on "meta"."""

    def __init__(self, checkpoint: TensorStore, dtype: torch.dtype) -> None:
        """Give tensors, of `dtype` where any will do."""
        super().__init__(torch.device("meta"), dtype)
        self._checkpoint = checkpoint

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        shape = (sum(spec.rows for spec in specs), *specs[0].row_shape)
        return torch.empty(shape, dtype=dtype or self._dtype, device=self.device)

    def block_format(self, spec: TensorSpec) -> BlockFormat | None:
        """See `BlockSource`."""
        return stays_in_blocks(self._checkpoint, spec)

    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """See `BlockSource`; there is nothing to fill."""


def stored_as(checkpoint: TensorStore) -> str:
    """Return in which types a checkpoint's tensors are, that of most bytes first."""
    sizes: Counter[str] = Counter()
    for name in checkpoint:
        if not checkpoint.problem(name):
            encoding = checkpoint.stored(name).encoding
            if isinstance(encoding, BlockFormat):
                kind = encoding.name
            else:
                kind = str(encoding).removeprefix("torch.")
            sizes[kind] += checkpoint.nbytes(name)
    return ", ".join(kind for kind, _ in sizes.most_common())


def _widest_rows(spec: TensorSpec) -> int:
    """Return the bytes of the rows that belong together, a head's or one, in fp32."""
    unit = spec.rotary.head_dim if spec.rotary else 1
    return unit * math.prod(spec.shape[1:]) * torch.float32.itemsize


class FileTensors(BlockSource):
    """Reads tensors from files; quantised ones stay in their blocks where they can.

    A tensor in blocks is given at once and filled in runs of rows; it is whole when `upload` is
    done.
    """

    def __init__(
        self,
        checkpoint: TensorStore,
        upload: Upload,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Give tensors on `device`.

        Args:
            checkpoint: where they are read from.
            upload: what reads them; one head of the widest tensor must fit into a part.
            device: where they go.
            dtype: of tensors for which any will do.
        """
        super().__init__(device, dtype)
        self._checkpoint = checkpoint
        self._upload = upload

    def block_format(self, spec: TensorSpec) -> BlockFormat | None:
        """See `BlockSource`."""
        return stays_in_blocks(self._checkpoint, spec)

    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """See `BlockSource`."""
        self._in_runs(spec, partial(_fill, matrix, begin))

    def _in_runs(self, spec: TensorSpec, placing: Callable[[Run, Tensor], None]) -> None:
        """Have the bytes of a tensor read; `placing` takes those of a run of rows."""
        stored = self._checkpoint.stored(spec.name)
        row_bytes = stored.nbytes // spec.shape[0]
        for run in spec.runs(self._upload.buffer_bytes // row_bytes):
            reading = stored.part(run.first * row_bytes)
            self._upload.add(reading, run.count * row_bytes, partial(placing, run))


class MappedTensors(FileTensors):
    """Reads numbers from the mapped files; what needs no change stays where it lies in them.

    Attributes:
        mapped_bytes: bytes read so far from the mapped files.
    """

    def __init__(
        self,
        checkpoint: TensorStore,
        upload: Upload,
        dtype: torch.dtype,
        report: Callable[[int], None],
    ) -> None:
        """See `FileTensors`; `report` is called with `mapped_bytes`."""
        super().__init__(checkpoint, upload, CPU, dtype)
        self.mapped_bytes = 0
        self._report = report

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
        self.mapped_bytes += sum(self._checkpoint.nbytes(spec.name) for spec in specs)
        self._report(self.mapped_bytes)
        return result


class StreamedTensors(FileTensors):
    """Gives all tensors at once, and has them filled in parts; see `FileTensors`.

    Parts go straight to their place in the stacked tensor. Rotary rows and other dtypes are brought
    into shape on the device.
    """

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        rows = [spec.rows for spec in specs]
        shape = (sum(rows), *specs[0].row_shape)
        result = torch.empty(shape, dtype=dtype or self._dtype, device=self.device)
        for spec, target in zip(specs, result.split(rows), strict=True):
            encoding = self._checkpoint.stored(spec.name).encoding
            if isinstance(encoding, BlockFormat) and len(spec.shape) == 1:  # one row, small
                spec.place(self._checkpoint.tensor(spec.name, result.dtype), target)
            else:
                self._in_runs(spec, partial(_place, spec, encoding, target))
        return result


def _place(spec: TensorSpec, encoding: Encoding, target: Tensor, run: Run, raw: Tensor) -> None:
    if isinstance(encoding, BlockFormat):
        rows = dequantize(
            raw.to(target.device, non_blocking=True).view(run.count, -1), encoding, target.dtype
        )
    else:
        rows = raw.view(encoding).view(run.count, *spec.shape[1:])
        if encoding != target.dtype or run.rotary is not None or spec.offset:
            rows = rows.to(target.device, non_blocking=True)
    spec.place_run(run, rows.view(run.count, *spec.shape[1:]), target)


def _fill(matrix: QuantizedMatrix, begin: int, run: Run, raw: Tensor) -> None:
    """Copy rows in blocks to the place of a tensor, whose first row is `begin`."""
    rows = raw.to(matrix.device, non_blocking=True).view(run.count, -1)
    matrix.fill(begin + run.first, run.turned(rows))


def log_progress() -> Progress:
    """Log how far the loading has come, every few seconds."""
    logged = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged > _LOG_EVERY_S:
            logged = now
            logger.info("loading the model: %d%% of %.1f GB", 100 * done // total, total / 1e9)

    return report
