import gc
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from townsfolk_kernels.large_pages import empty_on_large_pages

CPU = torch.device("cpu")
SLAB = 32 << 20


def mapping(address: int) -> list[str]:
    """Return what the system says of the mapping at an address; nothing where there is none."""
    found: list[str] = []
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            begin, end = (int(each, 16) for each in first.split("-"))
            inside = begin <= address < end
        if inside:
            found.append(line)
    return found


def test_pieces_begin_at_cache_lines_and_share_nothing():
    sizes = [1, 63, 64, 1000, SLAB, SLAB // 2, 5 << 20, SLAB - 1, 20 << 20, 7, 15 << 20, 15 << 20]
    pieces = [empty_on_large_pages(size, CPU) for size in sizes]
    for number, (piece, size) in enumerate(zip(pieces, sizes, strict=True)):
        assert (piece.shape, piece.dtype) == ((size,), torch.uint8)
        assert piece.data_ptr() % 64 == 0
        piece[0] = piece[-1] = number
    assert [int(piece[0]) for piece in pieces] == list(range(len(pieces)))
    assert [int(piece[-1]) for piece in pieces] == list(range(len(pieces)))
    ranges = sorted((piece.data_ptr(), piece.data_ptr() + len(piece)) for piece in pieces)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ranges))


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(),
    reason="this system has no large pages on request; Linux has, built with them",
)
@pytest.mark.parametrize("size", [100_000, SLAB])
def test_large_pages_are_asked_for(size: int):
    memory = empty_on_large_pages(size, CPU)
    flags = next(line for line in mapping(memory.data_ptr()) if line.startswith("VmFlags:"))
    assert "hg" in flags.split()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped, in /proc")
def test_a_slab_lives_as_long_as_something_in_it():
    # Whatever others have in the slab that is being filled, the last piece is not in that one.
    pieces = [empty_on_large_pages(size, CPU) for size in (SLAB // 2 - 64, SLAB // 2 - 64, 4096)]
    address = pieces[-1].data_ptr()
    view = pieces[-1][5:9].fill_(3)
    del pieces
    gc.collect()
    assert view.tolist() == [3] * 4
    assert mapping(address)
    del view
    gc.collect()
    assert not mapping(address)
