"""The Unity package's C# on a real .NET: `dotnet test`, with the real runtime behind it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from default_install import DefaultInstall

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "plugins/unity"
DOTNET = os.environ.get("TOWNSFOLK_DOTNET") or shutil.which("dotnet")
SOLUTION = HERE / "Townsfolk.slnx"

pytestmark = pytest.mark.skipif(
    DOTNET is None,
    reason="no dotnet: install the .NET 10 SDK (https://dot.net/download), or name the program in "
    "TOWNSFOLK_DOTNET",
)


def dotnet(*arguments: str, timeout_s: float, **variables: str) -> str:
    """Run dotnet with more environment variables; return its output; fail with it."""
    environment = {
        **os.environ,
        **variables,
        "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
        "DOTNET_NOLOGO": "1",
        "MSBUILDDISABLENODEREUSE": "1",  # nor processes that wait for another build
    }
    assert DOTNET is not None
    done = subprocess.run(
        [DOTNET, *arguments],
        cwd=HERE,
        env=environment,
        timeout=timeout_s,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def built() -> Iterator[str]:
    """Compile everything as Unity 2021.3 and Unity 6 would; what the compiler said.

    One compiler serves all projects. It would outlive the tests, so it is ended.
    """
    yield dotnet("build", str(SOLUTION), "--nologo", timeout_s=1700)
    dotnet("build-server", "shutdown", "--vbcscompiler", timeout_s=1700)


@pytest.mark.timeout(1800)
def test_everything_compiles_without_a_warning(built: str) -> None:
    assert "0 Warning(s)" in built


@pytest.mark.timeout(3600)
def test_all_tests_pass(built: str, default_install: DefaultInstall) -> None:
    """With the runtime as the getting-started page installs it, so without extras."""
    output = dotnet(
        "test",
        str(SOLUTION),
        "--no-build",
        "--nologo",
        timeout_s=3500,
        TOWNSFOLK_PYTHON=sys.executable,
        TOWNSFOLK_COMMAND=str(default_install.townsfolk),
    )
    assert "Passed!" in output
    assert "Skipped:     0" in output


@pytest.mark.timeout(1800)
def test_the_code_is_formatted() -> None:
    # As folders: to read the projects takes thrice as long.
    options = ("--folder", "--exclude", "**/obj/", "**/bin/", "--verify-no-changes")
    for folder in (PACKAGE, HERE):
        dotnet("format", "whitespace", str(folder), *options, timeout_s=1700)


# What stands around code of the documents that is no file of its own.
FRAME = """
using System;
using System.Threading.Tasks;
using Townsfolk;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityEngine;

namespace Document{number}
{{
    internal static class Code
    {{
        public static async Task RunAsync(NpcAgent agent)
        {{
{code}
        }}
    }}
}}
"""


@pytest.mark.timeout(1800)
def test_the_code_of_the_documents_compiles(built: str, tmp_path: Path) -> None:
    documents = [PACKAGE / "README.md", *sorted(PACKAGE.glob("Documentation~/*.md"))]
    text = "\n".join(document.read_text(encoding="utf-8") for document in documents)
    blocks = re.findall(r"^ *```csharp\n(.*?)^ *```", text, re.M | re.S)
    assert len(blocks) >= 4
    for number, block in enumerate(blocks):
        code = textwrap.dedent(block)
        if "class " in code:
            usings, _, declarations = code.partition("\n\n")
            code = f"namespace Document{number}\n{{\n{usings}\n\n{declarations}\n}}\n"
            # As Unity fills a serialized field.
            code = re.sub(r"(\[SerializeField\] .*);", r"\1 = null!;", code)
        else:
            code = FRAME.format(number=number, code=code)
        (tmp_path / f"Document{number}.cs").write_text(code, encoding="utf-8")
    dotnet(
        *("build", str(HERE / "Docs"), "--nologo", f"-p:DocsFolder={tmp_path}"),
        timeout_s=1700,
    )
