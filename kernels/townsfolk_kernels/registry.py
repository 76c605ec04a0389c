"""Which implementation of an operation runs: one per device type, else the reference.

An operation's module declares its reference and registers fast paths::

    _IMPLEMENTATIONS = Implementations(_reference)

    @_IMPLEMENTATIONS.register("cpu")
    def _cpu(...): ...
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])

logger = logging.getLogger(__name__)

_reference_only: ContextVar[bool] = ContextVar("townsfolk_reference_only", default=False)


class Implementations(Generic[Function]):
    """The implementations of one operation, by device type ("cpu", "cuda")."""

    __slots__ = ("_by_device", "reference")

    def __init__(self, reference: Function) -> None:
        self.reference = reference
        self._by_device: dict[str, Function] = {}

    def register(self, device_type: str) -> Callable[[Function], Function]:
        """Return a decorator that makes a function the one to use on tensors of `device_type`."""

        def add(function: Function) -> Function:
            self._by_device[device_type] = function
            return function

        return add

    def pick(self, device_type: str) -> Function:
        """Return the fast path of `device_type`; the reference where there is none or it is forced.

        What is on "meta" stands for what would be on a GPU; see `townsfolk_kernels.gpu.card`.
        """
        if _reference_only.get():
            return self.reference
        place = "cuda" if device_type == "meta" else device_type
        return self._by_device.get(place, self.reference)


@contextmanager
def use_reference() -> Iterator[None]:
    """Run the PyTorch reference of every operation within this context (and this thread)."""
    token = _reference_only.set(True)
    try:
        yield
    finally:
        _reference_only.reset(token)


def has_triton() -> bool:
    """Return whether Triton can be imported; without it the references run on every device."""
    return find_spec("triton") is not None


@cache
def has_numba() -> bool:
    """Return whether Numba can be imported; without it nothing is compiled for processors."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        logger.info("Numba can't be imported (%s): the CPU takes slower products", error)
        return False
    return True
