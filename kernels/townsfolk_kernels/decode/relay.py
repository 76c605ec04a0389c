"""Values that a program takes over from others that still run.

To begin when a kernel before has ended costs 1 to 2 us: it must end everywhere, its results must
reach the L2 cache, and only then can they be asked for. Here each value lies in one word together
with a number that no earlier one in its place had, its *tag*. Words are written and read as a
whole (naturally aligned, up to 8 bytes: PTX ISA, memory consistency model), so whoever asks for one
sees whether it is there: no fence, no counter, nothing to clear.

A program may wait only for such as have surely started before it: for the kernel before, whose
programs have all started when it lets the next one start, and for programs of its own kernel with
lower numbers. And a tile must have as many words as its program has threads: of a smaller one
several threads hold copies, each of which looks for itself, but not each of which is checked.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from triton.language import core

# Looks at words that are not there: seconds, where microseconds are usual. Whoever has looked so
# often ends the kernel with an error, which ends the process, instead of holding the device.
_MOST_LOOKS = tl.constexpr(1 << 22)


@core.extern
def _trap(_semantic: Any = None) -> None:
    core.inline_asm_elementwise(
        "trap; // $0", "=r", [], dtype=core.int32, is_pure=False, pack=1, _semantic=_semantic
    )


@triton.jit
def give_up(looks, IS_BOUNDED: tl.constexpr):
    """End the kernel with an error after too many looks; never in the interpreter."""
    if IS_BOUNDED:  # noqa: SIM102  known when it is compiled
        if looks > _MOST_LOOKS:
            _trap()


@triton.jit
def put(words, values, tag, mask):
    """Write values, 16 or 32 bits each, for those who `look` for them.

    Args:
        words: where: int32 for values of 16 bits, int64 for those of 32.
        values: any tile.
        tag: int32: of 16-bit values the lower 16 bits count.
        mask: which of them.
    """
    if values.dtype.primitive_bitwidth == 16:
        bits = values.to(tl.int16, bitcast=True).to(tl.int32)
        word = (bits << 16) | (tag & 0xFFFF)
    else:
        bits = values.to(tl.int32, bitcast=True).to(tl.int64)
        word = (bits << 32) | (tag.to(tl.int64) & 0xFFFFFFFF)
    tl.store(words, word, mask=mask, cache_modifier=".cg")


@triton.jit
def look(words, mask):
    """Read words as they are now, 0 where the mask is not set: for `lacks` and `values_of`."""
    return tl.load(words, mask=mask, other=0, volatile=True)


@triton.jit
def lacks(seen, tag, mask):
    """Return which words are not there yet: whose tag (int32, as for `put`) is another one."""
    if seen.dtype.primitive_bitwidth == 32:
        differs = ((seen ^ tag) & 0xFFFF) != 0
    else:
        differs = seen.to(tl.int32) != tag
    return differs & mask


@triton.jit
def any_of(flags):
    """Return whether any flag of a tile is set."""
    return tl.max(flags.to(tl.int32), axis=None) > 0


@triton.jit
def values_of(seen, dtype: tl.constexpr):
    """Return the values in words: of `dtype`, 16 bits from int32, 32 from int64."""
    if dtype.primitive_bitwidth == 16:
        values = (seen >> 16).to(tl.int16).to(dtype, bitcast=True)
    else:
        values = (seen >> 32).to(tl.int32).to(dtype, bitcast=True)
    return values
