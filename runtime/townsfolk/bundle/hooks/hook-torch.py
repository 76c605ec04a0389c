"""What PyInstaller takes of PyTorch: the libraries that it opens by name, no headers, no tests.

The hook that comes with PyInstaller takes all of its libraries, and every module's source too.
"""

import os
import re
from pathlib import Path

from PyInstaller.utils.hooks import get_module_file_attribute

_folder = Path(str(get_module_file_attribute("torch"))).parent
# Elsewhere those that others need are found by what they are linked to.
_wanted = ["*.dll"] if os.name == "nt" else ["libtorch_global_deps.*", "libshm.*"]
_no_use = ("_test", "jitbackend", "backend_with_compiler", "aoti_custom_ops", "torchbind")

binaries = [
    (str(file), "torch/lib")
    for pattern in _wanted
    for file in (_folder / "lib").glob(pattern)
    if not any(word in file.name for word in _no_use)
]
# Asked for when PyTorch is imported; started only by those who share tensors with other processes.
_manager = _folder / "bin/torch_shm_manager"
datas = [(str(_manager), "torch/bin")] if _manager.is_file() else []
# These look into their own source when they are imported.
_looks = re.compile(rb"install_config_module\(|@(\w+\.)*_overload|import _overload")
_sources = [file for file in _folder.rglob("*.py") if _looks.search(file.read_bytes())]
module_collection_mode = {
    ".".join(("torch", *file.relative_to(_folder).with_suffix("").parts)): "pyz+py"
    for file in _sources
} | {"torch": "pyz"}
