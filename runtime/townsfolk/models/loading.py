"""A checkpoint's tensors into the memory of a device."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from townsfolk.checkpoint import Checkpoint, StoredTensor, Upload
from townsfolk.checkpoint.upload import BUFFER_BYTES
from townsfolk.models.config import DecoderConfig
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec, expected_tensors

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 2.0

Progress = Callable[[int, int], None]
"""Called while loading with the bytes read so far and in all. An exception ends the loading."""


def load_weights(
    config: DecoderConfig,
    precision: Precision,
    checkpoint: Checkpoint,
    device: torch.device,
    progress: Progress | None,
) -> DecoderWeights:
    """Load what a decoder needs, in the dtypes of `precision`.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
    """
    expected = expected_tensors(config)
    checkpoint.check(expected, ignored=_ignored(config))
    total = sum(checkpoint.stored(name).nbytes for name in expected)

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    if device.type == "cpu":
        return DecoderWeights.build(config, precision, MappedTensors(checkpoint, report))
    most = max(BUFFER_BYTES, config.head_dim * config.hidden_size * 4)
    with Upload(device, most) as upload:
        streamed = StreamedTensors(checkpoint, upload, device, most, precision.weights)
        weights = DecoderWeights.build(config, precision, streamed)
        upload.finish(report)
    return weights


class MappedTensors:
    """Reads tensors from the mapped files; one that needs no change stays where it lies in them."""

    def __init__(self, checkpoint: Checkpoint, report: Callable[[int], None]) -> None:
        """Reads from `checkpoint`, and reports the bytes read so far."""
        self._checkpoint = checkpoint
        self._report = report
        self._done = 0

    def __call__(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        mapped = [self._checkpoint.tensor(spec.name) for spec in specs]
        if len(specs) == 1:
            result = mapped[0].to(dtype)
        else:
            rows = [spec.shape[0] for spec in specs]
            result = torch.empty(sum(rows), *specs[0].shape[1:], dtype=dtype)
            for spec, tensor, part in zip(specs, mapped, result.split(rows), strict=True):
                spec.place(tensor, part)
        self._done += sum(tensor.nbytes for tensor in mapped)
        self._report(self._done)
        return result


class StreamedTensors:
    """Gives tensors at once, and has them filled in parts; they are whole when `upload` is done.

    Parts go straight to their place in the stacked tensor. Rotary rows and other dtypes are brought
    into shape on the device.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
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

    def __call__(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        """See `Source`."""
        rows = [spec.shape[0] for spec in specs]
        shape = (sum(rows), *specs[0].shape[1:])
        result = torch.empty(shape, dtype=dtype or self._dtype, device=self._device)
        for spec, target in zip(specs, result.split(rows), strict=True):
            self._fill(spec, self._checkpoint.stored(spec.name), target)
        return result

    def _fill(self, spec: TensorSpec, stored: StoredTensor, target: Tensor) -> None:
        row_bytes = stored.nbytes // spec.shape[0]
        unit = spec.rotary_dim or 1  # rows that belong together
        count = max(self._part_bytes // row_bytes // unit, 1) * unit
        for part in target.split(count):
            offset = stored.offset + (part.storage_offset() - target.storage_offset()) * (
                stored.dtype.itemsize
            )
            self._upload.add(
                stored.path,
                offset,
                part.numel() * stored.dtype.itemsize,
                partial(_place, spec, stored.dtype, part),
            )


def _place(spec: TensorSpec, dtype: torch.dtype, target: Tensor, raw: Tensor) -> None:
    tensor = raw.view(dtype).view(target.shape)
    if dtype == target.dtype and not spec.rotary_dim:
        target.copy_(tensor, non_blocking=True)
    else:
        spec.place(tensor.to(target.device, non_blocking=True), target)


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


def weight_bytes(config: DecoderConfig, dtype: torch.dtype) -> int:
    """Bytes of a decoder's weights in one dtype."""
    return sum(math.prod(shape) for shape in expected_tensors(config).values()) * dtype.itemsize


def _ignored(config: DecoderConfig) -> tuple[str, ...]:
    """Suffixes of tensors that old checkpoints hold and no decoder needs."""
    computed = ("rotary_emb.inv_freq",)
    return (*computed, "lm_head.weight") if config.tie_embeddings else computed
