"""Loads and launches kernels through the CUDA driver itself: no C compiler is needed.

Triton builds a small C module for each kind of arguments, and one for its driver, with a compiler
that players don't have. `ctypes` does the same: a launch takes some microseconds more, which counts
only where a step is not a graph.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import shutil
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from triton import knobs
from triton.backends.driver import GPUDriver
from triton.backends.nvidia.driver import CudaDriver
from triton.runtime import _allocation, driver

logger = logging.getLogger(__name__)

_SHARED_UNASKED = 48 * 1024  # bytes of shared memory that a block gets without asking
_MAX_SHARED_MEMORY = 97  # CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
_PROCESSORS, _WARP_SIZE = 16, 10  # CU_DEVICE_ATTRIBUTE_...
_STATIC_SHARED, _LOCAL_BYTES, _REGISTERS, _MAX_THREADS = 1, 3, 4, 0  # CU_FUNC_ATTRIBUTE_...
_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_PREFER_SHARED = 1  # CU_FUNC_CACHE_PREFER_SHARED
_COOPERATIVE, _DEPENDENT = 2, 6  # CU_LAUNCH_ATTRIBUTE_...

# How arguments lie in memory, as `struct` writes them.
_FORMATS = {
    "i1": "b", "i8": "b", "i16": "h", "i32": "i", "i64": "q",
    "u1": "B", "u8": "B", "u16": "H", "u32": "I", "u64": "Q",
    "fp16": "e", "fp32": "f", "f32": "f", "fp64": "d",
}  # fmt: skip


class _Attribute(ctypes.Structure):
    """CUlaunchAttribute, of which only values of one int are used."""

    _fields_ = (
        ("id", ctypes.c_int),
        ("pad", ctypes.c_char * 4),
        ("value", ctypes.c_int),
        ("rest", ctypes.c_char * 60),
    )


# CUlaunchConfig: grid, block, bytes of shared memory, stream, attributes and their number.
_CONFIG = "3I3IIPPI4x"
_CONFIG_BYTES = struct.calcsize("@" + _CONFIG)


@cache
def _launch_kernel() -> Any:
    function = _library().cuLaunchKernelEx
    function.argtypes = (ctypes.c_void_p,) * 4
    return function


@cache
def _library() -> ctypes.CDLL:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    return ctypes.CDLL(name)


def _check(status: int) -> None:
    if status != 0:
        text = ctypes.c_char_p()
        _library().cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeError(f"CUDA error: {(text.value or b'unknown').decode()} ({status})")


def _attribute(get: Any, number: int, of: Any) -> int:
    found = ctypes.c_int()
    _check(get(ctypes.byref(found), number, of))
    return found.value


def _ensure_context(device: int) -> None:
    """Give this thread the device's context, as PyTorch uses it, if it has none."""
    current = ctypes.c_void_p()
    _check(_library().cuCtxGetCurrent(ctypes.byref(current)))
    if not current:
        _check(_library().cuDevicePrimaryCtxRetain(ctypes.byref(current), device))
        _check(_library().cuCtxSetCurrent(current))


class CudaUtils:
    """What Triton asks of its driver module."""

    def get_device_properties(self, device: int) -> dict[str, int]:
        """Return what Triton wants to know of a device."""
        get = _library().cuDeviceGetAttribute
        return {
            "max_shared_mem": _attribute(get, _MAX_SHARED_MEMORY, device),
            "multiprocessor_count": _attribute(get, _PROCESSORS, device),
            "warpSize": _attribute(get, _WARP_SIZE, device),
        }

    def load_binary(
        self, name: str, cubin: bytes, shared: int, device: int
    ) -> tuple[int, int, int, int, int]:
        """Load a kernel.

        Args:
            name: of its function.
            cubin: its machine code.
            shared: bytes of shared memory that it wants.
            device: number of the device.

        Returns:
            the module, the function, registers and spilled words of a thread, and the most threads.

        Raises:
            RuntimeError: the device can't load it.
        """
        library = _library()
        _ensure_context(device)
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        _check(library.cuModuleLoadData(ctypes.byref(module), cubin))
        _check(library.cuModuleGetFunction(ctypes.byref(function), module, name.encode()))
        get = library.cuFuncGetAttribute
        most = _attribute(library.cuDeviceGetAttribute, _MAX_SHARED_MEMORY, device)
        if shared > _SHARED_UNASKED and most > _SHARED_UNASKED:
            _check(library.cuFuncSetCacheConfig(function, _PREFER_SHARED))
            static = _attribute(get, _STATIC_SHARED, function)
            _check(library.cuFuncSetAttribute(function, _DYNAMIC_SHARED, most - static))
        return (
            module.value or 0,
            function.value or 0,
            _attribute(get, _REGISTERS, function),
            _attribute(get, _LOCAL_BYTES, function) // 4,
            _attribute(get, _MAX_THREADS, function),
        )


