"""Every script has the identifier that the editor makes, so that scenes keep their references."""

from __future__ import annotations

from collections import Counter

from godot_engine import ROOT

PROJECTS = ("plugins/godot/addons", "samples/godot", "tests/godot/project")
HOW = "open the project once with Godot 4.6, and add the .uid that it lays beside the script"


def test_every_script_has_an_identifier_of_its_own():
    scripts = [path for project in PROJECTS for path in (ROOT / project).rglob("*.gd")]
    beside = {path: path.with_name(f"{path.name}.uid") for path in scripts}
    without = [path for path, uid in beside.items() if not uid.exists()]
    assert not without, HOW
    told = Counter(uid.read_text().strip() for uid in beside.values())
    assert max(told.values()) == 1
    assert all(each.startswith("uid://") for each in told)
    left = {path for project in PROJECTS for path in (ROOT / project).rglob("*.gd.uid")}
    assert left == set(beside.values()), "a .uid is left of a script that is gone"
