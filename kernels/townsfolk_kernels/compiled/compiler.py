"""Compiling for this machine's processor, once for each version of this package."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    UserWideCacheLocator,
)

from townsfolk_kernels.compiled.levels import COMPILE_FOR, precompiled_folder, stamp

_numba: Any = njit
compiled: Any = _numba(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Decorator of a function that compiled code calls; it can't be called from elsewhere."""


@cache
def _digest() -> str:
    """Return a digest of all files of this folder; of a bundle's program, which holds them."""
    whole = hashlib.sha256()
    if getattr(sys, "frozen", False):
        files = [Path(sys.executable)]
    else:
        files = sorted(Path(__file__).parent.glob("*.py*"))
    for path in files:
        whole.update(path.read_bytes())
    return whole.hexdigest()


_PRECOMPILED = precompiled_folder(_digest())


class _UserCache(UserWideCacheLocator):
    """The user's cache folder: the package's own may not be writable.

    Numba compiles a function again when its own file changes. Those it calls stand in others.
    """

    def get_source_stamp(self) -> str:
        """Return what code must have been compiled from to be used."""
        # Numba's own has the file's time, which a checkout changes, and in a bundle the program's.
        return _digest()


class _BundledCache(_UserCache):
    """What a bundle brought along for processors such as this one, which nobody writes to later."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(_PRECOMPILED)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _BundledCache | None:
        """Return the place of a function's code; None where a bundle brought none along."""
        return cls(py_func, py_file) if _PRECOMPILED is not None else None

    def ensure_cache_path(self) -> None:
        """Make the folder while the bundle is made."""
        if COMPILE_FOR not in os.environ:
            raise PermissionError("a bundle's compiled code can't be added to")
        assert _PRECOMPILED is not None
        _PRECOMPILED.mkdir(parents=True, exist_ok=True)
        stamp(_PRECOMPILED, _digest())


class _Format(CompileResultCacheImpl):
    _locator_classes = [_BundledCache, _UserCache]  # noqa: RUF012


class _Cache(FunctionCache):
    _impl_class = _Format

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if that can be written: a full disk stops nobody from talking."""
        with suppress(OSError):
            super().save_overload(sig, data)


def entry(signature: Any) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that compiles a function for callers who release the interpreter's lock.

    What is compiled is kept in the user's cache folder, and is taken from there if nothing has
    changed, or from what a bundle brought along. Where neither is, it is compiled in each process.
    """

    def make(function: Callable[..., None]) -> Any:
        dispatcher: Any = _numba(nogil=True, error_model="numpy")(function)
        with suppress(RuntimeError):  # no folder can be written
            dispatcher._cache = _Cache(function)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return make
