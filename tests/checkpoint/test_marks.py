"""Files that change under a model are noticed; those that are replaced do it no harm."""

from __future__ import annotations

import os

from townsfolk.checkpoint.marks import FileMarks


def test_a_file_that_is_overwritten_is_named(tmp_path):
    one, two = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one.write_bytes(b"12345678")
    two.write_bytes(b"12345678")
    marks = FileMarks.of_model(tmp_path)
    assert marks.changed() is None
    with two.open("r+b") as file:
        file.write(b"9")
    os.utime(two, ns=(1, 1))  # a file system may count in seconds
    assert marks.changed() == two


def test_a_file_that_is_truncated_is_named(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_bytes(b"12345678")
    marks = FileMarks.of_model(file)
    os.truncate(file, 4)
    assert marks.changed() == file


def test_one_that_is_replaced_or_removed_is_not(tmp_path):
    one, two = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one.write_bytes(b"12345678")
    two.write_bytes(b"12345678")
    marks = FileMarks.of_model(tmp_path)
    (tmp_path / "new").write_bytes(b"other")
    (tmp_path / "new").replace(one)
    two.unlink()
    assert marks.changed() is None
