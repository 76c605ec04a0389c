"""From files to a device: one part is read while others travel."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from townsfolk.checkpoint.store import Reading

BUFFER_BYTES = 8 * 1024 * 1024
_READERS = 4
_BUFFERS = 2 * _READERS  # each reader fills one while its other one travels

Placing = Callable[[Tensor], None]
"""Takes bytes [n] uint8 on the host, and starts their copy to the device."""


class Upload:
    """Reads parts of files in several threads and copies them to a device on a side stream.

    The buffers are all the host memory that it takes. Use it as a context manager; where it is
    left with an error, the rest is not read.

    Attributes:
        buffer_bytes: the largest part.
    """

    def __init__(self, device: torch.device, buffer_bytes: int = BUFFER_BYTES) -> None:
        """Make the buffers.

        Args:
            device: where `placing` copies to: CUDA, or the CPU, where nothing is pinned.
            buffer_bytes: the largest part.
        """
        self.buffer_bytes = buffer_bytes
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        # A buffer, and when its last copy is done.
        self._buffers: queue.SimpleQueue[tuple[Tensor, torch.cuda.Event | None]]
        self._buffers = queue.SimpleQueue()
        for _ in range(_BUFFERS):
            pinned = self._stream is not None
            buffer = torch.empty(buffer_bytes, dtype=torch.uint8, pin_memory=pinned)
            self._buffers.put((buffer, torch.cuda.Event() if pinned else None))
        self._executor = ThreadPoolExecutor(_READERS, thread_name_prefix="townsfolk-upload")
        self._parts: list[tuple[Future[None], int]] = []

    def add(self, reading: Reading, nbytes: int, placing: Placing) -> None:
        """Have `nbytes` bytes read and given to `placing`, in one of the threads."""
        future = self._executor.submit(self._carry, reading, nbytes, placing)
        self._parts.append((future, nbytes))

    def finish(self, progress: Callable[[int], None]) -> None:
        """Wait until all is on the device; `progress` is called with the bytes that are.

        Raises:
            CheckpointError: a file ended too early.
            OSError: a file can't be read.
        """
        done = 0
        for future, nbytes in self._parts:
            future.result()
            done += nbytes
            progress(done)
        self._parts = []
        if self._stream is not None:
            self._stream.synchronize()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown(cancel_futures=True)
        if self._stream is not None:
            self._stream.synchronize()  # whoever gets the targets' memory next can use it

    def _carry(self, reading: Reading, nbytes: int, placing: Placing) -> None:
        buffer, travelled = self._buffers.get()
        try:
            if travelled is not None:
                travelled.synchronize()
            part = buffer[:nbytes]
            reading(part)
            side = torch.cuda.stream(self._stream) if self._stream else contextlib.nullcontext()
            with side:
                placing(part)
                if travelled is not None:
                    travelled.record()
        finally:
            self._buffers.put((buffer, travelled))
