"""What a bundle's program does: this file is frozen, and runs nowhere else."""

import importlib
import os
import pkgutil
import sys

from townsfolk.installation import COMPILE, PROVE_IMPORTS, RENDER_TEMPLATE


def prove_imports() -> None:
    """Import all that came along of Townsfolk: what was left out of the bundle is missed here."""
    for package in ("townsfolk", "townsfolk_kernels"):
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                # Left out where there is no GPU, and of a small bundle; nothing imports what needs
                # them without asking.
                if error.name not in ("triton", "numba", "townsfolk_kernels.compiled"):
                    raise


def compile_for(level: str) -> None:
    """Compile all code for processors, for those of a level, and keep it in the bundle."""
    levels = importlib.import_module("townsfolk_kernels.compiled.levels")
    os.environ[levels.COMPILE_FOR] = level
    package = importlib.import_module("townsfolk_kernels.compiled")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


if sys.argv[1:] == [RENDER_TEMPLATE]:
    from townsfolk.text import template

    template.main()
elif sys.argv[1:] == [PROVE_IMPORTS]:
    prove_imports()
elif sys.argv[1:2] == [COMPILE]:
    compile_for(sys.argv[2])
else:
    from townsfolk.cli import main

    main()
