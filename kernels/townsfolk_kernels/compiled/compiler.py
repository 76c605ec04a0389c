"""Compiling for this machine's processor, once for each version of this package."""

from __future__ import annotations

import hashlib
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

_numba: Any = njit
compiled: Any = _numba(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Decorator of a function that compiled code calls; it can't be called from elsewhere."""


@cache
def _digest() -> str:
    """Return a digest of all files of this folder."""
    whole = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py*")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


class _UserCache(UserWideCacheLocator):
    """The user's cache folder: the package's own may not be writable.

    Numba compiles a function again when its own file changes. Those it calls stand in others.
    """

    def get_source_stamp(self) -> str:
        """Return what code must have been compiled from to be used."""
        # Numba's own has the file's time, which a checkout changes, and in a bundle the program's.
        return _digest()


class _Format(CompileResultCacheImpl):
    _locator_classes = [_UserCache]  # noqa: RUF012


class _Cache(FunctionCache):
    _impl_class = _Format


def entry(signature: Any) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that compiles a function for callers who release the interpreter's lock.

    What is compiled is kept in the user's cache folder, and is taken from there if nothing has
    changed. Where that can't be written, it is compiled again in each process.
    """

    def make(function: Callable[..., None]) -> Any:
        dispatcher: Any = _numba(nogil=True, error_model="numpy")(function)
        with suppress(RuntimeError):  # no folder can be written
            dispatcher._cache = _Cache(function)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return make
