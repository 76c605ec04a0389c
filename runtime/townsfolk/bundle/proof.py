"""Runs a bundle's program in an environment that has nothing, and has it talk."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from townsfolk.bundle.errors import BundleError
from townsfolk.installation import PROVE_IMPORTS

_LINE = "Hello!\n"
_LEAST_S = 300.0
# A slow disk reads so much in a second.
_BYTES_PER_S = 20e6
_LINES_SHOWN = 30


def prove(program: Path, size: int) -> None:
    """Start a bundle's program as a player's machine would, and have its model say something.

    Args:
        program: The bundle's.
        size: Of the bundle, in bytes.

    Raises:
        BundleError: It does not run; the message holds what it printed.
    """
    timeout_s = _LEAST_S + size / _BYTES_PER_S
    run_alone([str(program), PROVE_IMPORTS], "", timeout_s)
    said = run_alone([str(program), "talk"], _LINE, timeout_s)
    if _LINE.strip() not in said:
        raise BundleError(f"the bundle's program said nothing:\n{said}")


def run_alone(command: list[str], text: str, timeout_s: float) -> str:
    """Run a bundle's program as a player's machine would; return what it printed.

    Raises:
        BundleError: It failed, or took longer; the message holds what it printed.
    """
    # Windows can't load its own libraries without this one.
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="townsfolk-proof-") as elsewhere:
        try:
            done = subprocess.run(
                command,
                cwd=elsewhere,
                env=kept,
                input=text,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise BundleError(
                f"the bundle's program took over {timeout_s:.0f} s: {' '.join(command)}"
            ) from None
    if done.returncode != 0:
        lines = "\n".join(done.stdout.splitlines()[-_LINES_SHOWN:])
        raise BundleError(f"the bundle's program does not run ({' '.join(command)}):\n{lines}")
    return done.stdout
