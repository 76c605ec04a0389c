"""Write API.md, the add-on's reference, from the `##` comments of its scripts.

    python plugins/godot/api_page.py

Godot shows the same comments in its own help (F1). What is there only for other parts of the add-on
begins its comment with "For ...:" and is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ADDON = FOLDER / "addons/townsfolk"
AUTOLOAD = ADDON / "runtime/townsfolk_runtime.gd"
HEAD = """# API

Written by `api_page.py` from the comments in the scripts. Godot's own help (F1) has the same.
"""
TAIL = """
To have `TownsfolkRuntime` typed in your scripts:
`const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")`.
"""
KINDS = {"var": "Property", "func": "Method", "signal": "Signal", "enum": "Enum"}

_DECLARATION = re.compile(
    r"(?:@export\S*?(?:\(.*\))? )?(static func|func|var|signal|enum) (\w+)(.*)"
)
_INTERNAL = re.compile(r"For (?:agents|sessions|channels):")


@dataclass(frozen=True, slots=True)
class Member:
    """A documented name of a script."""

    kind: str
    name: str
    signature: str
    comment: str


@dataclass(frozen=True, slots=True)
class Script:
    """A class that games use."""

    name: str
    base: str
    comment: str
    members: tuple[Member, ...]


def scripts() -> list[Script]:
    """Return the classes with a name and the autoload, nodes first."""
    paths = [path for folder in ("nodes", "ui", "resources") for path in _named(ADDON / folder)]
    return [*map(read, paths), read(AUTOLOAD)]


def read(path: Path) -> Script:
    """Read one script; every member that is not private must have a comment."""
    source = path.read_text(encoding="utf-8")
    found = re.search(r"^class_name (\w+)", source, re.MULTILINE)
    base = re.search(r"^extends (\w+)", source, re.MULTILINE)
    assert base is not None
    head = re.match(r"(?:##[^\n]*\n)+", source)
    assert head is not None, f"{path.name} has no comment"
    return Script(
        found[1] if found else "TownsfolkRuntime",
        base[1] if found else f"{base[1]}, the autoload",
        _plain(head[0]),
        tuple(_members(path.name, source[head.end() :])),
    )


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(map(_section, scripts())) + TAIL


def _named(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.glob("*.gd")) if "\nclass_name " in p.read_text("utf-8")]


def _members(file: str, source: str) -> list[Member]:
    lines, comment, found = source.splitlines(), "", []
    for number, line in enumerate(lines):
        if line.startswith("##"):
            comment += f"{line}\n"
            continue
        if line.startswith("@export_") and line.endswith(")"):  # of what stands in the next line
            continue
        match = _DECLARATION.match(line)
        if match and not match[2].startswith("_"):
            rest = match[3]
            while rest.count("(") > rest.count(")") or rest.count("{") > rest.count("}"):
                number += 1
                rest += f" {lines[number].strip()}"
            member = Member(
                match[1].removeprefix("static "), match[2], _signature(rest), _plain(comment)
            )
            assert member.comment, f"{file}: {member.name} has no ## comment"
            if not _INTERNAL.match(member.comment):
                found.append(member)
        comment = ""
    return found


def _signature(rest: str) -> str:
    """Return what follows a name in its declaration, without a default that is computed."""
    rest = re.sub(r"\s+", " ", rest).rstrip().removesuffix(":").removesuffix(" -> void")
    rest = rest.replace("( ", "(").replace(" )", ")")
    return re.sub(r" = \w+\.\w+\(.*\)$", "", rest)


def _section(script: Script) -> str:
    parts = [f"\n## {script.name} ({script.base})\n\n{script.comment}\n"]
    for kind, title in KINDS.items():
        rows = [
            f"| `{m.name}{m.signature}` | {' '.join(m.comment.split())} |\n"
            for m in script.members
            if m.kind == kind
        ]
        if rows:
            parts.append(f"\n| {title} | |\n|---|---|\n{''.join(rows)}")
    return "".join(parts)


def _plain(comment: str) -> str:
    """Return a comment as Markdown."""
    text = "\n".join(line.removeprefix("##").removeprefix(" ") for line in comment.splitlines())
    text = re.sub(r"\[(?:member|param|signal|constant|enum) ([\w.]+)\]", r"`\1`", text)
    text = re.sub(r"\[method ([\w.]+)\]", r"`\1()`", text)
    text = text.replace("[code]", "`").replace("[/code]", "`").replace("[br]", "\n")
    text = text.replace("[codeblock]", "\n```gdscript").replace("[/codeblock]", "```\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


if __name__ == "__main__":
    (FOLDER / "API.md").write_text(page(), encoding="utf-8", newline="\n")