class Signature:
    """How the arguments of a kernel lie in memory, behind what else a launch is told."""

    def __init__(self, types: Sequence[str]) -> None:
        """Lay the arguments out.

        Args:
            types: of all parameters, as Triton writes them: "constexpr" for those that are not
                passed.

        Raises:
            NotImplementedError: a type that can't be passed.
        """
        self._places: list[tuple[int, bool]] = []  # of those that are passed; whether pointers
        formats = []
        for place, kind in enumerate(types):
            if kind == "constexpr":
                continue
            is_pointer = kind.startswith("*")
            if not is_pointer and kind not in _FORMATS:
                raise NotImplementedError(f"a kernel takes an argument of type {kind}")
            self._places.append((place, is_pointer))
            formats.append("P" if is_pointer else _FORMATS[kind])
        formats += ["P", "P"]  # Triton's scratch memories
        head = f"@{_CONFIG}{len(formats)}P"
        self._offsets = [
            struct.calcsize(head + "".join(formats[:place]) + f"0{formats[place]}")
            for place in range(len(formats))
        ]
        self._struct = struct.Struct(head + "".join(formats))
        self._memory = ctypes.c_char * self._struct.size

    def pack(self, config: Sequence[int], arguments: Sequence[Any], scratch: int) -> Any:
        """Write what a launch is told: `_CONFIG`, the address of each argument, the arguments."""
        memory = self._memory()
        base = ctypes.addressof(memory)
        values = [
            arguments[place].data_ptr() if is_pointer else arguments[place]
            for place, is_pointer in self._places
        ]
        addresses = [base + offset for offset in self._offsets]
        self._struct.pack_into(memory, 0, *config, *addresses, *values, scratch, 0)
        return memory


class CudaLauncher:
    """Launches one kernel; as Triton's class of the same name."""

    def __init__(self, source: Any, metadata: Any) -> None:
        """Prepare to launch.

        Args:
            source: has `signature`: the type of each parameter, by name or place.
            metadata: what Triton noted of the kernel when it was compiled.
        """
        signature: Mapping[Any, str] = source.signature
        self._signature = Signature(list(signature.values()))
        attributes = []
        if metadata.launch_pdl:
            attributes.append(_Attribute(_DEPENDENT, b"", 1))
        if metadata.launch_cooperative_grid:
            attributes.append(_Attribute(_COOPERATIVE, b"", 1))
        if metadata.num_ctas != 1:
            raise NotImplementedError("clusters of blocks can't be launched")
        self._attributes = (_Attribute * max(len(attributes), 1))(*attributes)
        self._block = (32 * metadata.num_warps, 1, 1, metadata.shared)
        self._listed = (ctypes.addressof(self._attributes), len(attributes))
        self._scratch_size = metadata.global_scratch_size
        self._scratch_align = metadata.global_scratch_align

    def __call__(
        self, x: int, y: int, z: int, stream: int, function: int, packed: Any, launch: Any,
        enter: Any, leave: Any, *arguments: Any,
    ) -> None:  # fmt: skip
        """Launch a grid of x * y * z programs; Triton calls it so.

        Raises:
            RuntimeError: CUDA refuses.
        """
        if x * y * z == 0:
            return
        scratch = None
        if self._scratch_size:
            allocate = _allocation._allocator.get()
            scratch = allocate(x * y * z * self._scratch_size, self._scratch_align, stream)
        if enter is not None:
            enter(launch)
        config = (x, y, z, *self._block, stream, *self._listed)
        own = 0 if scratch is None else scratch.data_ptr()
        memory = self._signature.pack(config, arguments, own)
        base = ctypes.addressof(memory)
        _check(_launch_kernel()(base, function, base + _CONFIG_BYTES, None))
        if leave is not None:
            leave(launch)


def install() -> None:
    """Have Triton launch where there is no C compiler, and compile where its folder is read-only.

    Where there is one, Triton's own module launches: 17 us a kernel instead of 30 (H200's host).
    """
    if not has_c_compiler():
        driver.set_active(Driver())
    if cache_folder() is None:
        knobs.cache.dir = tempfile.mkdtemp(prefix="townsfolk-kernels-")
        atexit.register(shutil.rmtree, knobs.cache.dir, ignore_errors=True)
        logger.warning("no folder for compiled kernels: they last until this process ends")


def has_c_compiler() -> bool:
    """Return whether Triton can build its C modules here: it finds a compiler and headers."""
    named = os.environ.get("CC")
    names = ("gcc", "clang") if named is None else (named,)
    return (
        any(map(shutil.which, names))
        and Path(sysconfig.get_paths()["include"], "Python.h").is_file()
    )


def cache_folder() -> str | None:
    """Return the folder in which Triton keeps what it compiles; None where it can't be written."""
    folder = Path(knobs.cache.dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError:
        return None


def assembler() -> str | None:
    """Return the assembler that Triton uses; None where it is missing."""
    try:
        path: str = knobs.nvidia.ptxas.path
    except RuntimeError:
        return None
    return path


class Driver(CudaDriver):  # type: ignore[misc]
    """Triton's driver for NVIDIA GPUs, without what has to be compiled in C."""

    def __init__(self) -> None:
        """Make it; see `triton.runtime.driver.set_active`."""
        GPUDriver.__init__(self)
        self.utils = CudaUtils()
        self.launcher_cls = CudaLauncher
