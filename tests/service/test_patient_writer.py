"""Lines go out in order, and nobody waits for one who does not read them."""

from __future__ import annotations

import os
import re

from townsfolk.service.patient_writer import PatientWriter


def test_what_is_written_arrives_in_order():
    reading, writing = os.pipe()
    writer = PatientWriter(writing)
    for number in range(100):
        print(number, file=writer)
    assert writer.drain(60)
    assert os.read(reading, 1 << 16).decode().split() == [str(number) for number in range(100)]


def fill(writing: int) -> int:
    """Write to a pipe until it takes no more; return how many bytes it took."""
    os.set_blocking(writing, False)
    taken = 0
    try:
        while True:
            taken += os.write(writing, b" " * 512)
    except BlockingIOError:
        return taken
    finally:
        os.set_blocking(writing, True)


def test_one_that_nobody_reads_drops_and_counts():
    reading, writing = os.pipe()
    taken = fill(writing)
    writer = PatientWriter(writing, capacity=1000)
    lines = 500  # of 100 characters
    for number in range(lines):
        writer.write(f"{number:099}\n")
    assert not writer.drain(0.1)
    while taken:
        taken -= len(os.read(reading, taken))
    kept, missing = [], 0
    with os.fdopen(reading, encoding="utf-8") as lines_written:
        while len(kept) + missing < lines:
            line = lines_written.readline()
            if found := re.fullmatch(r"\((\d+) log lines are missing.*\)\n", line):
                missing += int(found[1])
            else:
                kept.append(int(line))
        assert kept == sorted(kept)
        assert len(kept) <= 30
        writer.write("and on\n")
        assert lines_written.readline() == "and on\n"


def test_one_whose_reader_is_gone_does_not_care():
    reading, writing = os.pipe()
    os.close(reading)
    writer = PatientWriter(writing)
    writer.write("hello\n")
    assert writer.drain(60)
    assert writer.fileno() == writing
