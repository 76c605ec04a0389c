"""Set up the virtual environment `.venv` of a clone; `make talk` and `make test` run this.

Needs only Python 3.11 or later. It picks the PyTorch build for this machine: with an NVIDIA card
the CUDA build, otherwise a CPU build where one is offered, as the CUDA build takes gigabytes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
CUDA_REQUIREMENT = re.compile(r"^(nvidia|cuda)[-_]", re.IGNORECASE)


def python() -> str:
    """Return the path of the environment's interpreter."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return str(ENVIRONMENT / inside)


def pip(*arguments: str) -> None:
    """Run pip inside the environment; raise CalledProcessError when it fails."""
    subprocess.run([python(), "-m", "pip", "--disable-pip-version-check", *arguments], check=True)


def pinned(package: str) -> str:
    """Return the requirement `package==version` that constraints.txt names."""
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line
    raise SystemExit(f"constraints.txt does not pin {package}")


def has_nvidia_card() -> bool:
    """Whether the NVIDIA driver is installed and answers."""
    program = shutil.which("nvidia-smi")
    return program is not None and subprocess.run([program], capture_output=True).returncode == 0


def pip_offers_cpu_build(requirement: str) -> bool:
    """Whether the build that pip would take here needs no CUDA packages; installs nothing."""
    command = [python(), "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"]
    found = subprocess.run(
        [*command, "--quiet", "--report", "-", requirement], capture_output=True, text=True
    )
    if found.returncode != 0:
        return False
    metadata = json.loads(found.stdout)["install"][0]["metadata"]
    needs_cuda = any(CUDA_REQUIREMENT.match(need) for need in metadata.get("requires_dist", []))
    return not (needs_cuda and sys.platform == "linux")


def install_torch() -> None:
    """Install the pinned PyTorch in the build that fits this machine."""
    requirement = pinned("torch")
    cuda = has_nvidia_card()
    if not cuda and pip_offers_cpu_build(requirement):
        pip("install", "--quiet", requirement)
        return
    # uv knows where PyTorch offers each build; pip knows only the default one.
    pip("install", "--quiet", "uv")
    backend = "auto" if cuda else "cpu"
    chosen = subprocess.run(
        [python(), "-m", "uv", "pip", "install", f"--torch-backend={backend}", requirement]
    )
    if chosen.returncode != 0:
        print("uv found no such build; taking pip's default build of PyTorch", file=sys.stderr)
        pip("install", requirement)


def torch_requirements() -> list[str]:
    """Return what the installed PyTorch requires."""
    code = (
        "import importlib.metadata, json; print(json.dumps(importlib.metadata.requires('torch')))"
    )
    found = subprocess.run([python(), "-c", code], capture_output=True, text=True, check=True)
    requirements: list[str] | None = json.loads(found.stdout)
    return requirements or []


def constraints(requirements: list[str]) -> str:
    """Return constraints.txt without what a PyTorch that requires this pins itself.

    Its CUDA build wants a Triton of exactly one version, which is not the one that the tests ran
    with beside the CPU build.
    """
    own = {
        canonical(match[1]) for each in requirements if (match := re.match(r"([\w.-]+)==", each))
    }
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if canonical(line.partition("==")[0]) not in own)


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="", help="comma-separated extras of pyproject.toml")
    parser.add_argument("--stamp", type=Path, help="file to touch when all is installed")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036  this runs before pip could refuse
        raise SystemExit(
            f"Townsfolk needs Python 3.11 or later; this is {sys.version.split()[0]}. "
            "Name a newer one with `make PYTHON=python3.12 ...`."
        )
    if not Path(python()).exists():
        print("Setting up .venv; the first time takes a minute or two.", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True)
        pip("install", "--quiet", "--upgrade", pinned("pip"))
    install_torch()
    extras = [extra for extra in options.extras.split(",") if extra]
    if has_nvidia_card():
        extras.append("gpu")
    target = f".[{','.join(extras)}]" if extras else "."
    os.chdir(ROOT)
    kept = ENVIRONMENT / "constraints.txt"
    kept.write_text(constraints(torch_requirements()), encoding="utf-8")
    pip("install", "--quiet", "--constraint", str(kept), "--editable", target)
    if options.stamp is not None:
        options.stamp.touch()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"set-up failed: {' '.join(map(str, error.cmd))}") from error
