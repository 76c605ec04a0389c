"""The Python client and runtimes of other versions: real processes, told to be of another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from townsfolk import contract
from townsfolk.client import Persona, Runtime, VersionMismatchError
from townsfolk.contract import ContractVersion, compare

SUPPORT = Path(__file__).parents[1] / "support"
CASES = json.loads((SUPPORT / "contract_cases.json").read_text("utf-8"))
SCRIPT = '[[lines]]\nsays = "Well met."\n'


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "lines.toml"
    file.write_text(SCRIPT)
    return str(file)


def launch(version: object, script: str) -> Runtime:
    """A runtime of another version of the contract, as a child process."""
    program = [sys.executable, str(SUPPORT / "other_version.py"), str(version)]
    return Runtime.launch("--model", script, command=program)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['client']}-{case['runtime']}")
def test_the_table_of_all_clients(case):
    found = compare(ContractVersion.read(case["client"]), ContractVersion.read(case["runtime"]))
    assert (found.works, found.upgrade) == (case["works"], case["upgrade"])


def test_a_runtime_of_a_newer_minor_version_serves(script, recwarn):
    newer = ContractVersion(1, contract.OWN.minor + 1)
    with launch(newer, script) as runtime:
        assert runtime.npc(Persona(name="Mira")).say("Hello!").wait().text == "Well met."
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]


@pytest.mark.parametrize(
    ("version", "called"),
    [(ContractVersion(1, contract.OWN.minor - 1), "1.0"), ("none", "0.0.1 (contract 1.0)")],
)
def test_an_older_runtime_serves_with_a_warning_that_says_what_to_upgrade(script, version, called):
    with (
        pytest.warns(RuntimeWarning, match="upgrade the runtime") as warned,
        launch(version, script) as runtime,
    ):
        assert runtime.npc(Persona(name="Mira")).say("Hello!").wait().text == "Well met."
    assert called in str(warned[0].message)


@pytest.mark.parametrize("looks", ["", "mute:"])
@pytest.mark.parametrize(("version", "who"), [("0.4", "runtime"), ("2.4", "client")])
def test_a_runtime_of_another_major_version_is_refused(script, looks, version, who):
    """By the runtime, which looks at the version of each call; where it does not, by the client."""
    with (
        pytest.raises(VersionMismatchError, match=f"upgrade the {who};"),
        launch(looks + version, script),
    ):
        pass
