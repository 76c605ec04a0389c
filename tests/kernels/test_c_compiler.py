"""Which way kernels are launched: through Triton's C module, or without a C compiler."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

pytest.importorskip("triton")
from townsfolk_kernels.gpu.cuda import has_c_compiler


@pytest.fixture
def headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Python's headers, which is found."""
    include = tmp_path / "include"
    include.mkdir()
    (include / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(include)})
    return include


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


def test_without_a_compiler_there_is_none(headers: Path, programs: Path) -> None:
    assert not has_c_compiler()


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_a_compiler_on_the_path_is_found(headers: Path, programs: Path, name: str) -> None:
    program = programs / name
    program.touch()
    program.chmod(0o755)
    assert has_c_compiler()


def test_the_compiler_that_the_environment_names_is_found(
    headers: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = programs / "own-cc"
    program.touch()
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))
    assert has_c_compiler()


def test_a_compiler_that_the_environment_names_in_vain_is_none(
    headers: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (programs / "gcc").touch(0o755)
    monkeypatch.setenv("CC", "/proc/nowhere")
    assert not has_c_compiler()


def test_a_compiler_without_python_s_headers_is_of_no_use(headers: Path, programs: Path) -> None:
    program = programs / "gcc"
    program.touch()
    program.chmod(0o755)
    (headers / "Python.h").unlink()
    assert not has_c_compiler()
