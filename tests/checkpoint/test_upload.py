"""Parts of files, read by several threads; here the device is the CPU."""

import os
import threading

import pytest
import torch
from townsfolk.checkpoint import CheckpointError, FileTensor, Upload

CPU = torch.device("cpu")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(os.urandom(100_000))
    return path


def uploads():
    return [t.name for t in threading.enumerate() if t.name.startswith("townsfolk-upload")]


def test_every_part_arrives_where_it_belongs(file):
    found = torch.zeros(100_000, dtype=torch.uint8)
    seen = []
    with Upload(CPU, buffer_bytes=700) as upload:
        for start in range(0, 100_000, 700):
            target = found[start : start + 700]
            stored = FileTensor(file, 0, 100_000, torch.uint8)
            upload.add(stored.part(start), len(target), target.copy_)
        upload.finish(seen.append)
    assert bytes(found.tolist()) == file.read_bytes()
    assert seen == [*range(700, 100_000, 700), 100_000]
    assert not uploads()


def upload_all(path, end, size, placing=lambda part: None, progress=lambda done: None):
    with Upload(CPU, buffer_bytes=size) as upload:
        for start in range(0, end, size):
            upload.add(FileTensor(path, 0, end, torch.uint8).part(start), size, placing)
        upload.finish(progress)


def test_a_file_that_is_too_short_is_named(file):
    with pytest.raises(CheckpointError, match="bytes is shorter"):
        upload_all(file, 100_020, 20)
    assert not uploads()


def test_a_file_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        upload_all(tmp_path / "gone", 20, 20)


def test_an_error_in_the_progress_ends_it_without_reading_the_rest(file):
    class EnoughError(Exception):
        pass

    def enough(done):
        raise EnoughError

    placed = []
    with pytest.raises(EnoughError):
        upload_all(file, 96_000, 16, lambda part: placed.append(1), enough)
    assert len(placed) < 6000
    assert not uploads()
