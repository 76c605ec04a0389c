"""Write the .meta files that the Unity package lacks: `python tests/support/unity_meta.py`.

A GUID is made from the file's path when its .meta is first written, and stays with the file for
ever after: scenes and other packages point to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent.parent / "plugins" / "unity"

MONO_IMPORTER = """MonoImporter:
  externalObjects: {}
  serializedVersion: 2
  defaultReferences: []
  executionOrder: 0
  icon: {instanceID: 0}
  userData:
  assetBundleName:
  assetBundleVariant:
"""
IMPORTER = """{name}:
  externalObjects: {{}}
  userData:
  assetBundleName:
  assetBundleVariant:
"""
IMPORTERS = {
    ".asmdef": "AssemblyDefinitionImporter",
    ".asset": "NativeFormatImporter",
    ".json": "TextScriptImporter",
    ".md": "TextScriptImporter",
    ".unity": "DefaultImporter",
    ".xml": "TextScriptImporter",
}


def assets() -> Iterator[Path]:
    """All files and folders that Unity imports: those of hidden folders only inside a sample."""
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        hidden = parts[0].endswith("~") and not (parts[0] == "Samples~" and len(parts) > 2)
        if path.suffix != ".meta" and not hidden and not any(p.startswith(".") for p in parts):
            yield path


def guid_of(path: Path) -> str:
    """The GUID that a new asset gets."""
    name = f"com.townsfolk.npc/{path.relative_to(PACKAGE).as_posix()}"
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def meta_of(path: Path) -> str:
    """The content of a new .meta file."""
    head = f"fileFormatVersion: 2\nguid: {guid_of(path)}\n"
    if path.is_dir():
        return head + "folderAsset: yes\n" + IMPORTER.format(name="DefaultImporter")
    if path.suffix == ".cs":
        return head + MONO_IMPORTER
    if path.suffix in IMPORTERS:
        return head + IMPORTER.format(name=IMPORTERS[path.suffix])
    return head  # Unity adds the importer by the file's type.


def main() -> None:
    """Write what lacks."""
    for path in assets():
        meta = path.with_name(path.name + ".meta")
        if not meta.exists():
            meta.write_text(meta_of(path), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
