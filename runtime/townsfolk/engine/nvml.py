"""What this process takes on a GPU, as the driver counts it: a little of NVIDIA's NVML."""

from __future__ import annotations

import ctypes
import os
import sys

_MOST_PROCESSES = 256
_UNKNOWN = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE: Windows does not tell for ordinary drivers


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def process_bytes(uuid: str) -> int | None:
    """Memory of this process on the GPU with this id, such as "GPU-4f...".

    Returns:
        None where the driver does not tell: on Windows, and in containers that number processes on
        their own.
    """
    try:
        library = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
        if library.nvmlInit_v2():
            return None
    except (OSError, AttributeError):
        return None
    try:
        return _process_bytes(library, uuid)
    except AttributeError:  # an old driver
        return None
    finally:
        library.nvmlShutdown()


def _process_bytes(library: ctypes.CDLL, uuid: str) -> int | None:
    device = ctypes.c_void_p()
    if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(device)):
        return None
    count = ctypes.c_uint(_MOST_PROCESSES)
    processes = (_Process * _MOST_PROCESSES)()
    list_processes = library.nvmlDeviceGetComputeRunningProcesses_v3
    if list_processes(device, ctypes.byref(count), processes):
        return None
    own = [each.used for each in processes[: count.value] if each.pid == os.getpid()]
    return own[0] if own and own[0] != _UNKNOWN else None
