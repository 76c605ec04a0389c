"""Has a bundle compile its code for players' processors, so that their machines need not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from townsfolk.bundle.proof import run_alone
from townsfolk.installation import COMPILE

_MOST_S = 1800.0


def compile_for_processors(program: Path) -> None:
    """Have a bundle's program compile for each level of processors, and lay the code beside it.

    Raises:
        BundleError: It does not run; the message holds what it printed.
    """
    from townsfolk_kernels.compiled.levels import LEVELS

    def one(name: str) -> str:
        return run_alone([str(program), COMPILE, name], "", _MOST_S)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(one, [level.name for level in LEVELS]):
            pass
