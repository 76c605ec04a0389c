"""What `make talk` and a plain `pip install` bring, as an environment of its own.

The tests' own environment has every extra, so that it hides what a player's lacks. This one holds
links to the packages that the project's own dependencies need, and to no other.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class DefaultInstall:
    """An environment without any extra."""

    python: Path
    townsfolk: Path


def make_default_install(folder: Path) -> DefaultInstall:
    """Make the environment in a folder, without a network; not on Windows, as it makes links."""
    venv.EnvBuilder(symlinks=True).create(folder)
    [site_packages] = (folder / "lib").glob("python*/site-packages")
    for distribution in needed_distributions():
        for name in top_level_names(distribution):
            link = site_packages / name
            if not link.is_symlink():
                link.symlink_to(Path(str(distribution.locate_file(name))))
    sources = [ROOT / "runtime", ROOT / "kernels"]
    (site_packages / "townsfolk.pth").write_text("".join(f"{source}\n" for source in sources))
    python = folder / "bin/python"
    townsfolk = folder / "bin/townsfolk"
    townsfolk.write_text(
        f"#!{python}\nimport sys\n\nfrom townsfolk.cli import main\n\nsys.exit(main())\n"
    )
    townsfolk.chmod(0o755)
    return DefaultInstall(python, townsfolk)


def needed_distributions() -> Iterator[importlib.metadata.Distribution]:
    """The installed distributions that pyproject.toml's dependencies name, and what these need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(line) for line in project["dependencies"]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                distribution = importlib.metadata.distribution(name)
            except importlib.metadata.PackageNotFoundError:
                continue  # what is not installed can't be in it
            yield distribution
            needs = [Requirement(line) for line in distribution.requires or ()]
            waiting += [
                need
                for need in needs
                if need.marker is None or need.marker.evaluate({"extra": extra})
            ]


def top_level_names(distribution: importlib.metadata.Distribution) -> set[str]:
    """What a distribution has put into its site-packages: packages, modules, metadata."""
    names = {file.parts[0] for file in distribution.files or ()}
    return names - {"..", "__pycache__"}
