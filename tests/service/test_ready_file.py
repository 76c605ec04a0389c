"""The ready file says who serves, and never lies about it for long."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from townsfolk.service.ready_file import ReadyFile
from townsfolk.service.start_error import StartError

READY = {"address": "127.0.0.1", "port": 1, "pid": os.getpid(), "token": "secret"}


def test_it_is_there_while_the_runtime_serves(tmp_path):
    file = tmp_path / "ready.json"
    with ReadyFile(file).there(READY):
        assert json.loads(file.read_text()) == READY
        assert list(tmp_path.iterdir()) == [file]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_folder_that_is_not_there_are_refused_and_nothing_is_left(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "ready.json"):
        file = ReadyFile(path)
        with pytest.raises(StartError, match=r"ready_file .*folder"):
            file.check()
        with pytest.raises(StartError), file.there(READY):
            pass
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_replaced_leaves_no_token_behind(tmp_path):
    with pytest.raises(IsADirectoryError):
        ReadyFile._write(tmp_path, "secret")
    assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.parent.glob(f".{tmp_path.name}.*")) == []


def test_one_that_belongs_to_a_runtime_that_serves_is_refused_and_stays(tmp_path):
    file = tmp_path / "ready.json"
    with socket.create_server(("127.0.0.1", 0)) as other:
        ready = READY | {"port": other.getsockname()[1], "pid": 12345}
        file.write_text(json.dumps(ready))
        with pytest.raises(StartError, match="12345"):
            ReadyFile(file).check()
        ReadyFile(file).remove()
        assert json.loads(file.read_text()) == ready


@pytest.mark.parametrize("content", ["", "[]", "rubbish", "{}", json.dumps(READY | {"pid": 1})])
def test_one_that_a_killed_runtime_left_is_replaced(tmp_path, content):
    file = tmp_path / "ready.json"
    file.write_text(content)
    with ReadyFile(file).there(READY):
        assert json.loads(file.read_text()) == READY


def test_one_that_another_runtime_wrote_meanwhile_stays(tmp_path):
    file = tmp_path / "ready.json"
    with ReadyFile(file).there(READY):
        file.write_text(json.dumps(READY | {"pid": 12345}))
    assert file.exists()


def test_a_line_on_standard_output_needs_no_folder(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ready_file = ReadyFile(Path("-"))
    ready_file.check()
    with ready_file.there({"port": 1, "token": "äh"}):
        line, _ = capfd.readouterr()
        assert json.loads(line) == {"port": 1, "token": "äh"}
        assert line.endswith("}\n")
    ready_file.remove()
    assert list(tmp_path.iterdir()) == []


def test_standard_output_that_nobody_reads_is_said(monkeypatch):
    def nobody(_descriptor, _data):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("os.write", nobody)
    with (
        pytest.raises(StartError, match="standard output can't be written to"),
        ReadyFile(Path("-")).there({"port": 1}),
    ):
        pass
