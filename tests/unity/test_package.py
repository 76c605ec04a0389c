"""The Unity package's files: what Unity would stumble over, found without Unity."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
import yaml
from unity_meta import PACKAGE, assets

GUID = re.compile(r"guid: ([0-9a-f]{32})")
BUILT_IN = {"0000000000000000e000000000000000", "0000000000000000f000000000000000"}
# What Unity itself, its Test Framework, or an optional package brings.
OUTSIDE = {
    "UnityEngine.TestRunner",
    "UnityEditor.TestRunner",
    "Cysharp.Net.Http.YetAnotherHttpHandler",
    "Unity.TextMeshPro",
}
ASMDEFS = sorted(PACKAGE.rglob("*.asmdef"))
YAML_ASSETS = sorted([*PACKAGE.rglob("*.asset"), *PACKAGE.rglob("*.unity")])


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def guids() -> dict[str, Path]:
    """The asset of each GUID."""
    found = {}
    for meta in PACKAGE.rglob("*.meta"):
        match = GUID.search(meta.read_text(encoding="utf-8"))
        assert match, f"{relative(meta)} has no GUID"
        found[match[1]] = meta.with_suffix("")
    return found


def test_every_asset_has_a_meta_and_every_meta_an_asset():
    wanted = {path.with_name(path.name + ".meta") for path in assets()}
    assert {relative(path) for path in PACKAGE.rglob("*.meta")} == {relative(p) for p in wanted}


def test_guids_are_unique():
    counts = Counter(GUID.findall("".join(p.read_text() for p in PACKAGE.rglob("*.meta"))))
    assert [guid for guid, count in counts.items() if count > 1] == []


def test_metas_say_what_they_belong_to():
    for path in assets():
        meta = yaml.safe_load(path.with_name(path.name + ".meta").read_text(encoding="utf-8"))
        assert meta["fileFormatVersion"] == 2
        assert meta.get("folderAsset", False) == path.is_dir()


def test_package_json_names_what_exists():
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    assert package["name"] == "com.townsfolk.npc"
    assert package["unity"] == "2021.3"
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert f"## [{package['version']}]" in (PACKAGE / "CHANGELOG.md").read_text(encoding="utf-8")
    for sample in package["samples"]:
        assert (PACKAGE / sample["path"]).is_dir()
        assert sample["displayName"]
        assert sample["description"]
    for name in ("README.md", "LICENSE.md", "Third Party Notices.md", "Documentation~/index.md"):
        assert (PACKAGE / name).is_file()


@pytest.mark.parametrize("path", ASMDEFS, ids=relative)
def test_asmdef_references_exist(path):
    names = {json.loads(other.read_text(encoding="utf-8"))["name"] for other in ASMDEFS}
    asmdef = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == asmdef["name"]
    assert set(asmdef["references"]) <= names | OUTSIDE
    uses_messages = any(
        "Townsfolk.V1" in source.read_text(encoding="utf-8")
        or "Google.Protobuf" in source.read_text()
        for source in path.parent.rglob("*.cs")
        if next(p for p in source.parents if list(p.glob("*.asmdef"))) == path.parent
    )
    if uses_messages and asmdef["overrideReferences"]:
        assert "Google.Protobuf.dll" in asmdef["precompiledReferences"]
    if asmdef["name"] != "Townsfolk.Setup.Editor":
        # Where Google.Protobuf lacks, only the assembly that says so may compile.
        assert "TOWNSFOLK_PROTOBUF" in asmdef["defineConstraints"]


def test_core_has_no_engine_reference():
    core = json.loads((PACKAGE / "Runtime/Core/Townsfolk.Core.asmdef").read_text(encoding="utf-8"))
    assert core["noEngineReferences"] is True
    assert core["references"] == []
    assert core["overrideReferences"] is True
    assert core["precompiledReferences"] == ["Google.Protobuf.dll"]


def test_no_assembly_is_shipped():
    assert [relative(p) for p in PACKAGE.rglob("*") if p.suffix in {".dll", ".so", ".dylib"}] == []


@pytest.mark.parametrize("path", YAML_ASSETS, ids=relative)
def test_yaml_assets_point_to_what_exists(path):
    text = path.read_text(encoding="utf-8")
    known = guids()
    for guid in GUID.findall(text):
        assert guid in known or guid in BUILT_IN, f"nothing has the GUID {guid}"
    documents = text.split("--- !u!")[1:]
    identifiers = {int(document.split("&")[1].split("\n")[0]) for document in documents}
    assert len(identifiers) == len(documents)
    for document in documents:
        content = yaml.safe_load(document.split("\n", 1)[1])
        for reference in local_references(content):
            assert reference in identifiers, f"nothing in the file has the id {reference}"


def local_references(node):
    """The ids of this file that a document points to."""
    if isinstance(node, dict):
        if set(node) == {"fileID"} and node["fileID"] != 0:
            yield node["fileID"]
        for value in node.values():
            yield from local_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from local_references(value)


SERIALIZED = re.compile(
    r"^\s+(?:\[SerializeField\] private|public) (?!const|static|override|event)"
    r"[\w<>?\[\]]+ (\w+)(?: =|;)",
    re.M,
)


def serialized(script: Path) -> set[str]:
    """Return the fields that Unity keeps of a script, with those of what its class derives from."""
    source = script.read_text(encoding="utf-8")
    names = set(SERIALIZED.findall(source))
    base = re.search(rf"class {script.stem} : (\w+)", source)
    parents = PACKAGE.rglob(f"{base[1]}.cs") if base else ()
    return names.union(*(serialized(parent) for parent in parents))


@pytest.mark.parametrize("path", YAML_ASSETS, ids=relative)
def test_serialized_fields_exist_in_the_scripts(path):
    known = guids()
    for document in path.read_text(encoding="utf-8").split("--- !u!")[1:]:
        if not document.startswith("114 "):
            continue
        fields = yaml.safe_load(document.split("\n", 1)[1])["MonoBehaviour"]
        script = known.get(fields["m_Script"]["guid"])
        if script is None:
            continue  # a component of Unity's own
        names = serialized(script)
        own = {name for name in fields if not name.startswith("m_")}
        assert own, f"{script.name}: no field is set"
        assert own <= names, f"{script.name} has no field {own - names}"


def test_the_tavern_has_five_characters_who_share_lore():
    scene = (PACKAGE / "Samples~/Tavern/Tavern.unity").read_text(encoding="utf-8")
    agent = next(guid for guid, path in guids().items() if path.name == "NpcAgent.cs")
    lore = next(guid for guid, path in guids().items() if path.name == "Ashwick.asset")
    assert scene.count(f"guid: {agent}") == 5
    assert scene.count(f"guid: {lore}") == 5
    for script in ("NpcSpeech.cs", "TavernBody.cs"):
        guid = next(guid for guid, path in guids().items() if path.name == script)
        assert scene.count(f"guid: {guid}") == 5


def test_xml_parses():
    for path in [*PACKAGE.rglob("*.uxml"), *PACKAGE.rglob("*.xml")]:
        ElementTree.parse(path)


def test_documentation_links_lead_somewhere():
    for path in [*PACKAGE.glob("*.md"), *PACKAGE.glob("Documentation~/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"
