"""Memory of weights, on large pages where the system has them.

A step reads all weights once. With pages of 4 KiB a Zen 4 spends half of that on looking pages up,
and its prefetchers stop at each page's end: one thread reads 16 to 19 GB/s of blocks, with pages of
2 MiB 32. Linux makes such pages on request, where 2 MiB lie in one piece; weights of small models
are smaller than that, so they share slabs.
"""

from __future__ import annotations

import mmap
import sys
import threading
import weakref
from contextlib import suppress

import torch
from torch import Tensor

_PAGE = 2 << 20
_SLAB = 32 << 20  # of which what nobody uses takes no memory
_LINE = 64


def _mapped(nbytes: int) -> tuple[mmap.mmap, int]:
    """Return memory for so many bytes, and where in it they begin."""
    memory = mmap.mmap(-1, nbytes + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory, -torch.frombuffer(memory, dtype=torch.uint8, count=1).data_ptr() % _PAGE


class _Slab:
    """The slab that is being filled, which lives as long as something in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory: weakref.ref[mmap.mmap] | None = None
        self._begin = self._end = 0

    def take(self, nbytes: int) -> tuple[mmap.mmap, int]:
        """Return the slab, and where in it so many bytes begin."""
        with self._lock:
            memory = None if self._memory is None else self._memory()
            if memory is None or self._begin + nbytes > self._end:
                memory, self._begin = _mapped(_SLAB)
                self._memory, self._end = weakref.ref(memory), self._begin + _SLAB
            begin = self._begin
            self._begin += -(-nbytes // _LINE) * _LINE
            return memory, begin


_slab = _Slab()


def empty_on_large_pages(nbytes: int, device: torch.device) -> Tensor:
    """Return [nbytes] uint8, at least one, of a device; on a CPU with Linux on large pages."""
    if device.type == "cpu" and sys.platform == "linux":
        memory, begin = _slab.take(nbytes) if nbytes < _SLAB // 2 else _mapped(nbytes)
        return torch.frombuffer(memory, dtype=torch.uint8, count=nbytes, offset=begin)
    return torch.empty(nbytes, dtype=torch.uint8, device=device)
