"""Waiting for a process that works in the background."""

import os
import subprocess
import sys
import time

import pytest
from townsfolk.bench.rest import processor_seconds, rest

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs Linux")

SPIN = """
import time
end = time.process_time() + {}
print("begun", flush=True)
while time.process_time() < end: pass
"""
# The work is done by a child of the process that is watched, as a compiler would do it.
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {SPIN.format(0.6)!r}])
print("done", flush=True)
sys.stdin.read()
"""


def test_it_waits_for_children_that_work():
    assert waits()


def waits() -> bool:
    """Whether the end of the child's work was waited for."""
    arguments = [sys.executable, "-c", PARENT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, **pipes) as process:
        assert process.stdout.readline() == "begun\n"
        rest(process.pid)
        used = processor_seconds(process.pid)
        process.stdin.close()
        return used >= 0.6


def test_it_gives_up_in_time():
    arguments = [sys.executable, "-c", SPIN.format(3600)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        rest(process.pid, most_s=0.5)
        assert process.poll() is None
        process.kill()


def test_own_time_is_counted():
    before, own = processor_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.3:
        pass
    assert processor_seconds(os.getpid()) - before >= 0.25
