"""Threads that compute a step together: phases, cut into chunks that whoever is free takes.

A phase is over when its chunks are done, not when all threads have come: one that the system has
not woken yet, or that has been taken off its core, holds up nobody unless it is at a chunk. OpenMP
divides work beforehand, and each of its phases waits for the slowest.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import weakref
from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from townsfolk_kernels.compiled.compiler import compiled, entry
from townsfolk_kernels.compiled.intrinsics import IS_X86, call, operation, pointer

_I64 = ir.IntType(64)
_CLOSED = 1 << 32
_SPINS = 200  # before a thread that waits lets others have its core: some 10 us

# Of the address of a team's state, in bytes: each on a cache line of its own.
_PHASES = 64
_PHASE = 128
_DONE = 64

_YIELD = "townsfolk_yield"
llvm.add_symbol(
    _YIELD,
    ctypes.cast(
        ctypes.WinDLL("kernel32").SwitchToThread  # type: ignore[attr-defined, unused-ignore]
        if sys.platform == "win32"
        else ctypes.CDLL(None).sched_yield,
        ctypes.c_void_p,
    ).value,
)


@operation(types.int64, types.int64, types.int64)
def _fetch_add(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> ir.Value:
    return builder.atomic_rmw("add", pointer(builder, address, _I64), value, "seq_cst")


@operation(types.int64, types.int64)
def _observe(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.load_atomic(pointer(builder, address, _I64), "acquire", 8)


@operation(types.void)
def _pause(builder: ir.IRBuilder) -> None:
    if IS_X86:
        call(builder, "llvm.x86.sse2.pause", ir.VoidType())


@operation(types.void)
def _give_way(builder: ir.IRBuilder) -> None:
    call(builder, _YIELD, ir.IntType(32))


@compiled
def take(state, phase):
    """Return the next chunk of a phase; chunks beyond the last are nobody's."""
    return _fetch_add(state + _PHASES + phase * _PHASE, 1)


@compiled
def finish(state, phase):
    """Say that a chunk is done."""
    _fetch_add(state + _PHASES + phase * _PHASE + _DONE, 1)


@compiled
def wait(state, phase, chunks):
    """Wait until all chunks of a phase are done."""
    _wait_until(state + _PHASES + phase * _PHASE + _DONE, chunks)


@compiled
def _wait_until(address, value):
    spins = 0
    while _observe(address) != value:
        spins += 1
        if spins < _SPINS:
            _pause()
        else:
            _give_way()


@compiled
def enter(state):
    """Join a step; false where it is over already."""
    if _fetch_add(state, 1) >= _CLOSED:
        _fetch_add(state, -1)
        return False
    return True


@compiled
def leave(state, is_leader):
    """Leave a step; the leader, who started it, ends it and waits for the others to have left."""
    if is_leader:
        _fetch_add(state, _CLOSED - 1)
        _wait_until(state, _CLOSED)
    else:
        _fetch_add(state, -1)


Work = Callable[[int], None]


_PHASES_OF_LOCAL_TEAM = 4096


class _Local(threading.local):
    team: Team | None = None


_local = _Local()


def local_team() -> Team:
    """Return the calling thread's team: as many threads as PyTorch computes with in it.

    It has helpers for as long as its thread lives, as OpenMP's has.
    """
    size = torch.get_num_threads()
    team = _local.team
    if team is None or team.size != size:
        team = _local.team = Team(size, _PHASES_OF_LOCAL_TEAM)
    return team


class Team:
    """Threads that wait for work, and the state by which they share it.

    A team belongs to one thread at a time, its leader; two teams know nothing of each other.
    """

    def __init__(self, size: int, phases: int) -> None:
        """Make a team.

        Args:
            size: of the team, the leader included.
            phases: the most phases of a step.
        """
        self.size = size
        # Of 64-byte lines; how many threads are in a step, then each phase's chunks.
        whole = np.zeros((_PHASES + phases * _PHASE) // 8 + 8, dtype=np.int64)
        skipped = -whole.ctypes.data % 64 // 8
        self._state: NDArray[np.int64] = whole[skipped : len(whole) - 8 + skipped]
        self._state[0] = _CLOSED
        self._starts = [threading.Semaphore(0) for _ in range(size - 1)]
        self._work: list[Work] = [_rest]
        for number, start in enumerate(self._starts, 1):
            threading.Thread(
                target=_help,
                args=(number, start, self._work, self._state),
                name="townsfolk-team",
                daemon=True,
            ).start()
        self.close = weakref.finalize(self, _end, self._starts, self._work)

    @property
    def address(self) -> int:
        """Of the state, for the compiled functions of this module."""
        return self._state.ctypes.data

    def run(self, work: Work) -> None:
        """Call `work` with a thread's number in each thread, the leader's in this one.

        It must `enter` and `leave`, and all of it must be over when the leader leaves.
        """
        self._state[_PHASES // 8 :] = 0
        self._work[0] = work
        open_step(self.address)
        for start in self._starts:
            start.release()
        work(0)
        self._work[0] = _rest  # not to keep alive what the work refers to


@entry(types.void(types.int64))
def open_step(state):
    """Let threads join."""
    _fetch_add(state, -_CLOSED)


def _help(
    number: int,
    start: threading.Semaphore,
    works: list[Work],
    _state: NDArray[np.int64],  # which must live as long as a thread may look at it
) -> None:
    while True:
        start.acquire()
        work = works[0]
        if work is _stop:
            return
        work(number)


def _rest(_number: int) -> None:
    """Leave nothing to do for a thread that comes when a step is over."""


def _stop(_number: int) -> None:
    """End the team."""


def _end(starts: list[threading.Semaphore], works: list[Work]) -> None:
    works[0] = _stop
    for start in starts:
        start.release()
