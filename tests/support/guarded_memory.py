"""Memory whose neighbours can't be read or written: an access outside ends the process."""

from __future__ import annotations

import ctypes
import mmap

import torch
from torch import Tensor

_PAGE = mmap.PAGESIZE
_LIBRARY = ctypes.CDLL(None, use_errno=True)
_kept: list[mmap.mmap] = []


def guarded(tensor: Tensor, *, at_end: bool = True) -> Tensor:
    """A contiguous copy that ends right before a page that nobody may touch, or begins behind one.

    Its memory is never given back.

    Args:
        tensor: what to copy, not empty.
        at_end: whether the page lies behind it.
    """
    size = tensor.numel() * tensor.element_size()
    pages = -(-size // _PAGE)
    memory = mmap.mmap(-1, (pages + 2) * _PAGE)
    _kept.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (address, address + (pages + 1) * _PAGE):
        if _LIBRARY.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(_PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = _PAGE + (pages * _PAGE - size if at_end else 0)
    flat = torch.frombuffer(memory, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    return flat.view(tensor.shape).copy_(tensor)
